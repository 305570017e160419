"""The model that a user gave, a bare Hamiltonian included."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from manybody.errors import InputError, InputTypeError, said_of, shown
from manybody.physics import arguments
from manybody.physics.models.matrices import matrix_from
from manybody.physics.models.protocol import Model
from manybody.physics.models.single_particle import SingleParticleModel

# An array, SciPy sparse or a `Qobj`: libraries without a type in common.
Matrix = Any
_MEMBERS = ("hamiltonian", "couplings", "dimension", "dense_hamiltonian")


def model_from(value: Any, name: str = "model") -> Model:
    """`value` where it is a model; of a bare (N, N) matrix one particle with a bath on every site.

    value: a model, or the Hamiltonian of one particle as an array, nested lists, a SciPy sparse
        array or a QuTiP `Qobj` of one space.  A matrix of many particles does not say what the
        baths couple to: operators of several subsystems, and those of QuSpin and dynamite, are
        refused.
    name: what an error calls it.

    Raises InputError or InputTypeError: for what is neither, and what `SingleParticleModel` says.
    """
    if all(hasattr(value, member) for member in _MEMBERS):
        model: Model = value
        return model
    if not _is_matrix(value):
        raise InputTypeError(
            f"{name} = {shown(value)}: a SingleParticleModel, a ManyBodyModel or "
            "what `manybody` makes of them by name is needed, or the (N, N) Hamiltonian of one "
            "particle"
        )
    _check_one_space(value, name)
    with said_of(name):
        return SingleParticleModel(matrix_from(value, name))


def one_particle(value: Any, name: str = "model") -> SingleParticleModel:
    """`model_from` for what is defined for one particle alone."""
    model = model_from(value, name)
    arguments.instance(name, model, SingleParticleModel)
    assert isinstance(model, SingleParticleModel)
    return model


def _is_matrix(value: Any) -> bool:
    if isinstance(value, (np.ndarray, list, tuple)) or sp.issparse(value):
        return True
    if callable(getattr(value, "full", None)) and hasattr(value, "dims"):
        return True
    # Of pandas, xarray and others.
    return getattr(value, "ndim", None) == 2 and hasattr(value, "__array__")


def _check_one_space(value: Any, name: str) -> None:
    """QuTiP says in `dims` of which spaces an operator is."""
    dims = getattr(value, "dims", None)
    if not isinstance(dims, list):
        return
    if len(dims) != 2 or any(not isinstance(side, list) or len(side) > 1 for side in dims):
        raise InputError(
            f"{name} of dims {dims}: a bare operator is taken for one particle on N sites; of "
            "several subsystems give a ManyBodyModel(hamiltonian, couplings), which says what "
            "the baths couple to"
        )
