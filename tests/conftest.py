"""Shared by all tests: where the check values are, and the cases every equation must survive."""

import json
import signal
from pathlib import Path

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.errors import Unavailable
from manybody.numerics.petsc.runtime import petsc
from manybody.system.launch import launched_ranks

CHECKS = Path(__file__).parent / "checks"

_assert_allclose = np.testing.assert_allclose


def assert_allclose(actual, desired, rtol=1e-7, atol=0.0, **keywords):
    """NumPy's, to a tolerance that is one; nothing is only ever compared with nothing."""
    if np.size(actual) == 0 or np.size(desired) == 0:
        assert np.shape(actual) == np.shape(desired), "nothing is compared with a number"
    assert np.all(np.isfinite(rtol)) and np.all(np.isfinite(atol)), f"rtol {rtol}, atol {atol}"
    _assert_allclose(actual, desired, rtol, atol, **keywords)


np.testing.assert_allclose = assert_allclose


# Packages that a PETSc may be built without, and what is said where one is needed.
_OPTIONAL = {"mumps": "on several ranks needs MUMPS", "scalapack": "built without ScaLAPACK"}

# Seconds that a test of several ranks may take, on a machine twice as slow and busy.
_LIMIT = 120


# What waits, for jobs and launchers, comes first, or one process would end with all of it.
_WAITING = ("slurm", "study", "mpi")


def pytest_collection_modifyitems(items):
    """By folder; within one in the order of files and tests."""
    place = {name: index for index, name in enumerate(_WAITING)}
    items.sort(key=lambda item: place.get(item.path.parent.name, len(place)))


def pytest_runtest_setup(item):
    mark = item.get_closest_marker("up_to")
    if mark is not None and launched_ranks() > mark.args[0]:
        pytest.skip(f"takes long on more than {mark.args[0]} ranks and shows no more")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """PyPI's PETSc cannot factorise on several ranks, nor find eigenvalues of what is spread."""
    try:
        return (yield)
    except Unavailable as error:
        for package, words in _OPTIONAL.items():
            if words in str(error) and not petsc().Sys.hasExternalPackage(package):
                pytest.skip(str(error))
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A rank that waits for one that has failed would wait for ever, in C and with the GIL held.

    faulthandler_timeout, which scripts/test.sh sets to this limit, shows where it is.
    """
    if item.path.parent.name != "mpi":
        return (yield)
    signal.alarm(_LIMIT + 10)
    try:
        return (yield)
    finally:
        signal.alarm(0)


@pytest.fixture
def bath():
    return mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)


@pytest.fixture
def rng():
    return np.random.default_rng(20250710)


@pytest.fixture
def comm():
    """Every rank of the run, one or several."""
    return pytest.importorskip("mpi4py.MPI", reason="mpi4py not installed").COMM_WORLD


@pytest.fixture
def folder(comm, tmp_path):
    """The same empty folder on every rank."""
    return Path(comm.bcast(str(tmp_path)))


def single_particle_checks():
    """The cases of checks/single_particle.json."""
    return json.loads((CHECKS / "single_particle.json").read_text())


def hamiltonians():
    """(name, H, coupled sites): complex, real, degenerate gaps and levels, partial coupling."""
    rng = np.random.default_rng(7)
    cube = mb.anderson3d(2, 0.0).dense_hamiltonian()
    return [
        ("complex", oracles.random_hermitian(rng, 6), None),
        ("complex, two sites", oracles.random_hermitian(rng, 6), [1, 4]),
        ("real", oracles.random_hermitian(rng, 6, real=True), None),
        ("real, one site", oracles.random_hermitian(rng, 5, real=True), [3]),
        ("bipartite", oracles.bipartite_hamiltonian(rng, 6), None),
        ("bipartite, two sites", oracles.bipartite_hamiltonian(rng, 6), [0, 3]),
        ("ring", oracles.ring_hamiltonian(6), None),
        ("ring, one site", oracles.ring_hamiltonian(6), [0]),
        ("cube", cube, None),
        ("cube, three sites", cube, [0, 1, 5]),
        ("two sites", oracles.random_hermitian(rng, 2), None),
        ("one level", np.eye(4), None),
    ]
