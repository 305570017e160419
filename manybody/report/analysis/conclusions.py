"""Averages -> what is concluded of them, once for figures, tables and text."""

from collections.abc import Mapping
from dataclasses import dataclass

from manybody.report.analysis.numerical import NumericalError, numerical_errors
from manybody.report.analysis.precision import Precision, precision
from manybody.report.analysis.verdicts import SystemVerdict, judge_local, judge_systems
from manybody.report.read import StudyResult
from manybody.study.configuration import Point, System

# Samples whose error is also shown for half as many.
_FEWEST_TO_HALVE = 16


@dataclass(frozen=True, eq=False)
class Analysis:
    """Averages of a study and their consequences; empty where nothing evolves.

    verdicts: on boundedness, a system each; precisions: error against number of samples of
    points with 16 samples and more; errors: numerical ones, a variant and size each; local:
    verdicts on local figures, some each of the systems that have them.
    """

    results: StudyResult
    verdicts: tuple[SystemVerdict, ...]
    precisions: Mapping[Point, Precision]
    errors: tuple[NumericalError, ...]
    local: tuple[SystemVerdict, ...] = ()

    def of_system(self, system: System) -> list[SystemVerdict]:
        """All verdicts on one system, that on the trace distance first."""
        return [each for each in (*self.verdicts, *self.local) if each.system.key == system.key]


def analyse(results: StudyResult) -> Analysis:
    """All consequences of the averages."""
    if not results.study.evolves:
        return Analysis(results, (), {}, ())
    precisions = {
        point.point: precision(point.arrays["trace_distance"], results.study.seed)
        for point in results.points
        if point.n_samples >= _FEWEST_TO_HALVE
    }
    return Analysis(
        results,
        tuple(judge_systems(results)),
        precisions,
        tuple(numerical_errors(results)),
        tuple(judge_local(results)),
    )
