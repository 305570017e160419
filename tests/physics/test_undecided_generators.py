"""Undecided coincidences of levels and gaps in generators: Liouvillians, Gaussian models, Fock."""

import warnings

import linear_coupling as lc
import numpy as np
import oracles
import pytest
from fock_oracles import density_coupling
from linear_coupling import contacts_all_different

import manybody as mb
from manybody.physics.fock.basis import FockBasis
from manybody.physics.fock.couplings import exchange_couplings, hermitian_coupling
from manybody.physics.fock.half_form import FockModel
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.gaussian.correlations import build_generators
from manybody.physics.gaussian.driven import DrivenQuadraticModel, driven_correlations
from manybody.physics.quantities.cancellation import cancellation_measures

CHAIN = np.diag([1.0, 1.0], 1) + np.diag([1.0, 1.0], -1)


def said(function, *arguments, **settings):
    """The result, and how many warnings name what cannot be decided."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*arguments, **settings)
    for each in caught:
        assert "cannot be decided" in str(each.message) and each.filename == __file__
        assert "undecided='merged'" in str(each.message)
    return result, len(caught)


def test_davies_liouvillians_take_either_answer(bath):
    failures = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n, shift = int(rng.integers(3, 5)), bool(seed % 2)
        # A degenerate level, a coincidence of gaps and neither.
        levels = [[0.0, 0.0, 1.3, 2.9], [0.0, 1.0, 2.0, 3.7], [0.0, 0.9, 2.3, 4.7]][seed % 3][:n]
        delta = 10.0 ** rng.uniform(-12.0, -6.0)
        turn = oracles.random_unitary(rng, n)
        if seed % 4 == 0:
            turn = np.linalg.qr(turn.real)[0]
        moved = np.diag(levels).astype(complex)
        moved[1, 1] += delta
        matrix = turn @ moved @ turn.conj().T
        matrix = 0.5 * (matrix + matrix.conj().T)
        sites = None if seed % 5 else [0, 2]
        model = mb.SingleParticleModel(matrix, sites)
        found, count = said(mb.davies_liouvillian, model, bath, shift)
        undecided = seed % 3 < 2
        verdict = "ambiguous" if undecided else "simple"
        if found.clustering != verdict or count != undecided:
            failures.append((seed, found.clustering, count))
        eta = (lambda omega: float(bath.eta(omega))) if shift else None
        for answer, tolerance in (("apart", 0.01 * delta), ("merged", 10.0 * delta)):
            chosen, count = said(mb.davies_liouvillian, model, bath, shift, answer)
            expected = oracles.davies_matrix(
                matrix,
                range(n) if sites is None else sites,
                lambda omega: float(bath.gamma(omega)),
                eta,
                tolerance,
            )
            error = np.abs(chosen.toarray() - expected).max()
            # Vectors of levels δ apart are known to ε/δ.
            if count or error > 1e-11 + (10.0 * delta if answer == "merged" else 1e-15 / delta):
                failures.append((seed, answer, error))
    assert not failures
    assert mb.redfield_liouvillian(model, bath).clustering is None
    with pytest.raises(ValueError, match="undecided = 'both': must be one of 'apart', 'merged'"):
        mb.davies_liouvillian(model, bath, undecided="both")


def ring_plus(n, delta, place=(1, 3)):
    matrix = oracles.ring_hamiltonian(n)
    matrix[place] += delta
    matrix[place[::-1]] = matrix[place]
    return matrix


@pytest.mark.parametrize("delta", [1e-13, 1e-11, 1e-9, 1e-7])
def test_a_ring_with_one_contact(delta):
    """Redfield knows dark modes that Davies loses when it keeps the levels apart."""
    start = np.eye(6)
    lead = mb.Reservoir(mb.SemiEllipticDensity(0.1, 9.0), beta=0.7)

    def steady(matrix, equation, **settings):
        model = mb.QuadraticModel(matrix, (mb.Contact(0, lead),))
        return said(mb.steady_correlations, model, equation, initial=start, **settings)

    apart, warned = steady(ring_plus(6, delta), "davies")
    assert warned == 1 and apart.clustering == "ambiguous" and apart.n_undamped == 0
    merged, warned = steady(ring_plus(6, delta), "davies", undecided="merged")
    assert warned == 0 and merged.clustering == "ambiguous" and merged.n_undamped == 2
    clean, warned = steady(oracles.ring_hamiltonian(6), "davies")
    assert warned == 0 and clean.clustering == "structural"
    np.testing.assert_allclose(merged.matrix, clean.matrix, atol=1e-12 + 10.0 * delta)
    assert abs(np.trace(apart.matrix - merged.matrix).real) > 0.1
    redfield, warned = steady(ring_plus(6, delta), "redfield")
    assert warned == 0 and redfield.clustering == "ambiguous"
    # A level moved where the contact sees it alone joins nothing.
    alone, warned = steady(ring_plus(6, delta, (0, 0)), "davies")
    assert warned == 0 and alone.clustering == "simple"


def test_equal_contacts_everywhere_leave_nothing_undecided():
    for statistics in ("fermion", "boson"):
        lead = mb.Reservoir(mb.OhmicDensity(0.3, 4.0), 0.7, -0.1, statistics)
        contacts = [mb.Contact(site, lead) for site in range(6)]
        matrix = ring_plus(6, 1e-10) + 9.0 * np.eye(6)
        model = mb.QuadraticModel(matrix, contacts, statistics)
        for shift in (False, True):
            residual, warned = said(mb.theorem_residual, model, shift)
            assert warned == 0 and residual.largest < 1e-13


def test_random_gaussian_models_in_single_precision():
    """Two equal levels in a random basis: never decided, both answers those of the definition."""
    failures = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n, shift = int(rng.integers(3, 9)), bool(seed % 3 == 0)
        levels = np.sort(rng.normal(size=n))
        levels[1] = levels[0]
        turn = oracles.random_unitary(rng, n)
        turn = turn if seed % 2 else np.linalg.qr(turn.real)[0]
        matrix = (turn * levels) @ turn.conj().T
        coarse = matrix.astype(np.complex64 if seed % 2 else np.float32)
        coarse = np.triu(coarse) + np.triu(coarse, 1).conj().T
        sites = rng.choice(n, 2, replace=False).tolist()
        contacts = contacts_all_different(sites)
        exact = build_generators(mb.QuadraticModel(matrix, contacts), ["davies"], shift)[0]
        model = mb.QuadraticModel(coarse, contacts)
        (found,), warned = said(build_generators, model, ["davies"], shift)
        (merged,), quiet = said(build_generators, model, ["davies"], shift, undecided="merged")
        error = np.abs(merged.damping_matrix() - exact.damping_matrix()).max()
        apart = np.abs(found.damping_matrix() - exact.damping_matrix()).max()
        if (found.clustering, exact.clustering) != ("ambiguous", "structural"):
            failures.append((seed, found.clustering, exact.clustering))
        if warned != 1 or quiet or error > 3e-5 or apart < 10.0 * error:
            failures.append((seed, warned, quiet, error, apart))
    assert not failures


def test_random_gaussian_models_are_rarely_undecided(rng):
    for seed in range(300):
        n = int(rng.integers(2, 12))
        matrix = oracles.random_hermitian(rng, n, real=bool(seed % 2))
        if seed % 3 == 0:
            matrix = np.diag(rng.normal(size=n)) + 0.01 * matrix
        model = mb.QuadraticModel(matrix, contacts_all_different([0]))
        generator = said(build_generators, model, ["davies"])[0][0]
        assert generator.clustering == "simple", seed


def test_a_driven_model_says_once_that_levels_were_undecided():
    contacts = contacts_all_different([0])
    model = DrivenQuadraticModel(lambda time: (1.0 + 0.1 * time) * ring_plus(6, 1e-9), contacts)
    start = np.eye(6) / 2
    with pytest.warns(UserWarning, match="times between t = 0 and .* cannot be decided") as caught:
        driven_correlations(model, start, [0.5], "davies", tolerance=1e-6)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert said(driven_correlations, model, start, [0.5], "redfield", tolerance=1e-6)[1] == 0


def fock_cases(bath):
    """(name, model, couplings): by modes, by all energies."""
    chain = CHAIN + np.diag([0.0, 0.0, 1e-9])
    ring = ring_plus(3, 1e-9, (1, 1))
    lead = lc.Colored()
    yield "modes", FockModel(FockBasis(3), ring), exchange_couplings(3, 0, lead)
    sector = FockModel(FockBasis(3, n_particles=1), chain)
    yield "energies", sector, [density_coupling(sector.basis, j, bath) for j in range(3)]


@pytest.mark.parametrize("lamb_shift", [False, True])
def test_fock_labels_say_what_they_cannot_decide(bath, lamb_shift):
    for name, model, couplings in fock_cases(bath):
        found, warned = said(build_davies_equation, model, couplings, lamb_shift)
        assert warned == 1 and found.clustering == "ambiguous", name
        apart, merged = (
            said(build_davies_equation, model, couplings, lamb_shift, undecided=answer)
            for answer in ("apart", "merged")
        )
        assert apart[1] == merged[1] == 0
        np.testing.assert_array_equal(apart[0].toarray(), found.toarray())
        clean = np.round(model.one_body, 6)
        expected, warned = said(
            build_davies_equation, FockModel(model.basis, clean), couplings, lamb_shift
        )
        assert warned == 0 and expected.clustering == "structural", name
        np.testing.assert_allclose(merged[0].toarray(), expected.toarray(), atol=2e-8)
        assert np.abs(apart[0].toarray() - expected.toarray()).max() > 1e-4, name
        literal, warned = said(build_davies_equation, model, couplings, lamb_shift, True)
        assert warned == 0 and literal.clustering == "simple"


def test_equal_contacts_leave_nothing_undecided_in_fock_space():
    matrix = ring_plus(3, 1e-9, (1, 1))
    lead = mb.Reservoir(mb.SemiEllipticDensity(0.1, 9.0), beta=0.7)
    everywhere = [each for site in range(3) for each in exchange_couplings(3, site, lead)]
    for couplings, warned in ((everywhere, 0), (everywhere[:2], 1)):
        found = said(build_davies_equation, FockModel(FockBasis(3), matrix), couplings)
        assert found[1] == warned


def test_fock_models_remember_what_they_were_given(bath):
    rng = np.random.default_rng(4)
    for seed in range(40):
        n = int(rng.integers(3, 6))
        levels = rng.normal(size=n)
        levels[1] = levels[0]
        turn = np.linalg.qr(rng.normal(size=(n, n)))[0]
        coarse = ((turn * levels) @ turn.T).astype(np.float32)
        coarse = np.triu(coarse) + np.triu(coarse, 1).T
        basis = FockBasis(1, "boson", max_occupation=n - 1)
        coupling = [hermitian_coupling(np.diag(rng.normal(size=n)), bath)]
        model = FockModel(basis, np.zeros((1, 1)), coarse)
        assert model.uncertainty > 1e-8
        assert said(build_davies_equation, model, coupling)[0].clustering == "ambiguous", seed
        sector = FockModel(FockBasis(n, n_particles=1), coarse)
        found = said(build_davies_equation, sector, [density_coupling(sector.basis, 0, bath)])[0]
        assert found.clustering == "ambiguous", seed
    assert FockModel(basis, np.zeros((1, 1)), coarse, (0.0, 0.0)).uncertainty == 0.0
    with pytest.raises(TypeError, match="uncertainties = 3"):
        FockModel(basis, np.zeros((1, 1)), coarse, 3)


def test_cancellation_measures_name_the_separation(bath):
    with pytest.raises(ValueError, match="differ by .*cannot be decided"):
        cancellation_measures(mb.SingleParticleModel(CHAIN + np.diag([0, 0, 1e-9])), bath)
