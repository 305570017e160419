"""The start that the arguments of a call name, checked against its models."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from manybody.errors import InputError, InputTypeError, said_of, shown
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.models.matrices import matrix_from
from manybody.physics.models.protocol import Model
from manybody.physics.patterns import PATTERNS, pattern_state
from manybody.physics.starts import (
    DensityStart,
    LevelStart,
    MixedStart,
    SiteStart,
    Start,
    ThermalStart,
    VectorStart,
)

# Norm, trace and Hermiticity of a state that a user typed or computed.
_TOLERANCE = 1e-10
_LEVEL, _WAVE, _MIXED, _UNIFORM = "eigenstate-", "plane-wave-", "mixed", "uniform"
_OF_STATES = (
    "'mixed', 'eigenstate-K', a (D,) vector or a (D, D) density matrix (in a study { file = "
    "'...' }), and with ManyBodyModel(..., basis=FockBasis(...)) patterns"
)
_ALLOWED = (
    f"{', '.join(map(repr, PATTERNS))}, a pattern such as '0110', '{_LEVEL}K', '{_MIXED}', a (D,) "
    "vector or a (D, D) density matrix"
)
_OF_ONE = f"'{_LEVEL}K', '{_MIXED}', '{_MIXED}-A-B', '{_UNIFORM}' and '{_WAVE}K'"


def build_start(
    models: Sequence[Model],
    initial_site: int,
    initial_beta: float | None,
    initial_state: Any = None,
) -> Start:
    """Where samples of one kind start, see `compare`.  Raises TypeError or ValueError."""
    arguments.integer("initial_site", initial_site, 0)
    if isinstance(initial_state, Start):
        return initial_state
    if initial_site != 0 and initial_beta is not None:
        raise InputError(
            f"initial_site = {initial_site} and initial_beta are given: one start is needed"
        )
    starts = [
        start_of(
            getattr(model, "basis", None),
            model.dimension,
            isinstance(model, ManyBodyModel),
            (initial_site, initial_beta, initial_state),
        )
        for model in models
    ]
    for start in starts[1:]:
        if repr(start) != repr(starts[0]):
            raise InputError("initial_state means other states for models of other bases")
    return starts[0] if starts else SiteStart(initial_site)


def start_of(
    basis: FockBasis | None, dimension: int, is_many: bool, given: tuple[int, float | None, Any]
) -> Start:
    """The start of a system of `dimension` states with these occupations, if it has any.

    is_many: whether it is of many particles, which start spread evenly; given:
    initial_site, initial_beta and initial_state.  Raises TypeError or ValueError.
    """
    site, beta, state = given
    if beta is not None:
        beta = arguments.inverse_temperature("initial_beta", beta)
        if state is not None:
            raise InputError("initial_beta and initial_state are given: one start is needed")
        return ThermalStart(beta)
    if site != 0 and (state is not None or is_many):
        raise InputError(
            f"initial_site = {site}: one particle without an initial_state starts on a site"
        )
    if state is None:
        return _default(basis, dimension, is_many, site)
    if isinstance(state, str):
        own = _named_of_any(dimension, state)
        if own is None and not is_many:
            own = _named_of_one(dimension, state)
        return own or _named(basis, state)
    array = _array(state)
    if basis is not None and array.shape == (basis.n_modes,) and array.dtype.kind in "iu":
        return _occupied(basis, [int(n) for n in array], state)
    if array.dtype.kind not in "iufc":
        raise InputTypeError(f"initial_state of dtype {array.dtype}: allowed are {_ALLOWED}")
    return _of_array(array, dimension)


def _array(state: Any) -> Any:
    """What was given as an array; kets of other packages are (D, 1)."""
    array = arguments.array("initial_state", matrix_from(state, "initial_state"))
    if sp.issparse(array):
        array = array.toarray()
    return array.ravel() if array.ndim == 2 and array.shape[1] == 1 else array


def _default(basis: FockBasis | None, dimension: int, is_many: bool, site: int) -> Start:
    if not is_many:
        if site >= dimension:
            raise InputError(f"initial_site = {site}: allowed are 0 to {dimension - 1}")
        return SiteStart(site)
    if basis is None:
        raise InputError(
            f"initial_state is missing: a model of many states without occupations needs one of "
            f"{_OF_STATES}"
        )
    return VectorStart(pattern_state(basis, "spread"))


def _named_of_any(dimension: int, name: str) -> Start | None:
    """Of any number of particles, None for other names."""
    if name.startswith(_LEVEL):
        return LevelStart(_index(name, name.removeprefix(_LEVEL), "K", dimension))
    return MixedStart() if name == _MIXED else None


def _named_of_one(n_sites: int, name: str) -> Start:
    """Of one particle."""
    if name == _UNIFORM:
        return VectorStart(np.full(n_sites, 1.0 / np.sqrt(n_sites)))
    if name.startswith(_WAVE):
        wave = _index(name, name.removeprefix(_WAVE), "K", n_sites)
        # Modulo N first: phases of large products would lose digits.
        turns = (wave * np.arange(n_sites)) % n_sites / n_sites
        return VectorStart(np.exp(2j * np.pi * turns) / np.sqrt(n_sites))
    if name.startswith(f"{_MIXED}-"):
        sites = [_index(name, text, "every site", n_sites) for text in name.split("-")[1:]]
        if len(set(sites)) != len(sites):
            raise InputError(f"initial_state = {shown(name)}: each site may appear once")
        return MixedStart(tuple(sorted(sites)))
    raise InputError(
        f"initial_state = {shown(name)}: the model has no occupations, of one particle allowed "
        f"are {_OF_ONE}, a vector or a density matrix"
    )


def _named(basis: FockBasis | None, name: str) -> Start:
    if basis is None:
        raise InputError(
            f"initial_state = {shown(name)}: the model has no occupations, allowed are "
            f"{_OF_STATES}"
        )
    pattern: Any = name
    if name and set(name) <= {"0", "1"}:
        pattern = [int(letter) for letter in name]
    elif name not in PATTERNS:
        raise InputError(f"initial_state = {shown(name)}: allowed are {_ALLOWED}")
    return _occupied(basis, pattern, name)


def _index(name: str, text: str, what: str, count: int) -> int:
    # More digits than the count has are too many, and Python refuses thousands of them.
    number = text.lstrip("0") or "0"
    short = text.isdecimal() and len(number) <= len(str(count))
    if not short or int(number) >= count:
        raise InputError(
            f"initial_state = {shown(name)}: {what} of it is an integer from 0 to {count - 1}"
        )
    return int(number)


def _occupied(basis: FockBasis, pattern: Any, given: Any) -> Start:
    with said_of(f"initial_state = {shown(given)}"):
        return VectorStart(pattern_state(basis, pattern))


def _of_array(array: Any, dimension: int) -> Start:
    arguments.check_of_states("initial_state", array, dimension)
    if array.ndim == 1:
        norm = float(np.linalg.norm(array))
        if abs(norm - 1.0) > _TOLERANCE:
            raise InputError(f"initial_state has the norm {norm:.12g}: must be 1")
        return VectorStart(np.array(array / norm))
    matrix = array.astype(np.complex128)
    trace = complex(np.trace(matrix))
    if abs(trace - 1.0) > _TOLERANCE:
        raise InputError(f"initial_state has the trace {trace:.12g}: must be 1")
    deviation = float(np.abs(matrix - matrix.conj().T).max())
    if deviation > _TOLERANCE:
        raise InputError(f"initial_state is not Hermitian: max |ρ - ρ†| = {deviation:.3g}")
    matrix = 0.5 * (matrix + matrix.conj().T)
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest < -_TOLERANCE:
        raise InputError(f"initial_state has the eigenvalue {smallest:.3g}: must be >= 0")
    return DensityStart(matrix)
