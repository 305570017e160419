"""A bath of its own for every coupling, in every equation and layout."""

import warnings

import numpy as np
import oracles
import pytest
from conftest import hamiltonians

import manybody as mb
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.physics import reference
from manybody.physics.assembly import assemble_rows
from manybody.physics.bath_groups import bath_groups
from manybody.physics.baths.several import check_baths
from manybody.physics.equations.quasi_local import build_quasi_local
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.spectra import build_spectrum

HOT, COLD = mb.OhmicBath(0.5, 3.0, 0.7), mb.OhmicBath(0.3, 6.0, 4.0)
OTHER = mb.ThermalBath(mb.DrudeLorentzDensity(0.4, 2.0), 1.5)
# The kind of the first, but weaker: both share what they can.
WEAK = mb.OhmicBath(0.2, 3.0, 0.7)
CYCLE = (HOT, COLD, WEAK, OTHER)
CASES = [pytest.param(h, sites, id=name) for name, h, sites in hamiltonians() if len(h) > 2]
SHIFT = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
TIMES = [0.0, 1.5, 6.0]


def baths_for(model):
    return [CYCLE[index % 4] for index in range(model.couplings.n_baths)]


def sum_of_sites(definition, model, baths, lamb_shift):
    """By the oracles, which know one bath: dissipators add up."""
    matrix = model.dense_hamiltonian()
    unitary = oracles.redfield_matrix(matrix, [], lambda _: 0.0, None)
    total = unitary.copy()
    for site, bath in zip(np.flatnonzero(model.coupled), baths):
        eta = bath.eta if lamb_shift else None
        total += definition(matrix, [int(site)], bath.gamma, eta) - unitary
    return total


@SHIFT
@pytest.mark.parametrize(("matrix", "sites"), CASES)
def test_generators_are_sums_over_sites(matrix, sites, lamb_shift):
    model = mb.SingleParticleModel(matrix, sites)
    baths = baths_for(model)
    found = mb.redfield_liouvillian(model, baths, lamb_shift).toarray()
    expected = sum_of_sites(oracles.redfield_matrix, model, baths, lamb_shift)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    found = mb.davies_liouvillian(model, baths, lamb_shift).toarray()
    expected = sum_of_sites(oracles.davies_matrix, model, baths, lamb_shift)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@SHIFT
@pytest.mark.parametrize("is_real", [False, True], ids=["complex", "real"])
@pytest.mark.parametrize(("n", "sites"), [(6, None), (7, [0, 2, 3, 6]), (26, [0, 1, 2, 9, 25])])
def test_kernels_of_any_columns_are_the_rows(n, sites, is_real, lamb_shift, rng):
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, n, real=is_real), sites)
    baths = check_baths(baths_for(model), model.couplings, lamb_shift)
    generator = build_redfield(build_spectrum([model]), baths, lamb_shift)
    sigma = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    out = np.empty((1, n, n), dtype=complex)
    operator = KernelOperator(generator.kernel(), generator.spectral_box, Columns(n), "complex")
    operator.apply(sigma[None].copy(), out)
    by_rows = (assemble_rows(generator).matrix @ sigma.T.ravel()).reshape(n, n).T
    np.testing.assert_allclose(out[0], by_rows, atol=1e-12)
    whole = np.empty((1, n, n), dtype=complex)
    generator.kernel()(sigma[None].copy(), whole)
    for columns in (slice(0, 2), slice(2, 3), slice(4, n)):
        part = np.empty((1, n, columns.stop - columns.start), dtype=complex)
        generator.kernel(columns)(sigma[None, :, columns].copy(), part)
        np.testing.assert_allclose(part, whole[:, :, columns], atol=1e-13)


@SHIFT
@pytest.mark.parametrize("kind", ["diagonal", "matrices"])
def test_any_couplings(kind, lamb_shift, rng):
    n, count = 6, 4
    hamiltonian = oracles.random_hermitian(rng, n)
    if kind == "diagonal":
        couplings = rng.normal(size=(count, n))
        operators = [np.diag(own).astype(complex) for own in couplings]
    else:
        operators = couplings = [oracles.random_hermitian(rng, n) for _ in range(count)]
    model = mb.ManyBodyModel(hamiltonian, couplings)
    baths = baths_for(model)
    redfield = reference.redfield_liouvillian(hamiltonian, operators, baths, lamb_shift)
    davies = reference.davies_liouvillian(hamiltonian, operators, baths, lamb_shift, 1e-11)
    found = mb.redfield_liouvillian(model, baths, lamb_shift).toarray()
    np.testing.assert_allclose(found, redfield, atol=1e-12)
    found = mb.davies_liouvillian(model, baths, lamb_shift).toarray()
    np.testing.assert_allclose(found, davies, atol=1e-12)
    run = mb.compare(
        model, baths, TIMES, lamb_shift=lamb_shift, initial_state=np.eye(n)[2], keep_states=True
    )
    initial = np.diag(np.eye(n)[2]).astype(complex)
    for matrix, states in ((redfield, run.redfield_states), (davies, run.davies_states)):
        expected = oracles.propagate(matrix, initial, TIMES)
        np.testing.assert_allclose(states, expected, atol=1e-9)


def test_quasi_local_redfield_of_large_patches_is_redfield():
    model = mb.xxz_chain(n_sites=5, n_particles=2, disorder=1.0, seed=3)
    baths = check_baths(baths_for(model), model.couplings, True)
    local = build_quasi_local(model, baths, 6, True)
    whole = build_redfield(build_spectrum([model]), baths, True)
    expected = assemble_rows(whole).matrix.toarray()
    np.testing.assert_allclose(local.rows().matrix.toarray(), expected, atol=1e-11)


