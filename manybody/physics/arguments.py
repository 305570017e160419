"""Checks of scalar arguments: one clear sentence naming the value and what is allowed."""

import math
import numbers
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def integer(name: str, value: object, minimum: int) -> int:
    """Return `value` as int; TypeError unless integral, ValueError below `minimum`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} = {value!r}: an integer >= {minimum} is needed")
    if int(value) < minimum:
        raise ValueError(f"{name} = {value!r}: must be an integer >= {minimum}")
    return int(value)


def real(
    name: str,
    value: object,
    *,
    above: float = -math.inf,
    minimum: float = -math.inf,
) -> float:
    """Return `value` as a finite float, > `above` and >= `minimum`; TypeError or ValueError."""
    allowed = "a finite real number"
    if above > -math.inf:
        allowed += f" > {above:g}"
    if minimum > -math.inf:
        allowed += f" >= {minimum:g}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} = {value!r}: {allowed} is needed")
    number = float(value)
    if not math.isfinite(number) or number <= above or number < minimum:
        raise ValueError(f"{name} = {value!r}: must be {allowed}")
    return number


def choice(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of `allowed`; ValueError otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} = {value!r}: must be one of {', '.join(map(repr, allowed))}")
    return value


def ascending_times(name: str, values: object) -> NDArray[np.float64]:
    """Return `values` as a (T,) array of finite, ascending times >= 0, T >= 1."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} = {values!r}: a sequence of times >= 0 is needed")
    result = np.array([real(f"{name} entry", value, minimum=0.0) for value in values])
    if result.size == 0:
        raise ValueError(f"{name} is empty: at least one time is needed")
    late = np.flatnonzero(np.diff(result) <= 0.0)
    if late.size:
        first, second = result[late[0]], result[late[0] + 1]
        raise ValueError(f"{name} must ascend, but {second:g} follows {first:g}")
    return result


def tolerance(value: object) -> float:
    """Return `value` as a tolerance in [1e-13, 0.01]: what double precision can keep."""
    result = real("tolerance", value)
    if not 1e-13 <= result <= 1e-2:
        raise ValueError(f"tolerance = {value!r}: must lie in [1e-13, 0.01]")
    return result
