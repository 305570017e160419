"""Universal Lindblad, partial secular and local on the ranks that share a sample."""

import numpy as np
import pytest
from further_cases import cases

import manybody as mb
from manybody.physics.equations.registry import EQUATIONS
from manybody.solve import spread
from manybody.solve.comparison import check_setting

CASES = cases()
TIMES = [0.0, 0.8, 4.0]


def names_for(model, *more):
    names = ("universal-lindblad", "partial-secular", "partial-secular-0.4", "local", *more)
    return tuple(name for name in names if not EQUATIONS[name].applies(model))


def start_of(model):
    draw = np.random.default_rng(3).normal(size=(2, model.dimension))
    vector = draw[0] + 1j * draw[1]
    return vector / np.linalg.norm(vector)


def setting_of(model, given, names, lamb_shift, operator="matrix-free"):
    plain = "chebyshev", 1e-10, "", operator, 0.0, None
    start = start_of(model)
    return check_setting([model], given, TIMES, 0, lamb_shift, *plain, names, start)


def alone_of(model, given, names, lamb_shift):
    return mb.compare(
        model, given, TIMES, lamb_shift=lamb_shift, equations=names, initial_state=start_of(model)
    )


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("kind", list(CASES))
def test_all_ranks_agree_with_one_process(comm, kind, lamb_shift):
    """Also where couplings were centred, and ranks without the model ask for those it has."""
    model, given = CASES[kind]
    names = names_for(model, "davies")
    shared = spread.compare_large(model, setting_of(model, given, names, lamb_shift), comm)
    alone = alone_of(model, given, names, lamb_shift)
    assert shared.distance.keys() == alone.distance.keys()
    for pair, distance in alone.distance.items():
        np.testing.assert_allclose(shared.distance[pair], distance, atol=1e-10, err_msg=str(pair))
    told = [value.tobytes() for value in shared.distance.values()]
    assert len(set(comm.allgather(tuple(told)))) == 1


@pytest.mark.parametrize("kind", ["complex", "degenerate", "diagonals"])
def test_assembled_ones_agree_too(comm, kind):
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    model, given = CASES[kind]
    names = ("universal-lindblad", "local")
    shared = spread.compare_large(model, setting_of(model, given, names, True, "assembled"), comm)
    alone = alone_of(model, given, names, True)
    np.testing.assert_allclose(shared.trace_distance, alone.trace_distance, atol=1e-10)
    with pytest.raises(ValueError, match="equation 'partial-secular-0.4' has no rows"):
        setting_of(model, given, ("local", "partial-secular-0.4"), True, "assembled")