@pytest.mark.parametrize("n", [6, 30])
def test_equal_baths_are_one_bit_for_bit(n):
    model = mb.dirac_syk2(n, seed=1)
    one = mb.compare(model, HOT, TIMES, lamb_shift=True)
    equal = [mb.OhmicBath(0.5, 3.0, 0.7) for _ in range(n)]
    for given in (equal, dict(enumerate(equal)), tuple(equal)):
        many = mb.compare(model, given, TIMES, lamb_shift=True)
        np.testing.assert_array_equal(many.trace_distance, one.trace_distance)


def test_mappings_name_coupled_sites():
    model = mb.SingleParticleModel(mb.dirac_syk2(6, seed=2).hamiltonian, [5, 1])
    by_site = mb.compare(model, {1: HOT, 5: COLD}, TIMES)
    in_order = mb.compare(model, [HOT, COLD], TIMES)
    other = mb.compare(model, [COLD, HOT], TIMES)
    np.testing.assert_array_equal(by_site.trace_distance, in_order.trace_distance)
    assert np.abs(by_site.trace_distance - other.trace_distance).max() > 1e-4


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([HOT, COLD], r"sequence of 2 baths: there are 3 couplings"),
        ({0: HOT, 1: COLD}, r"site 2 is coupled and has none"),
        ({0: HOT, 1: COLD, 2: HOT, 7: HOT}, r"bath of site 7: it is not coupled"),
        ({"left": HOT, 1: COLD, 2: HOT}, r"key 'left': sites are integers"),
        ({True: HOT, 0: HOT, 2: COLD}, r"key True: sites are integers"),
        ([HOT, COLD, "cold"], r"bath = 'cold'"),
        ("hot", r"bath = 'hot'"),
    ],
)
def test_baths_are_checked(given, words):
    model = mb.dirac_syk2(3, seed=2)
    for call in (mb.redfield_liouvillian, lambda m, b: mb.compare(m, b, TIMES)):
        with pytest.raises(mb.InputError, match=words):
            call(model, given)


def test_baths_of_an_ensemble_belong_to_all_its_models():
    models = [mb.dirac_syk2(3, seed=1), mb.dirac_syk2(4, seed=1)]
    with pytest.raises(mb.InputError, match="4 couplings"):
        mb.compare_ensemble(models, [HOT, COLD, COLD], TIMES)


@pytest.mark.parametrize("n", [5, 30])
def test_samples_of_a_stack_have_their_own_bits(n):
    models = [mb.dirac_syk2(n, seed=seed) for seed in range(3)]
    baths = [CYCLE[site % 2] for site in range(n)]
    together = mb.compare_ensemble(models, baths, TIMES, lamb_shift=True)
    for model, run in zip(models, together):
        alone = mb.compare(model, baths, TIMES, lamb_shift=True)
        np.testing.assert_array_equal(run.trace_distance, alone.trace_distance)


@pytest.mark.parametrize(
    "build",
    [
        lambda strength: mb.OhmicBath(strength, 5.0, 2.0),
        lambda strength: mb.ThermalBath(mb.DrudeLorentzDensity(strength, 5.0), 2.0),
        lambda strength: mb.ThermalBath(mb.OhmicDensity(strength, 5.0, 2.0), 2.0),
        lambda strength: mb.WhiteBath(strength**2),
    ],
    ids=["ohmic", "drude-lorentz", "power law", "white"],
)
def test_strengths_alone_share_their_rates(build):
    model = mb.dirac_syk2(5, seed=4)
    strengths = [build(0.1 * site) for site in range(5)]
    for lamb_shift in (False, True):
        (group,) = bath_groups(
            build_spectrum([model]), check_baths(strengths, model.couplings), lamb_shift
        )
        np.testing.assert_allclose(group.factors, np.arange(5) / 4)
        found = mb.redfield_liouvillian(model, strengths, lamb_shift).toarray()
        expected = sum_of_sites(oracles.redfield_matrix, model, strengths, lamb_shift)
        np.testing.assert_allclose(found, expected, atol=1e-13)


def test_gibbs_needs_one_temperature_alone():
    model = mb.dirac_syk2(6, seed=4)
    strengths = [mb.OhmicBath(0.1 * (site + 1), 5.0 + site, 2.0) for site in range(6)]
    residuals = mb.compare(model, strengths, TIMES).certificate.gibbs_residuals
    assert max(residuals.values()) < 1e-15
    temperatures = [mb.OhmicBath(0.3, 5.0, 1.0 + site) for site in range(6)]
    certificate = mb.compare(model, temperatures, TIMES).certificate
    assert all(np.isnan(value) for value in certificate.gibbs_residuals.values())
    assert certificate.kms_residual < 1e-12


def notes_of(action, *given, **named):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        action(*given, **named)
    return [str(note.message) for note in found if "below rounding of H" in str(note.message)]


@pytest.mark.parametrize("cutoff", [5.0, 6.0], ids=["of one kind", "of two kinds"])
def test_each_site_has_the_rates_of_its_own_bath(cutoff):
    """Leaves of a star: what the first does not see is left at the rates of the second alone."""
    star = np.zeros((4, 4))
    star[0, 1:] = star[1:, 0] = 1.0
    model, strong = mb.SingleParticleModel(star, [1, 2]), mb.OhmicBath(0.3, 5.0, 1.0)
    for coupling, hides in ((1e-11, True), (0.2, False)):
        baths = [strong, mb.OhmicBath(coupling, cutoff, 1.0)]
        assert bool(notes_of(mb.steady_state, model, baths, "davies")) == hides
        assert bool(notes_of(mb.slow_modes, model, baths, 3, method="dense")) == hides
