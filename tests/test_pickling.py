"""What a user holds travels: process pools, `comm.bcast`, dask and copies."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import is_dataclass

import numpy as np
import public_calls
import pytest
import scipy.sparse as sp

import manybody as mb
from manybody.arrays import ReadOnly

CALLS = public_calls.calls()
ON_DISK = {"open_store", "report_figures", "run_study"}


def made():
    """Name -> a public object, or what a public function returns."""
    found = {
        name: getattr(mb, name)(**given) for name, given in CALLS.items() if name not in ON_DISK
    }
    states = {"keep_states": True, "expectations": ("energy",)}
    found["compare, kept"] = mb.compare(**{**CALLS["compare"], **states})
    found["compare, many"] = mb.compare(mb.xxz_chain(4), public_calls.BATH, [0.0, 1.0])
    found["sparse"] = mb.SingleParticleModel(sp.csr_array(np.diag([1.0, 2.0])), [1])
    found["several baths"] = [public_calls.BATH, mb.WhiteBath(0.1)]
    found["equation"] = mb.EQUATIONS["quasi-local-2"]
    found["error"] = mb.InputError("hamiltonian = 3: no")
    return found


MADE = made()


def contents(value, depth=0):
    """All numbers and texts within, in an order that does not depend on identity."""
    if sp.issparse(value):
        return contents(value.toarray(), depth)
    if isinstance(value, np.ndarray):
        return [value.dtype.str, value.shape, value.tobytes()]
    if isinstance(value, (str, bytes, int, float, complex, type(None), np.generic)):
        return [repr(value)]
    if isinstance(value, (list, tuple)):
        return [part for one in value for part in contents(one, depth + 1)]
    if hasattr(value, "items"):
        return [part for one in value.items() for part in contents(one, depth + 1)]
    if callable(value) or depth > 8 or not hasattr(value, "__dict__"):
        return [type(value).__name__]
    return [part for one in vars(value).items() for part in contents(one, depth + 1)]


def writeable(value):
    """Which arrays of an object one may write to, by name."""
    parts = vars(value).items()
    return {name: part.flags.writeable for name, part in parts if isinstance(part, np.ndarray)}


WAYS = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "oldest protocol": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
    "deep copy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MADE)
def test_public_objects_travel(name, way):
    value = MADE[name]
    other = WAYS[way](value)
    assert type(other) is type(value)
    assert contents(other) == contents(value)
    if isinstance(value, ReadOnly):
        assert writeable(other) == writeable(value)


def test_every_public_class_is_among_them():
    """Errors too; protocols have no instances, and what others hold is met within them."""
    seen = {type(value).__name__ for value in MADE.values()}
    classes = {name for name in mb.__all__ if isinstance(getattr(mb, name), type)}
    within = {"Certificate", "LocalFigures", "NumericalError", "Unavailable"}
    assert classes - seen - within == {"Bath", "SpectralDensity"}
    assert is_dataclass(MADE["compare"].certificate) and MADE["compare, many"].local is not None


@pytest.mark.parametrize("name", ["redfield_liouvillian", "davies_liouvillian", "liouvillian"])
def test_a_liouvillian_is_built_where_it_arrives(name):
    other = WAYS["pickle"](MADE[name])
    np.testing.assert_array_equal(other.toarray(), MADE[name].toarray())


def distance(model):
    return mb.compare(model, public_calls.BATH, [0.0, 2.0])


def test_a_pool_of_fresh_processes():
    models = [mb.dirac_syk2(3, seed=seed) for seed in range(2)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        runs = list(pool.map(distance, models))
    for model, run in zip(models, runs):
        np.testing.assert_array_equal(run.trace_distance, distance(model).trace_distance)
        assert run.certificate == distance(model).certificate


def test_functions_of_a_notebook_travel_by_cloudpickle():
    cloudpickle = pytest.importorskip("cloudpickle", reason="cloudpickle not installed")
    model = mb.DrivenSingleParticle(lambda time: np.array([[0.0, time], [time, 1.0]]))
    other = pickle.loads(cloudpickle.dumps(model))
    np.testing.assert_array_equal(other.at(2.0).hamiltonian, model.at(2.0).hamiltonian)
