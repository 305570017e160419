"""A Hamiltonian without a model is one particle on its sites, with a bath on each, everywhere."""

import numpy as np
import oracles
import pytest
import scipy.sparse as sp

import manybody as mb
from manybody.numerics.petsc.runtime import petsc
from manybody.physics.models.given import model_from
from manybody.physics.quantities.cancellation import cancellation_measures

TIMES = [0.0, 1.0, 6.0]


class Operator:
    """What a QuTiP `Qobj` can do, of these spaces."""

    def __init__(self, matrix, dims):
        self.matrix, self.dims = matrix, dims

    def full(self):
        return self.matrix


def given(rng, real=False):
    """(matrix, the same as whatever a user may have)."""
    matrix = oracles.random_hermitian(rng, 5, real)
    sides = [[5], [5]]
    return matrix, [
        matrix,
        matrix.tolist(),
        sp.coo_matrix(matrix),
        sp.csr_array(matrix),
        Operator(matrix, sides),
    ]


@pytest.mark.parametrize("real", [True, False])
def test_all_that_hold_one_matrix_are_one_model(rng, bath, real):
    matrix, others = given(rng, real)
    wanted = mb.compare(mb.SingleParticleModel(matrix), bath, TIMES)
    for other in others:
        run = mb.compare(other, bath, TIMES)
        np.testing.assert_allclose(run.trace_distance, wanted.trace_distance, atol=1e-12)
        assert run.certificate.clustering == wanted.certificate.clustering
    assert wanted.trace_distance[1] > 1e-4
    (run,) = mb.compare_ensemble([matrix], bath, TIMES)
    np.testing.assert_array_equal(run.trace_distance, wanted.trace_distance)


def test_every_function_of_a_model_takes_a_matrix(rng, bath):
    matrix, _ = given(rng)
    model = mb.SingleParticleModel(matrix)
    for build in (mb.redfield_liouvillian, mb.davies_liouvillian):
        np.testing.assert_array_equal(build(matrix, bath).toarray(), build(model, bath).toarray())
    ours, theirs = mb.level_statistics(matrix), mb.level_statistics(model)
    np.testing.assert_array_equal(ours.energies, theirs.energies)
    assert cancellation_measures(matrix, bath) == cancellation_measures(model, bath)
    davies = mb.steady_state(matrix, bath, "davies").state
    np.testing.assert_array_equal(davies, mb.steady_state(model, bath, "davies").state)
    try:
        petsc()
    except RuntimeError as error:
        pytest.skip(str(error))
    ours, theirs = (mb.slow_modes(each, bath, 2, method="dense") for each in (matrix, model))
    np.testing.assert_array_equal(ours.eigenvalues, theirs.eigenvalues)


def test_a_model_is_itself(rng):
    matrix, _ = given(rng)
    model = mb.SingleParticleModel(matrix, coupled_sites=[1])
    assert model_from(model) is model
    assert model_from(matrix).coupled.all()


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        (3, TypeError, "model = 3: a SingleParticleModel, a ManyBodyModel or .* is needed"),
        ("anderson3d", TypeError, "model = 'anderson3d': a SingleParticleModel"),
        (mb.anderson3d, TypeError, "model = <function anderson3d.*>: a SingleParticleModel"),
        ("x" * 300, TypeError, "model = 'x{60}'... of 300 letters: a SingleParticleModel"),
        (None, TypeError, "model = None: a SingleParticleModel, a ManyBodyModel"),
        (np.ones(3), ValueError, r"model: hamiltonian has shape \(3,\): must be \(N, N\)"),
        ([[0.0, 1.0], [2.0, 0.0]], ValueError, "hamiltonian is not Hermitian"),
        ([[np.nan]], ValueError, "hamiltonian contains nan"),
        ([["a"]], TypeError, "hamiltonian has dtype"),
        ([[1.0], [1.0, 2.0]], TypeError, "hamiltonian is no array of numbers"),
        (Operator(np.eye(4), [[2, 2]] * 2), ValueError, r"dims \[\[2, 2\], \[2, 2\]\]: .*ManyB"),
        (Operator(np.eye(4), [[[2], [2]], [[2], [2]]]), ValueError, "taken for one particle"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(bath, wrong, kind, words):
    for function in (mb.compare, mb.redfield_liouvillian, mb.davies_liouvillian, mb.steady_state):
        arguments = [TIMES] if function is mb.compare else []
        with pytest.raises(kind, match=words) as caught:
            function(wrong, bath, *arguments)
        assert "\n" not in str(caught.value)


def test_what_is_of_one_particle_takes_a_matrix_too(rng, bath):
    matrix, _ = given(rng)
    model = mb.SingleParticleModel(matrix)
    lead = mb.Reservoir(mb.FlatDensity(0.1, 5.0), beta=1.0)
    ours, theirs = (mb.from_single_particle(each, lead) for each in (matrix, model))
    np.testing.assert_array_equal(ours.hamiltonian, theirs.hamiltonian)
    assert len(ours.contacts) == 5
    apart = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    ours, theirs = (mb.locality_profile(each, bath, apart) for each in (matrix, model))
    np.testing.assert_array_equal(ours.rms, theirs.rms)
    for function, rest in ((mb.from_single_particle, lead), (mb.locality_profile, bath)):
        with pytest.raises(TypeError, match="model = .*SingleParticleModel is needed"):
            function(mb.xxz_chain(4), rest)


def test_sequences_as_numpy_keeps_them(rng, bath):
    matrix, _ = given(rng)
    baths = [bath, bath, mb.WhiteBath(0.1), bath, bath]
    kept, names = np.array(baths, dtype=object), np.array(["redfield", "local"])
    plain = mb.compare(matrix, baths, TIMES, equations=("redfield", "local"))
    run = mb.compare(matrix, kept, TIMES, equations=names)
    assert run.equations == plain.equations == ("redfield", "local")
    np.testing.assert_array_equal(run.trace_distance, plain.trace_distance)
