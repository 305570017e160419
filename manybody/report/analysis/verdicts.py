"""What the sizes of every system of a study say on boundedness."""

from dataclasses import dataclass

import numpy as np

from manybody.physics.models.families import FAMILIES
from manybody.report.analysis.boundedness import Verdict, Word, judge
from manybody.report.analysis.scaling import Law, SizeEstimate
from manybody.report.analysis.statistics import Reach
from manybody.report.read import PointResult, StudyResult
from manybody.study.configuration import System

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
            count = len(self.estimates)
            why = "; ".join(f"size {size} has no part, {why}" for size, why in self.left_out)
            few = f"{count} {'size is' if count == 1 else 'sizes are'} too few for a verdict"
            return f"{few} ({why})" if why else few
        if self.verdict.word in (Word.UNDECIDED, Word.TIMES):
            return f"whether the maximum stays bounded {self.verdict.sentence}"
        return f"the maximum {self.verdict.sentence}{self._plateaus}"

    @property
    def _plateaus(self) -> str:
        flat = [str(one.n_sites) for one in self.estimates if one.reach is Reach.PLATEAU]
        if not flat:
            return ""
        return (
            f" (at N = {', '.join(flat)} that of a plateau in time, flat within its error over "
            "the second half of the times and not left before they end)"
        )

    @property
    def not_fitted(self) -> tuple[tuple[Law, str], ...]:
        """Laws without a fit, and why; none where there is no verdict."""
        if self.verdict is None:
            return ()
        count = len(self.estimates)
        if self.verdict.word is Word.TIMES:
            return tuple((law, "maxima are lower bounds") for law in Law)
        return tuple(
            (law, f"too few sizes: {law.n_parameters} parameters, {count} sizes")
            for law in Law
            if law.n_parameters >= count
        )


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
            reach = point.summary.reach if point.summary is not None else Reach.INSIDE
            try:
                estimate = SizeEstimate.of(
                    point.point.n_sites, point.arrays["trace_distance"], results.study.seed, reach
                )
            except ValueError as error:
                # Its values are finite and its samples enough: they agree.
                left_out.append((point.point.size, str(error)))
                continue
            estimates.append(estimate)
        verdict = judge(estimates) if len(estimates) >= _FEWEST_SIZES else None
        found.append(SystemVerdict(system, tuple(estimates), verdict, tuple(left_out)))
    return found


def _why_not(system: System, point: PointResult) -> str:
    """Why a size has no part in a fit, empty where it has."""
    if point.n_samples < _FEWEST_SAMPLES:
        return "one sample" if point.n_samples == 1 else f"{point.n_samples} samples"
    impossible = int(np.count_nonzero(point.impossible))
    if impossible:
        return (
            f"in {impossible} of {point.n_samples} samples {point.unguarded} leaves the states "
            "(trace distance above 2)"
        )
    return FAMILIES[system.model].why_apart(point.point.size, dict(system.parameters))
