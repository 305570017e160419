"""What tables share: columns that name a point, and how a report writes numbers."""

from collections.abc import Callable
from typing import Any

from manybody.arrays import Real
from manybody.physics.equations.registry import EQUATIONS
from manybody.report.analysis.statistics import Peak
from manybody.report.page.document import NONE, Column, is_missing
from manybody.report.read import StudyResult, point_title
from manybody.study.configuration import Point

_DIMENSION = Column("dimension", "D")


def size_columns(results: StudyResult) -> tuple[Column, ...]:
    """The number of sites, and that of states in a study where it is another."""
    own = (_DIMENSION,) if results.names_dimensions else ()
    return (Column("n_sites", "N"), *own)


def size_cells(results: StudyResult, point: Point) -> tuple[int, ...]:
    """A point in the columns of `size_columns`."""
    return (point.n_sites, point.dimension) if results.names_dimensions else (point.n_sites,)


def point_columns(results: StudyResult) -> tuple[Column, ...]:
    """What names a point in every table of points."""
    return (
        Column("model"),
        Column("parameters"),
        Column("system", "system"),
        Column("size"),
        *size_columns(results),
    )


def point_cells(results: StudyResult, point: Point) -> tuple[Any, ...]:
    """A point in the columns of `point_columns`."""
    words = " ".join(f"{key}={value}" for key, value in (*point.parameters, *point.changes))
    return point.model, words, point_title(point), point.size, *size_cells(results, point)


def peak_columns() -> tuple[Column, ...]:
    """What a table of maxima says of each."""
    return (
        Column("n_samples", "samples"),
        Column("maximum_of_mean", "max of mean", digits(5)),
        Column("standard_error_there", "std. error", scientific),
        Column("time_of_maximum", "at t [1/J]", digits(4)),
    )


def peak_cells(results: StudyResult, curves: Real) -> tuple[Any, ...]:
    """(n, T) curves in the columns of `peak_columns`."""
    peak = Peak.of(curves)
    return peak.count, peak.mean, peak.error, results.study.times[peak.place]


def pair_words(pair: tuple[str, str]) -> str:
    """Two equations."""
    return " and ".join(EQUATIONS[name].title for name in pair)


def digits(count: int) -> Callable[[Any], str]:
    """How a report shows a real number: `count` significant digits."""

    def write(value: Any) -> str:
        return NONE if is_missing(value) else f"{float(value):.{count}g}"

    return write


def scientific(value: Any) -> str:
    """Powers of ten and two digits, for errors."""
    return NONE if is_missing(value) else f"{float(value):.1e}"


def reach_words(value: Any) -> str:
    """As a report shows whether the times reach a maximum."""
    words: str = {"inside": "inside the times", "plateau": "on a plateau"}.get(value, value)
    return words
