"""What the sizes of every system of a study say on boundedness."""

from dataclasses import dataclass

from manybody.config import System
from manybody.report.boundedness import Verdict, Word, judge
from manybody.report.results import PointResult, StudyResult
from manybody.report.scaling import SizeEstimate

# Fewer samples have no error worth a fit, fewer sizes no law.
_FEWEST_SAMPLES, _FEWEST_SIZES = 4, 3


@dataclass(frozen=True)
class SystemVerdict:
    """One system: its estimates by size, what they say, and sizes that were left out.

    verdict: None where there are fewer than 3 sizes; left_out: (size, why).
    """

    system: System
    estimates: tuple[SizeEstimate, ...]
    verdict: Verdict | None
    left_out: tuple[tuple[int, str], ...]

    @property
    def sentence(self) -> str:
        """To be put after the name of the system."""
        if self.verdict is None:
            return f"{len(self.estimates)} sizes are too few for a verdict"
        if self.verdict.word is Word.UNDECIDED:
            return f"whether the maximum stays bounded {self.verdict.sentence}"
        return f"the maximum {self.verdict.sentence}"


def judge_systems(results: StudyResult) -> list[SystemVerdict]:
    """A verdict on every system of a study that evolves."""
    found = []
    for system, points in results.systems:
        estimates, left_out = [], []
        for point in points:
            why = _why_not(system, point)
            if why:
                left_out.append((point.point.size, why))
                continue
            estimate = SizeEstimate.of(
                point.point.n_sites, point.arrays["trace_distance"], results.study.seed
            )
            estimates.append(estimate)
        verdict = judge(estimates) if len(estimates) >= _FEWEST_SIZES else None
        found.append(SystemVerdict(system, tuple(estimates), verdict, tuple(left_out)))
    return found


def _why_not(system: System, point: PointResult) -> str:
    """Why a size has no part in a fit, empty where it has."""
    if point.n_samples < _FEWEST_SAMPLES:
        return f"{point.n_samples} samples"
    curves = point.arrays["trace_distance"]
    if not curves.std(axis=0).any():
        return "all samples agree to the last bit"
    periodic = dict(system.parameters).get("boundary") == "periodic"
    if system.model == "anderson3d" and periodic and point.point.size == 2:
        return "three bonds a site instead of six"
    return ""
