"""What a study computes again otherwise, to know its numerical errors."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from manybody.numerics.steppers import OPERATORS, STEPPERS
from manybody.physics import arguments
from manybody.physics.keys import InWords, Key
from manybody.study.structure import Count, Many, Samples

Tolerance = Annotated[
    float, lambda _, value: arguments.tolerance(value), "a number from 1e-13 to 0.01"
]
StepperName = Annotated[str, f"one of {', '.join(STEPPERS)}"]
OperatorName = Annotated[str, f"one of {', '.join(OPERATORS)}"]
Share = Annotated[float, "a number >= 0 and < 1"]


@dataclass(frozen=True)
class Convergence:
    """Which samples a study computes again, and how, to know its numerical errors.

    samples: the first so many of every size; max_sites: of systems no larger, None for all;
    tolerance, stepper, drop_tolerance: other values to compute them with, one at a time;
    operator: other operators; time_refinement: times as many output times, the study's among
    them.
    """

    samples: Annotated[Samples, Key("samples of every size to compute again, from the first", "")]
    max_sites: Annotated[
        Count | None,
        Key("systems with more sites than this are left out", "", InWords("no limit")),
    ] = None
    tolerance: Annotated[Many[Tolerance], Key("other tolerances, as of the study", "")] = ()
    stepper: Annotated[Many[StepperName], Key("other steppers, as of the study", "")] = ()
    operator: Annotated[Many[OperatorName], Key("other operators, as of the study", "")] = ()
    drop_tolerance: Annotated[
        Many[Share], Key("drop tolerances of assembled operators, as of the study", "")
    ] = ()
    time_refinement: Annotated[
        Many[Annotated[int, partial(arguments.integer, minimum=2), "an integer >= 2"]],
        Key("so many times as many output times, the study's among them", ""),
    ] = ()


def refined(times: tuple[float, ...], factor: int) -> tuple[float, ...]:
    """`factor` times as many output times, those given among them with the same bits."""
    found = []
    for start, stop in zip((0.0, *times), times):
        step = (stop - start) / factor
        found += [start + index * step for index in range(1, factor)] if step > 0.0 else []
        found.append(stop)
    return tuple(found)
