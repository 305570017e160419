"""Averages -> tables: every number of a report, raw, one file each."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np

from manybody.errors import Unavailable
from manybody.physics.spectra import VERDICTS
from manybody.report.analysis.statistics import spread_of
from manybody.report.page.document import Table, is_missing
from manybody.report.page.summary import worst_of, worst_of_all
from manybody.report.read import PointResult, StudyResult, point_title
from manybody.report.tables.columns import (
    Cell,
    Long,
    cell,
    digits,
    long_table,
    moments_in_time,
    pair_words,
    peak_cells,
    point_cells,
    reach_cell,
    size_cells,
    summary_cells,
    table_of,
    unit_words,
    with_rows,
)
from manybody.solve.comparison import pairs_of
from manybody.solve.observables.registry import figures_of
from manybody.study.blocks import OF_PAIRS

_SHORT = digits(3)


def build_tables(results: StudyResult) -> list[Table]:
    """All of them; those with nothing to say are left out."""
    found = [long_table("samples", "Every sample", _samples(results))]
    if results.study.evolves:
        in_time = "Trace distance and positivity against time"
        maxima = "Maximum over time of the mean over samples"
        found += [
            long_table("curves", in_time, _curves(results)),
            table_of("maxima", maxima, _maxima(results)),
            table_of("spread", "Each sample's own maximum over time", _spread(results)),
            table_of("pairs", "Every two equations", _pairs(results)),
        ]
    return with_rows(
        *found,
        table_of("figures", "Other observables over samples", _figures(results)),
        table_of("certificates", "Worst figures over all samples", _certificates(results)),
        table_of("missing", "Samples that are not in the store", _missing(results)),
    )


def _curves(results: StudyResult) -> Iterator[Long]:
    for result in results.points:
        assert result.summary is not None
        smallest = result.arrays["smallest_eigenvalue_in_time"]
        head = [*point_cells(results, result.point), cell("n_samples", result.n_samples)]
        yield (
            head,
            {
                **moments_in_time(results.study.times, result.summary.moments),
                "smallest_eigenvalue_mean": smallest.mean(axis=0),
                "smallest_eigenvalue_worst": smallest.min(axis=0),
            },
        )


def _pairs(results: StudyResult) -> Iterator[list[Cell]]:
    """The distance of every two equations where there are more than two."""
    pairs = pairs_of(results.study.equations)
    for result in results.points if len(pairs) > 1 else ():
        for pair, distance in zip(pairs, np.moveaxis(result.arrays[OF_PAIRS], 1, 0)):
            yield [
                *point_cells(results, result.point),
                cell("pair", pair_words(pair), "equations"),
                *peak_cells(results, distance),
            ]


def _maxima(results: StudyResult) -> Iterator[list[Cell]]:
    worst = worst_of(results.study)
    for result in results.points:
        s = result.summary
        assert s is not None
        merged = None if result.second is None else result.second.maximum
        yield [
            *point_cells(results, result.point),
            *summary_cells(s),
            cell(
                "mean_of_maximum",
                s.mean_maximum,
                "mean of max",
                digits(4),
                "mean_of_maximum_error",
            ),
            cell("mean_of_maximum_low", s.mean_maximum_low),
            cell("mean_of_maximum_high", s.mean_maximum_high),
            cell("mean_of_maximum_error", s.mean_maximum_error),
            reach_cell(s.reach),
            cell("outside_samples", int(result.outside.sum()), "leave the states"),
            cell("maximum_of_mean_if_merged", merged),
            cell("missing_samples", result.missing),
            *(cell(f"worst_{key}", float(of(result.arrays[key]))) for key, of in worst.items()),
        ]


def _spread(results: StudyResult) -> Iterator[list[Cell]]:
    for result in results.points:
        curves = result.arrays["trace_distance"]
        own = curves.max(axis=1)
        s = spread_of(own)
        ratio = s.deviation / s.mean if s.mean else None
        at_end = int(np.count_nonzero(curves.argmax(axis=1) == curves.shape[1] - 1))
        yield [
            *point_cells(results, result.point),
            cell("mean", s.mean, "mean", digits(4)),
            cell("standard_deviation", s.deviation, "std. dev.", _SHORT),
            cell("ratio", ratio, "std. dev. / mean", digits(2)),
            cell("smallest", float(own.min()), "smallest", _SHORT),
            cell("quantile_16", s.low, "16 %", _SHORT),
            cell("median", s.median, "median", _SHORT),
            cell("quantile_84", s.high, "84 %", _SHORT),
            cell("largest", float(own.max()), "largest", _SHORT),
            cell("at_last_time", at_end, "at the last time"),
        ]


def _samples(results: StudyResult) -> Iterator[Long]:
    """One row a sample: what it measured, its seed and its certificate."""
    every = (own for result in results.points for own in result.arrays.items())
    names = dict.fromkeys(name for name, array in every if array.ndim == 1)
    times = np.array(results.study.times)
    for result in results.points:
        own = {}
        if results.study.evolves:
            curves = result.arrays["trace_distance"]
            own = {"maximum": curves.max(axis=1), "time_of_maximum": times[curves.argmax(axis=1)]}
        seeds = [" ".join(f"{word:016x}" for word in seed) for seed in result.arrays["seed"]]
        numbers = {name: result.arrays[name] for name in names}
        head = point_cells(results, result.point)
        yield head, {"sample": result.samples, "seed": seeds, **own, **numbers}


def _figures(results: StudyResult) -> Iterator[list[Cell]]:
    for result in results.points:
        for name, figure in figures_of(results.study.observables).items():
            s, values = result.spreads[name], result.arrays[name]
            finite = values[np.isfinite(values)]
            ends = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
            yield [
                *point_cells(results, result.point),
                cell("figure", name, "figure"),
                cell("unit", figure.unit, "unit", unit_words),
                cell("n_finite", s.count, "samples"),
                cell("n_without", s.others, "without"),
                cell("mean", s.mean, "mean", digits(4), "standard_error"),
                cell("standard_error", s.error),
                cell("standard_deviation", s.deviation),
                cell("quantile_16", s.low, "16 %", _SHORT),
                cell("median", s.median, "median", _SHORT),
                cell("quantile_84", s.high, "84 %", _SHORT),
                cell("smallest", ends[0], "smallest", _SHORT),
                cell("largest", ends[1], "largest", _SHORT),
            ]


def _certificates(results: StudyResult) -> Iterator[list[Cell]]:
    for name, reduce in worst_of_all(results.study).items():
        found = [
            (float(reduce(result.arrays[name])), result)
            for result in results.points
            if name in result.arrays
        ]
        if found:
            value = float(reduce([worst for worst, _ in found]))
            result = next(result for worst, result in found if worst == value or value != value)
            own = result.arrays[name]
            row = int(np.argmax(np.isnan(own) if value != value else own == value))
            yield [
                cell("figure", name, "figure"),
                cell("worst", value, "worst", _SHORT),
                cell("system", point_title(result.point), "in"),
                *size_cells(results, result.point),
                cell("sample", int(result.samples[row]), "sample"),
            ]


def _missing(results: StudyResult) -> Iterator[list[Cell]]:
    for status in results.statuses:
        left = status.wanted - status.done
        if left:
            yield [
                *point_cells(results, status.point),
                cell("missing", left, "missing"),
                cell("failed", status.failed, "of which failed"),
            ]


def to_csv(table: Table) -> str:
    """With every digit; empty cells for what does not exist.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_inert(column.name) for column in table.columns])
    for row in table.rows:
        writer.writerow(["" if is_missing(cell) else _exact(_inert(cell)) for cell in row])
    return text.getvalue()


