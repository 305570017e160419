"""Numbers mean the same however they are kept."""

from fractions import Fraction

import numpy as np
import oracles
import pytest
import scipy.sparse as sp

import manybody as mb

TIMES = [0.0, 1.0, 4.0]


def read_only(matrix):
    matrix = matrix.copy()
    matrix.flags.writeable = False
    return matrix


def strided(matrix):
    return np.repeat(np.repeat(matrix, 2, axis=0), 2, axis=1)[::2, ::2]


KEPT = {
    "Fortran": np.asfortranarray,
    "read-only": read_only,
    "strided": strided,
    "backwards": lambda matrix: matrix[::-1, ::-1].copy()[::-1, ::-1],
    "matrix": np.asmatrix,
    "lists": lambda matrix: matrix.tolist(),
    "tuples": lambda matrix: tuple(map(tuple, matrix)),
    "big-endian": lambda matrix: matrix.astype(matrix.dtype.newbyteorder(">")),
    "COO": sp.coo_array,
    "DIA": sp.dia_matrix,
}


@pytest.mark.parametrize("kind", KEPT)
def test_layouts_of_a_hamiltonian(rng, bath, kind):
    plain = oracles.random_hermitian(rng, 4)
    wanted = mb.compare(plain, bath, TIMES).trace_distance
    given = KEPT[kind](plain)
    before = given.toarray() if sp.issparse(given) else np.array(given)
    run = mb.compare(given, bath, TIMES)
    np.testing.assert_allclose(run.trace_distance, wanted, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(given.toarray() if sp.issparse(given) else given, before)


@pytest.mark.parametrize("dtype", ["f2", "f4", "c8", "i1", "u2", "i8", "longdouble"])
def test_precisions_of_a_hamiltonian(bath, dtype):
    plain = np.array([[0, 1, 2], [1, 3, 1], [2, 1, 5]])
    wanted = mb.compare(plain.astype(float), bath, TIMES).trace_distance
    run = mb.compare(plain.astype(dtype), bath, TIMES)
    np.testing.assert_allclose(run.trace_distance, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "times",
    [
        np.array(TIMES, dtype=np.float32),
        np.array([0, 1, 4], dtype=np.uint8),
        np.array(TIMES, dtype=object),
        (np.array(time) for time in TIMES),
        [np.int16(0), Fraction(1), np.longdouble(4)],
        dict.fromkeys(TIMES).keys(),
    ],
    ids=["float32", "uint8", "objects", "without axes", "mixed", "keys"],
)
def test_times(rng, bath, times):
    plain = oracles.random_hermitian(rng, 3)
    wanted = mb.compare(plain, bath, TIMES)
    run = mb.compare(plain, bath, times)
    np.testing.assert_array_equal(run.times, wanted.times)
    np.testing.assert_array_equal(run.trace_distance, wanted.trace_distance)


def test_labelled_arrays(rng, bath):
    """By hand where neither package is there: what they do is in `test_odd_inputs`."""
    xarray = pytest.importorskip("xarray", reason="xarray not installed")
    plain = oracles.random_hermitian(rng, 3)
    wanted = mb.compare(plain, bath, TIMES).trace_distance
    for model in (plain, xarray.DataArray(plain)):
        run = mb.compare(model, bath, xarray.DataArray(TIMES, dims="time"))
        np.testing.assert_array_equal(run.trace_distance, wanted)
    with pytest.raises(TypeError, match="times entry = "):
        mb.compare(plain, bath, xarray.DataArray(np.array([0, 1], dtype="m8[ns]")))


def test_states_of_an_ensemble(rng, bath):
    models = [mb.SingleParticleModel(oracles.random_hermitian(rng, n)) for n in (3, 4, 3)]
    kept = mb.compare_ensemble(models, bath, TIMES, keep_states=True)
    for model, run in zip(models, kept):
        alone = mb.compare(model, bath, TIMES, keep_states=True)
        assert run.redfield_states.shape == (3, model.n_sites, model.n_sites)
        for name in ("redfield", "davies"):
            np.testing.assert_array_equal(run.states[name], alone.states[name])
    assert mb.compare_ensemble(models, bath, TIMES)[0].redfield_states is None


def test_states_of_an_ensemble_of_large_samples(monkeypatch, bath):
    monkeypatch.setattr("manybody.solve.stacked._LARGE_ABOVE", 3)
    models = [mb.dirac_syk2(4, seed=seed) for seed in range(2)]
    for model, run in zip(models, mb.compare_ensemble(models, bath, TIMES, keep_states=True)):
        alone = mb.compare(model, bath, TIMES, keep_states=True)
        np.testing.assert_array_equal(run.redfield_states, alone.redfield_states)


@pytest.mark.parametrize(
    "values", [[0.0, -0.5], [-1e-300], [np.nan], [0.0, np.inf], [1e200], [1e-320], [2.0, 1.0], []]
)
def test_times_of_an_array_are_refused_like_those_of_a_list(bath, values):
    said = []
    for times in (values, np.array(values, dtype=float)):
        with pytest.raises(mb.InputError, match="times") as raised:
            mb.compare(np.eye(2), bath, times)
        said.append(str(raised.value).replace("np.float64(", "").replace(")", ""))
    assert said[0] == said[1]
