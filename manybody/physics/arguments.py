"""Checks of scalar arguments: one clear sentence naming the value and what is allowed."""

import math
import numbers
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.errors import InputError, InputTypeError

LARGEST = 1e100
_SMALLEST_TIME = 1e-100


def integer(name: str, value: object, minimum: int) -> int:
    """Return `value` as int; TypeError unless integral, ValueError below `minimum`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise InputTypeError(f"{name} = {value!r}: an integer >= {minimum} is needed")
    if int(value) < minimum:
        raise InputError(f"{name} = {value!r}: must be an integer >= {minimum}")
    return int(value)


def real(
    name: str, value: object, *, above: float = -math.inf, minimum: float = -math.inf
) -> float:
    """Return `value` as a float, > `above`, >= `minimum` and at most 1e100 in size.

    The last keeps squares and products within double precision.  Raises TypeError
    or ValueError.
    """
    allowed = "a finite real number"
    if above > -math.inf:
        allowed += f" > {above:g}"
    if minimum > -math.inf:
        allowed += f" >= {minimum:g}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InputTypeError(f"{name} = {value!r}: {allowed} is needed")
    try:
        number = float(value)
    except OverflowError:  # a long integer
        number = math.inf
    if not abs(number) <= LARGEST:
        raise InputError(f"{name} = {value!r}: must be {allowed}, at most {LARGEST:g} in size")
    if number <= above or number < minimum:
        raise InputError(f"{name} = {value!r}: must be {allowed}")
    return number


def inverse_temperature(name: str, value: object) -> float:
    """Return `value` as β >= 0 in 1/J, inf for the temperature zero.  TypeError or ValueError."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and value == math.inf:
        return math.inf
    try:
        return real(name, value, minimum=0.0)
    except InputError as error:
        raise type(error)(f"{error}; or inf for the temperature zero") from None


def choice(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of `allowed`; ValueError otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise InputError(f"{name} = {value!r}: must be one of {', '.join(map(repr, allowed))}")
    return value


def ascending_times(name: str, values: object) -> NDArray[np.float64]:
    """Return `values` as a (T,) array of finite, ascending times >= 0, T >= 1."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise InputTypeError(f"{name} = {values!r}: a sequence of times >= 0 is needed")
    result = np.array([real(f"{name} entry", value, minimum=0.0) for value in values])
    if result.size == 0:
        raise InputError(f"{name} is empty: at least one time is needed")
    tiny = result[(result > 0.0) & (result < _SMALLEST_TIME)]
    if tiny.size:
        raise InputError(f"{name} contains {tiny[0]:g}: must be 0 or at least {_SMALLEST_TIME:g}")
    late = np.flatnonzero(np.diff(result) <= 0.0)
    if late.size:
        first, second = result[late[0]], result[late[0] + 1]
        raise InputError(f"{name} must ascend, but {second:g} follows {first:g}")
    return result


def tolerance(value: object) -> float:
    """Return `value` as a tolerance in [1e-13, 0.01]: what double precision can keep."""
    result = real("tolerance", value)
    if not 1e-13 <= result <= 1e-2:
        raise InputError(f"tolerance = {value!r}: must lie in [1e-13, 0.01]")
    return result


def drop_tolerance(value: object) -> float:
    """Return `value` as a share in [0, 1) of the largest rate; 0 drops nothing."""
    result = real("drop_tolerance", value)
    if not 0.0 <= result < 1.0:
        raise InputError(f"drop_tolerance = {value!r}: must be >= 0 and < 1")
    return result


def boolean(name: str, value: object) -> bool:
    """Return `value` as bool; TypeError unless it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputTypeError(f"{name} = {value!r}: True or False is needed")
    return bool(value)


def array(name: str, value: Any) -> Any:
    """Return `value` as an array of whatever numbers, or as it is where it is SciPy sparse.

    Raises InputTypeError for masked arrays and sequences of unequal length.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise InputTypeError(f"{name} is a masked array: fill it first")
    if sp.issparse(value):
        return value
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"{name} is no array of numbers: {error}") from error


def check_of_states(name: str, matrix: Any, dimension: int) -> None:
    """InputError unless an array, or a sparse one, is (D,) or (D, D) and all of it is finite."""
    if matrix.shape not in ((dimension,), (dimension, dimension)):
        raise InputError(
            f"{name} has shape {matrix.shape}: must be ({dimension},) or "
            f"({dimension}, {dimension})"
        )
    if not np.all(np.isfinite(matrix.data if sp.issparse(matrix) else matrix)):
        raise InputError(f"{name}: all entries must be finite")


def path(name: str, value: object) -> Path:
    """Return `value` as a path; TypeError unless it is a text or a path."""
    if not isinstance(value, (str, PathLike)) or not value:
        raise InputTypeError(f"{name} = {value!r}: the path of a folder is needed")
    return Path(value)


def instance(name: str, value: object, kind: type) -> None:
    """TypeError unless `value` is of the class `kind`."""
    if not isinstance(value, kind):
        raise InputTypeError(f"{name} = {value!r}: {kind.__name__} is needed")


def seed(value: object) -> np.random.Generator:
    """The generator of an int >= 0, a sequence of them, or a Generator itself.

    Raises TypeError or ValueError; None is refused, since nobody could repeat the draw.
    """
    if isinstance(value, np.random.Generator):
        return value
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        words = [integer("seed entry", word, 0) for word in value]
        if not words:
            raise InputError("seed is an empty sequence: at least one integer is needed")
        return np.random.default_rng(words)
    return np.random.default_rng(integer("seed", value, 0))
