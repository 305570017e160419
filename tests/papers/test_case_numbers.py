"""Numbers of cases against direct calls, definitions and limits."""

import numpy as np
import pytest
import scipy.linalg
from tiny_cases import EXACT, THEOREM, exact_study, parse_cases, theorem_study

import manybody as mb
from manybody.papers.kit.systems import build_hamiltonian, build_reservoir, power_law, ring
from manybody.papers.snm.exact import cases as exact
from manybody.papers.snm.theorem import cases as theorem
from manybody.physics.gaussian import landauer

ROUNDING = 1e-12


def theorem_cases(model, size, checks, extra=""):
    text = THEOREM[: THEOREM.index("[[systems]]")]
    text += f'[[systems]]\nmodel = "{model}"\n{size}\nchecks = {checks}\n{extra}'
    study = parse_cases(text.replace("'", '"'), "file.toml")
    return [
        (case.given, dict(theorem.compute(study.settings, case.given))) for case in study.cases
    ]


SYSTEMS = [
    ("dirac_syk2", "n_sites = 12", ""),
    ("random", "n_sites = 12", ""),
    ("anderson3d", "length = 2", "disorder = 5.0"),
    ("ring", "n_sites = 12", ""),
]


@pytest.mark.parametrize(("model", "size", "extra"), SYSTEMS)
def test_identical_baths_agree_to_rounding_and_nothing_else_does(model, size, extra):
    checks = ["equal", "one_coupling", "two_temperatures"]
    found = theorem_cases(model, size, checks, extra)
    assert len(found) == 3 * 4
    for given, results in found:
        if given["check"] == "equal":
            assert max(results.values()) < ROUNDING
        elif given["check"] == "one_coupling":
            assert min(results.values()) > 1e-4
        else:
            assert results["damping"] < ROUNDING and results["filling"] > 1e-3


def test_a_case_is_the_direct_call():
    study = theorem_study(("[3, 6]", "[7]"))
    for case in study.cases:
        given = case.given
        if given["check"] != "one_coupling":
            continue
        h = build_hamiltonian(study.settings, given)
        own = dict(study.settings[given["statistics"]])
        if given["statistics"] == "boson":
            h = h + (0.5 - np.linalg.eigvalsh(h)[0]) * np.eye(7)
            bath = mb.Reservoir(mb.OhmicDensity(0.5, 10.0), 0.5, 0.0, "boson")
        else:
            bath = mb.Reservoir(mb.SemiEllipticDensity(1.0, 20.0), 2.0, 0.3)
        assert build_reservoir(own, given["statistics"]) == bath
        contacts = [mb.Contact(q, bath, 0.202 if q == 3 else 0.2) for q in range(7)]
        direct = mb.theorem_residual(mb.QuadraticModel(h, contacts, given["statistics"]))
        results = theorem.compute(study.settings, given)
        assert results["damping"] == pytest.approx(direct.damping, rel=1e-9)
        assert results["filling"] == pytest.approx(direct.filling, rel=1e-9)


def test_draws_differ_and_what_is_not_drawn_stays():
    """All checks, statistics and shifts see one Hamiltonian a draw."""
    study = theorem_study(("[3, 6]", "[6]"))
    drawn = {}
    for case in study.cases:
        matrix = build_hamiltonian(study.settings, case.given)
        drawn.setdefault(case.given["sample"], []).append(matrix)
    assert set(drawn) == {0, 1}
    for matrices in drawn.values():
        assert all(np.array_equal(matrices[0], matrix) for matrix in matrices)
    assert np.abs(drawn[0][0] - drawn[1][0]).max() > 0.1


@pytest.mark.parametrize("flux", [0.0, 1.0, np.pi])
def test_baths_on_every_pth_site_of_a_ring(flux):
    extra = f"flux = {flux!r}\nspacing = [2, 3, 4]"
    for given, results in theorem_cases("ring", "n_sites = [12, 24]", ["every"], extra):
        assert results["damping"] == pytest.approx(results["expected"], abs=1e-12)
        assert results["damping"] > 0.5 and results["filling"] > 0.5
        if flux == 1.0:
            assert results["damping"] == pytest.approx(np.sqrt(given["spacing"] - 1), abs=1e-12)


def test_the_ring_and_the_long_hops():
    np.testing.assert_array_equal(ring(2), [[0, 1], [1, 0]])
    h = ring(6, 1.0)
    np.testing.assert_allclose(h, h.conj().T)
    # A particle that goes around gains the flux.
    assert np.angle(np.prod([h[j, (j + 1) % 6] for j in range(6)])) == pytest.approx(1.0)
    levels = np.sort(2 * np.cos((2 * np.pi * np.arange(6) + 1.0) / 6))
    np.testing.assert_allclose(np.linalg.eigvalsh(h), levels, atol=1e-14)
    rng = np.random.default_rng(1)
    h = power_law(300, rng)
    np.testing.assert_array_equal(h, h.conj().T)
    distance = np.abs(np.subtract.outer(np.arange(300), np.arange(300)))
    far, near = np.abs(h[distance == 99]), np.abs(h[distance == 1])
    assert near.mean() / far.mean() == pytest.approx(50.0, rel=0.1)


def test_unclustered_and_fock_space():
    for given, results in theorem_cases("dirac_syk2", "n_sites = [4, 16]", ["unclustered"]):
        assert results["residual"] > (0.5 if given["n_sites"] == 4 else 3.0)
    for given, results in theorem_cases("random", "n_sites = 3", ["fock"]):
        assert results["residual"] < ROUNDING
        assert results["unclustered"] > 0.1
        assert ("max_particles" in given) == (given["statistics"] == "boson")
    # A ring of four has two levels that coincide, of three a pair: nothing to keep apart.
    for _, results in theorem_cases("ring", "n_sites = [3, 4]", ["fock"]):
        assert results["residual"] < ROUNDING and "unclustered" not in results


