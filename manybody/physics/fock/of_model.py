"""Any small system as a model of states, each of its couplings with a bath of its own."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.several import check_baths, each_bath
from manybody.physics.fock.basis import FockBasis
from manybody.physics.fock.couplings import Coupling, hermitian_coupling
from manybody.physics.fock.half_form import MAX_STATES, FockModel
from manybody.physics.models.given import model_from
from manybody.physics.models.protocol import Model


def states_of_model(
    model: Model, bath: Any, lamb_shift: bool = False
) -> tuple[FockModel, list[Coupling]]:
    """H and couplings of a model as what the functions of few states take.

    model: of 2 to 64 states; bath: one for all couplings A_j, or one for each, see
    `check_baths`.
    Raises TypeError or ValueError.
    """
    model = model_from(model)
    arguments.boolean("lamb_shift", lamb_shift)
    n_states = model.dimension
    if not 2 <= n_states <= MAX_STATES:
        raise InputError(f"model has {n_states} states: 2 to {MAX_STATES} are allowed here")
    own = check_baths(bath, model.couplings, lamb_shift)
    baths = each_bath(own, model.couplings.n_baths)
    # The occupations of one boson only count the states.
    basis = FockBasis(1, "boson", max_occupation=n_states - 1)
    hamiltonian = sp.csr_array(model.dense_hamiltonian())
    states = FockModel(
        basis, np.zeros((1, 1)), hamiltonian, uncertainties=(0.0, float(model.uncertainty))
    )
    pairs = zip(model.couplings.matrices(), baths)
    return states, [hermitian_coupling(matrix, each) for matrix, each in pairs]
