"""Numerical against statistical error, and what more samples would bring."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manybody.study.comparing import PointDifference
from manybody.study.results import PointResult, StudyResult

Real = NDArray[np.float64]

# Random subsets over which an error at fewer samples is averaged.
_SUBSETS = 200


@dataclass(frozen=True)
class NumericalError:
    """What one variant changes at one size, beside the statistical error there.

    variant: its name; largest: largest |change| of a sample's distance over samples and
    times; of_mean: of the mean over these samples; statistical: standard error of the mean
    of all samples at its maximum; dominates: which of `of_mean` and that is larger.
    """

    variant: str
    difference: PointDifference
    statistical: float

    @property
    def dominates(self) -> str:
        """Which error limits what is known of the maximum."""
        if not np.isfinite(self.statistical):
            return "one sample: unknown"
        return "numerical" if self.difference.of_mean > self.statistical else "statistical"


def numerical_errors(results: StudyResult) -> list[NumericalError]:
    """Every variant and size that was computed."""
    statistical = {
        point.point.name: point.summary.maximum_error
        for point in results.points
        if point.summary is not None
    }
    return [
        NumericalError(name, each, statistical[each.point.name])
        for name, differences in results.variants.items()
        for each in differences
    ]


def error_against_count(result: PointResult, seed: int) -> tuple[NDArray[np.int64], Real]:
    """(K,) numbers of samples and the mean standard error there of so many of them.

    Of the mean at the time of its maximum over all samples; averaged over random subsets,
    which are those of `seed`.
    """
    assert result.summary is not None
    curves = result.arrays["trace_distance"]
    values = curves[:, int(np.argmax(curves.mean(axis=0)))]
    n = len(values)
    counts = (
        np.unique(np.round(np.geomspace(2, n, 12)).astype(np.int64)) if n > 1 else np.array([])
    )
    rng = np.random.default_rng(seed)
    errors = []
    for count in counts:
        rows = rng.random((_SUBSETS, n)).argsort(axis=1)[:, :count]
        errors.append(values[rows].std(axis=1, ddof=1).mean() / np.sqrt(count))
    return counts, np.array(errors)


def samples_for(result: PointResult, relative: float) -> float:
    """How many samples bring the standard error of the maximum to `relative` of it."""
    assert result.summary is not None
    s = result.summary
    if s.maximum == 0.0:
        return 1.0
    return float(np.ceil((s.maximum_deviation / (relative * s.maximum)) ** 2))
