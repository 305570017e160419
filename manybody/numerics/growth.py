"""States that grow out of double precision: said as what it is, by every stepper."""

import numpy as np

from manybody.arrays import Complex, Real
from manybody.errors import NumericalError
from manybody.numerics.protocols import Ownership

# Squares of elements, which norms and certificates take, overflow at 1e154; a segment may add
# a factor of e^11 and its series as much again.
LARGEST_NORM = 1e140
# States that a stepper is made for have norms about 1.
GROWN_NORM = 1e3


class Overflow(NumericalError):
    """A growing mode has left the range of double precision."""


def block_norms(state: Complex, columns: Ownership) -> Real:
    """(samples,) ‖x‖_F of (samples, N, m) blocks, over all ranks; inf where it overflows."""
    flat = np.ascontiguousarray(state).reshape(len(state), -1).view(np.float64)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        squares = np.einsum("ki,ki->k", flat, flat)
        return np.sqrt(np.asarray(columns.total(squares)))


def check_norms(before: Real, after: Real, start: float, stop: float) -> None:
    """Raise Overflow when a norm of (samples,) has left the range; nan and inf count."""
    if not np.all(after <= LARGEST_NORM):
        raise Overflow(overflow_sentence(float(np.max(before)), start, stop))


def overflow_sentence(norm: float, start: float, stop: float) -> str:
    """What to say of a state of this norm at `start` that does not reach `stop`."""
    return (
        f"overflow: a growing mode takes the state out of double precision between t = {start:g}, "
        f"where its norm is {norm:.1e}, and t = {stop:g} (norms above {LARGEST_NORM:.0e} "
        "are not computed)"
    )
