"""Numerical against statistical error."""

from dataclasses import dataclass

import numpy as np

from manybody.report.read import StudyResult
from manybody.study.differences import PointDifference


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
        if not np.isfinite(self.difference.of_mean):
            return "no common time: unknown"
        return "numerical" if self.difference.of_mean > self.statistical else "statistical"


def numerical_errors(results: StudyResult) -> list[NumericalError]:
    """Every variant and size that was computed.

    Blocks are read once for the points and once for the variants: of a point that was not there
    the first time, because another run is at work or the file system failed, nothing is said.
    """
    statistical = {
        point.point.name: point.summary.maximum_error
        for point in results.points
        if point.summary is not None
    }
    return [
        NumericalError(name, each, statistical[each.point.name])
        for name, differences in results.variants.items()
        for each in differences
        if each.point.name in statistical
    ]
