"""What the sizes of every system of a study say on boundedness."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manybody.report.analysis.boundedness import FEWEST_SIZES, Verdict, Word, judge
from manybody.report.analysis.local import JUDGED, LocalFigure, local_curves
from manybody.report.analysis.scaling import Law, SizeEstimate
from manybody.report.analysis.statistics import Reach, Summary
from manybody.report.read import PointResult, StudyResult
from manybody.study.configuration import System

# Fewer samples have no error worth a fit; fewer sizes have no law, and `FEWEST_SIZES` test one.
_FEWEST_SAMPLES, _FEWEST_TO_FIT = 4, 3


@dataclass(frozen=True)
class SystemVerdict:
    """One system: its estimates by size, what they say, and sizes that were left out.

    verdict: None where there are fewer than 3 sizes; left_out: (size, why); figure: the local
    figure that is judged, None for the trace distance.
    """

    system: System
    estimates: tuple[SizeEstimate, ...]
    verdict: Verdict | None
    left_out: tuple[tuple[int, str], ...]
    figure: LocalFigure | None = None

    @property
    def quantity(self) -> str:
        """What is judged, in a word or two."""
        return "global" if self.figure is None else self.figure.words

    @property
    def outcome(self) -> str:
        """The verdict in a word: grows, bounded, undecided, or too few sizes."""
        if self.verdict is None:
            return "too few sizes"
        words = {True: "bounded", False: "grows", None: "undecided"}
        return words[self.verdict.bounded]

    @property
    def sentence(self) -> str:
        """To be put after the name of the system."""
        if self.verdict is None:
            return self.few_words
        if self.verdict.word in (Word.UNDECIDED, Word.TIMES):
            return f"whether the maximum stays bounded {self.verdict.sentence}"
        return f"the maximum {self.verdict.sentence}{self._plateaus}"

    @property
    def few_words(self) -> str:
        """How many sizes there are where a verdict takes more, and why others have no part."""
        count, symbol = len(self.estimates), self.system.family.size_symbol
        there = {0: "no size is left", 1: "1 size is too few"}
        by_reason: dict[str, list[str]] = {}
        for size, why in self.left_out:
            by_reason.setdefault(why, []).append(str(size))
        reasons = [f"{symbol} = {', '.join(own)}: {why}" for why, own in by_reason.items()]
        left = f" (left out {'; '.join(reasons)})" if reasons else ""
        few = there.get(count, f"{count} sizes are too few")
        return f"{few} for a verdict, which takes {FEWEST_SIZES}{left}"

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
    """A verdict on the trace distance of every system of a study that evolves."""
    seed = results.study.seed
    return [_judge(seed, system, points, None) for system, points in results.systems]


def judge_local(results: StudyResult) -> list[SystemVerdict]:
    """Verdicts on the local figures of every system that has them, system by system.

    The same rule on the same quantity, the maximum over time of the mean over samples.  Every
    verdict has the error rates of its own; nothing is corrected for their number.
    """
    seed = results.study.seed
    return [
        _judge(seed, system, points, figure)
        for system, points in results.systems
        if any(point.local for point in points)
        for figure in JUDGED
    ]


def _judge(
    seed: int, system: System, points: Sequence[PointResult], figure: LocalFigure | None
) -> SystemVerdict:
    estimates, left_out = [], []
    for point in points:
        found = _estimate(seed, system, point, figure)
        if isinstance(found, str):
            left_out.append((point.point.size, found))
        else:
            estimates.append(found)
    verdict = judge(estimates) if len(estimates) >= _FEWEST_TO_FIT else None
    return SystemVerdict(system, tuple(estimates), verdict, tuple(left_out), figure)


def _estimate(
    seed: int, system: System, point: PointResult, figure: LocalFigure | None
) -> SizeEstimate | str:
    """Estimate of one size, or why it has no part in a fit."""
    why = _why_not(system, point)
    if why:
        return why
    if figure is not None and figure.name not in point.local:
        return "not measured or not defined there"
    summary = point.summary if figure is None else point.local[figure.name]
    curves = point.arrays["trace_distance"]
    curves = curves if figure is None else local_curves(point.arrays, figure)
    try:
        return SizeEstimate.of(point.point.n_sites, curves, seed, _reach(summary))
    except ValueError as error:
        # Its values are finite and its samples enough: they agree.
        return str(error)


def _reach(summary: Summary | None) -> Reach:
    return Reach.INSIDE if summary is None else summary.reach


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
    return system.family.why_apart(point.point.size, dict(system.parameters))