def _inert(cell: Any) -> Any:
    # A sign alone is none.
    is_formula = isinstance(cell, str) and len(cell) > 1 and cell[0] in "=+-@\t\r"
    return f"'{cell}" if is_formula else cell


def to_parquet(table: Table) -> bytes:
    """The same columns with their types.  Raises RuntimeError without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise Unavailable(f"parquet needs pyarrow: {error}") from error
    arrays = {
        column.name: [None if is_missing(row[index]) else row[index] for row in table.rows]
        for index, column in enumerate(table.columns)
    }
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), buffer)
    return buffer.getvalue()


def to_hdf5(table: Table) -> bytes:
    """The same columns, a dataset each: numbers, nan for what does not exist, or texts."""
    with h5py.File("table", "w", driver="core", backing_store=False, track_order=True) as file:
        file.attrs["title"] = table.title
        for index, column in enumerate(table.columns):
            cells = [row[index] for row in table.rows]
            is_text = any(isinstance(cell, str) for cell in cells)
            empty: Any = "" if is_text else float("nan")
            values = [empty if is_missing(cell) else cell for cell in cells]
            kind = h5py.string_dtype() if is_text else None
            file.create_dataset(column.name, data=values, dtype=kind, track_times=False)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _exact(cell: Any) -> str:
    return repr(cell) if isinstance(cell, float) else str(cell)


def clustering_counts(points: Sequence[PointResult]) -> dict[str, int]:
    """How many samples have each verdict on coinciding Bohr frequencies."""
    codes = np.concatenate([point.arrays["clustering"] for point in points])
    return {word: int(np.count_nonzero(codes == code)) for code, word in enumerate(VERDICTS)}
