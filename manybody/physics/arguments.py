"""Checks of scalar arguments: one clear sentence naming the value and what is allowed."""

import math
import numbers
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.errors import InputError, InputTypeError, shown

LARGEST = 1e100
# What fills lines is no count or index.
_MOST = 10**40
# Which Python and NumPy count among the integers.
_NO_NUMBERS = (bool, np.timedelta64)
_SMALLEST_TIME = 1e-100


def scalar(value: Any) -> Any:
    """The number that an array without axes holds, of NumPy or xarray; else what was given."""
    if isinstance(value, np.ma.MaskedArray) or getattr(value, "shape", None) != ():
        return value
    # Durations and dates would turn into integers.
    is_number = getattr(getattr(value, "dtype", None), "kind", "") in "biuf"
    return value.item() if is_number else value


def entries(name: str, values: Any, what: str) -> list[Any]:
    """`values` as a list; `what` says which sequence is needed.  InputTypeError for none."""
    # Tables of pandas would go through their labels.
    rows = values.to_numpy() if hasattr(values, "columns") else values
    is_text = isinstance(rows, (str, bytes, Mapping))
    if is_text or sp.issparse(rows) or not isinstance(rows, Iterable):
        raise InputTypeError(f"{name} = {shown(values)}: {what} is needed")
    try:
        return list(rows)
    except TypeError as error:  # an array without axes calls itself iterable
        raise InputTypeError(f"{name} = {shown(values)}: {what} is needed") from error


def integer(name: str, value: object, minimum: int, most: float = _MOST) -> int:
    """Return `value` as int; TypeError unless integral, ValueError outside [minimum, most].

    most: what counts and indices can be, unless something else is said.
    """
    value = scalar(value)
    if isinstance(value, _NO_NUMBERS) or not isinstance(value, numbers.Integral):
        raise InputTypeError(f"{name} = {shown(value)}: an integer >= {minimum} is needed")
    if int(value) < minimum:
        raise InputError(f"{name} = {shown(value)}: must be an integer >= {minimum}")
    if int(value) > most:
        raise InputError(f"{name} = {shown(value)}: must be an integer <= {most:g}")
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
    value = scalar(value)
    if isinstance(value, _NO_NUMBERS) or not isinstance(value, numbers.Real):
        raise InputTypeError(f"{name} = {shown(value)}: {allowed} is needed")
    try:
        number = float(value)
    except OverflowError:  # a long integer
        number = math.inf
    if not abs(number) <= LARGEST:
        raise InputError(
            f"{name} = {shown(value)}: must be {allowed}, at most {LARGEST:g} in size"
        )
    if number <= above or number < minimum:
        raise InputError(f"{name} = {shown(value)}: must be {allowed}")
    return number


def inverse_temperature(name: str, value: object) -> float:
    """Return `value` as β >= 0 in 1/J, inf for the temperature zero.  TypeError or ValueError."""
    value = scalar(value)
    if isinstance(value, numbers.Real) and value == math.inf:
        return math.inf
    try:
        return real(name, value, minimum=0.0)
    except InputError as error:
        raise type(error)(f"{error}; or inf for the temperature zero") from None


def real_or_infinite(
    name: str, value: object, *, above: float = -math.inf, infinite: float = math.inf
) -> float:
    """Return `value` as `real` does, or as the infinity that is allowed."""
    given = scalar(value)
    is_infinite = isinstance(given, numbers.Real) and given == infinite
    return infinite if is_infinite else real(name, given, above=above)


def reals(name: str, value: Any, shape: str) -> NDArray[np.float64]:
    """Return `value` as a new array of finite reals; `shape` says which, as "(M,)".

    Its number of axes is that of the letters.  Raises TypeError or ValueError.
    """
    given = array(name, value)
    given = given.toarray() if sp.issparse(given) else given
    if given.dtype.kind not in "iuf":
        raise InputTypeError(f"{name} has dtype {given.dtype}: real numbers are needed")
    if given.ndim != len(shape.strip("(,)").split(",")) or given.size == 0:
        raise InputError(f"{name} has shape {given.shape}: must be {shape} with {shape[1]} >= 1")
    result = np.array(given, dtype=np.float64)
    if not np.isfinite(result).all():
        bad = result[~np.isfinite(result)][0]
        raise InputError(f"{name} contains {bad:g}: all entries must be finite")
    return result


def choice(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of `allowed`; ValueError otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise InputError(
            f"{name} = {shown(value)}: must be one of {', '.join(map(repr, allowed))}"
        )
    return value


def _are_plain_times(values: object) -> bool:
    """Whether there is nothing to be said of the entries one by one."""
    if type(values) is not np.ndarray or values.dtype != np.float64 or values.ndim != 1:
        return False
    return bool(np.all((values >= 0.0) & (values <= LARGEST)))


def ascending_times(name: str, values: object) -> NDArray[np.float64]:
    """Return `values` as a (T,) array of finite, ascending times >= 0, T >= 1."""
    if not _are_plain_times(values):
        given = entries(name, values, "a sequence of times >= 0")
        values = [real(f"{name} entry", value, minimum=0.0) for value in given]
    result = np.array(values)
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


def tolerance(value: object, name: str = "tolerance") -> float:
    """Return `value` as a tolerance in [1e-13, 0.01]: what double precision can keep."""
    result = real(name, value)
    if not 1e-13 <= result <= 1e-2:
        raise InputError(f"{name} = {shown(value)}: must lie in [1e-13, 0.01]")
    return result


def drop_tolerance(value: object) -> float:
    """Return `value` as a share in [0, 1) of the largest rate; 0 drops nothing."""
    result = real("drop_tolerance", value)
    if not 0.0 <= result < 1.0:
        raise InputError(f"drop_tolerance = {shown(value)}: must be >= 0 and < 1")
    return result


def boolean(name: str, value: object) -> bool:
    """Return `value` as bool; TypeError unless it is True or False."""
    value = scalar(value)
    if not isinstance(value, (bool, np.bool_)):
        raise InputTypeError(f"{name} = {shown(value)}: True or False is needed")
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
        raise InputTypeError(f"{name} = {shown(value)}: the path of a folder is needed")
    return Path(value)


def instance(name: str, value: object, kind: type) -> None:
    """TypeError unless `value` is of the class `kind`."""
    if not isinstance(value, kind):
        raise InputTypeError(f"{name} = {shown(value)}: {kind.__name__} is needed")


def seed(value: object, name: str = "seed") -> np.random.Generator:
    """The generator of an int >= 0, a sequence of them, or a Generator itself.

    Raises TypeError or ValueError; None is refused, since nobody could repeat the draw.
    """
    if isinstance(value, np.random.Generator):
        return value
    value = scalar(value)
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        given = entries(name, value, "an integer >= 0, a sequence of them or a Generator")
        words = [integer(f"{name} entry", word, 0, most=math.inf) for word in given]
        if not words:
            raise InputError(f"{name} is an empty sequence: at least one integer is needed")
        return np.random.default_rng(words)
    return np.random.default_rng(integer(name, value, 0, most=math.inf))