def exact_results(check, where=lambda given: True):
    study = exact_study()
    cases = [c for c in study.cases if c.given["check"] == check and where(c.given)]
    return [(c.given, dict(exact.compute(study.settings, c.given))) for c in cases]


def lead(first=True):
    density = mb.SemiEllipticDensity(1.0, 4.0)
    return mb.Reservoir(density, 1.0, 0.5) if first else mb.Reservoir(density, 4.0, -0.5)


def test_dynamics_against_an_own_chain():
    """The semi-elliptic band is a uniform chain: h and two chains of sites, by one exponential."""
    given, results = exact_results("dynamics", lambda g: g.get("strength") == 0.5)[0]
    n, hop = 120, 2.0
    h = np.zeros((2 + 2 * n, 2 + 2 * n))
    h[:2, :2] = [[0.15, 0.2], [0.2, -0.15]]
    occupied = np.zeros_like(h)
    occupied[0, 0] = 1.0
    # D = 1 in the middle: Σ g² = Γ W / 4.
    for site, start, bath in ((0, 2, lead()), (1, 2 + n, lead(False))):
        chain = hop * (np.eye(n, k=1) + np.eye(n, k=-1))
        h[start : start + n, start : start + n] = chain
        h[site, start] = h[start, site] = 0.5 * np.sqrt(1.0 * 4.0 / 4.0)
        energies, vectors = np.linalg.eigh(chain)
        occupied[start : start + n, start : start + n] = (
            vectors * bath.occupation(energies)
        ) @ vectors.T
    model = mb.QuadraticModel(
        h[:2, :2], [mb.Contact(0, lead(), 0.5), mb.Contact(1, lead(False), 0.5)]
    )
    times = np.array(results["times"])
    assert len(times) == 60 and times[-1] == pytest.approx(1.0 / 0.25)
    start = np.diag([1.0, 0.0])
    for equation, shift, label in (
        ("redfield", True, "redfield"),
        ("davies", True, "davies"),
        ("local", False, "local_without_shift"),
    ):
        states = mb.correlation_dynamics(model, start, times, equation, shift)
        for index in (0, 17, 59):
            u = scipy.linalg.expm(-1j * h * times[index])
            truth = (u @ occupied @ u.conj().T)[:2, :2]
            difference = states[index] - truth
            element, trace = results[f"{label}_element"], results[f"{label}_trace"]
            assert element[index] == pytest.approx(np.abs(difference).max(), abs=2e-8)
            singular = np.linalg.svd(difference)[1].sum()
            assert trace[index] == pytest.approx(singular, abs=4e-8)
    assert results["changes"][-1] <= 1e-8
    assert results["recurrence_time"] > times[-1]
    assert len(results["modes"]) == len(results["changes"]) + 1


def test_equal_baths_everywhere_make_redfield_and_davies_equally_wrong():
    for _, results in exact_results("dynamics", lambda g: g["model"] == "random"):
        gap = np.abs(np.subtract(results["redfield_trace"], results["davies_trace"])).max()
        assert gap < 1e-12
        assert max(results["redfield_trace"]) > 1e-3


def test_steady_states_and_their_currents():
    for given, results in exact_results("steady"):
        half = 0.5 * given["detuning"]
        h = np.array([[0.4 + half, 0.05], [0.05, 0.4 - half]])
        contacts = [mb.Contact(0, lead(), 0.2), mb.Contact(1, lead(False), 0.2)]
        model = mb.QuadraticModel(h, contacts)
        truth = landauer.steady_state(model)
        np.testing.assert_allclose(results["exact_particle"], truth.particle_currents, atol=1e-14)
        for equation in ("redfield", "davies", "local"):
            state = mb.steady_correlations(model, equation, lamb_shift=True).matrix
            difference = np.abs(np.linalg.eigvalsh(state - truth.correlation)).sum()
            assert results[f"{equation}_trace"] == pytest.approx(difference, abs=1e-10)
        for label in ("exact", *exact.LABELS):
            particle, energy = results[f"{label}_particle"], results[f"{label}_energy"]
            # What comes in goes out.
            assert sum(particle) == pytest.approx(0.0, abs=1e-10)
            assert sum(energy) == pytest.approx(0.0, abs=1e-10)
            entropy = -1.0 * (energy[0] - 0.5 * particle[0]) - 4.0 * (
                energy[1] + 0.5 * particle[1]
            )
            assert results[f"{label}_entropy"] == pytest.approx(entropy, abs=1e-14)
            if not label.startswith("local"):
                assert results[f"{label}_entropy"] > 0.0
        if given["detuning"] == 2.0:
            assert results["local_entropy"] < 0.0
        if given["detuning"] == 0.0:
            assert results["davies_trace"] > 10.0 * results["redfield_trace"]


def test_both_exact_answers_agree():
    ((_, results),) = exact_results("routes")
    for name in ("element", "trace", "particle", "energy"):
        assert results[f"difference_{name}"] < 1e-8
    assert results["remaining"] < 1e-9


def test_exact_needs_one_of_its_tables():
    with pytest.raises(ValueError, match="dynamics, steady, routes is needed"):
        parse_cases(EXACT[: EXACT.index("[[dynamics]]")], "file.toml")
