"""The exact answer for density coupling as QuTiP gives it; a study with and without QuTiP."""

import sys

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from drude_states import NAMES, WRITTEN, drude, random_state, written
from hierarchy_values import build_case
from oracles import random_hermitian
from tiny_cases import HIERARCHY, case_store, hierarchy_study

import manybody as mb
from manybody import cli
from manybody.errors import NumericalError, Unavailable
from manybody.papers.kit.case_kind import read_records
from manybody.papers.kit.systems import build_hamiltonian
from manybody.papers.snm.hierarchy import cases as hierarchy
from manybody.papers.snm.hierarchy import states as exact_states
from manybody.physics import reference


@pytest.fixture
def qutip():
    return pytest.importorskip("qutip", reason="QuTiP not installed")


def test_check_values_come_back(qutip):
    """By a smaller hierarchy, whose error says how far it may be off."""
    for case in WRITTEN["cases"]:
        hamiltonian, bath, start = build_case(case["n_sites"], case["coupling"])
        times = np.array(WRITTEN["times"])
        exact = exact_states.converge(hamiltonian, bath, start, times, 2e-4)
        states, late, _ = written(case["n_sites"], case["coupling"])
        change = exact_states.change_between(exact.states, exact.late, states, late)
        assert change.moving <= exact.error + case["error"]
        assert change.late <= exact.late_error + case["late_error"]
        unknowns = exact_states.count_unknowns(case["n_sites"], exact.terms, exact.depth)
        matrix = exact_states.build_hierarchy(hamiltonian, bath, exact.terms, exact.depth)
        assert matrix.shape == (unknowns, unknowns) and exact.unknowns == unknowns


@pytest.mark.parametrize(("coupling", "beta", "cutoff"), [(0.3, 1.0, 3.0), (0.7, 0.3, 8.0)])
def test_both_baths_have_one_correlation_function(coupling, beta, cutoff, qutip):
    bath = drude(coupling, beta, cutoff)
    ((theirs, _),) = exact_states.build_baths(2, bath.density, beta, 60)
    times = np.array([0.1, 0.3, 1.0, 3.0]) / cutoff
    found = sum(
        ((exponent.ck or 0.0) + 1j * (exponent.ck2 or 0.0)) * np.exp(-exponent.vk * times)
        for exponent in theirs.exponents
    )
    np.testing.assert_allclose(found, bath.correlation(times), rtol=2e-6)
    # The same coupling whatever the basis: the first relative one of two sites.
    np.testing.assert_allclose(theirs.exponents[0].Q.full(), np.diag([1.0, -1.0]) / np.sqrt(2.0))


@pytest.mark.parametrize(("n", "coupling"), [(2, 0.4), (3, 0.1)])
def test_pure_dephasing_is_exact(n, coupling, rng, qutip):
    """Without hopping ρ_jk decays by e^{−2 Re g(t)}, g = ∫₀ᵗds∫₀ˢdu C(u) of either bath."""
    bath, start = drude(coupling), random_state(rng, n)
    levels, times = np.array([0.3, -0.4, 0.1])[:n], np.array([0.2, 1.0, 5.0, 40.0])
    exact = exact_states.converge(np.diag(levels), bath, start, times, 3e-6)

    def exponent(time):
        def spectrum(omega):
            return bath.density.slope(omega) / omega / np.tanh(0.5 * bath.beta * omega)

        # 1 − cos in pieces, each by the quadrature that knows it.
        options = {"epsabs": 1e-12, "limit": 400}
        near = scipy.integrate.quad(
            lambda w: spectrum(w) * 2.0 * np.sin(0.5 * w * time) ** 2, 0.0, 1.0, **options
        )[0]
        far = scipy.integrate.quad(spectrum, 1.0, np.inf, **options)[0]
        wave = scipy.integrate.quad(
            spectrum, 1.0, np.inf, weight="cos", wvar=time, epsabs=1e-12, limlst=200
        )[0]
        return (near + far - wave) / (2.0 * np.pi)

    decay = np.array([np.exp(-2.0 * exponent(time)) for time in times])
    truth = start * np.exp(-1j * np.multiply.outer(times, levels[:, None] - levels))
    truth = truth * np.where(np.eye(n, dtype=bool), 1.0, decay[:, None, None])
    assert exact_states.trace_norms(exact.states - truth).max() < 1e-6
    np.testing.assert_allclose(exact.late, np.diag(np.diag(start)), atol=1e-9)


def test_fewer_baths_and_the_propagation_against_plain_qutip(rng, qutip):
    """A bath on each of three sites, no rotation, their own integrator; complex H and start."""
    from qutip.solver.heom import DrudeLorentzPadeBath, HEOMSolver

    hamiltonian, start, bath = random_hermitian(rng, 3), random_state(rng, 3), drude(0.4, 0.7, 2.0)
    times = np.array([0.0, 0.7, 3.0])
    system, baths = qutip.liouvillian(qutip.Qobj(hamiltonian)), []
    for site in range(3):
        own = DrudeLorentzPadeBath(
            qutip.basis(3, site).proj(), lam=0.16 * 2.0 / 4.0, gamma=2.0, T=1.0 / 0.7, Nk=1
        )
        system = system + own.terminator()[1]
        baths.append(own)
    options = {"progress_bar": "", "atol": 1e-12, "rtol": 1e-10, "nsteps": 100_000}
    run = HEOMSolver(system, baths, 3, options=options).run(qutip.Qobj(start), times)
    matrix = exact_states.build_hierarchy(hamiltonian, bath, 1, 3)
    found = exact_states.propagate(matrix, start, times, 1.0)
    for state, theirs in zip(found.states, run.states):
        np.testing.assert_allclose(state, theirs.full(), atol=1e-8)


def test_what_cannot_be_refined_is_said(monkeypatch, qutip):
    monkeypatch.setattr(exact_states, "LARGEST", 300)
    hamiltonian, bath, start = build_case(2, 0.4)
    with pytest.raises(NumericalError, match=r"of 3 terms and depth 4 .* more than 300 unknowns"):
        exact_states.converge(hamiltonian, bath, start, np.ones(1), 1e-7)
    monkeypatch.setattr(exact_states, "LARGEST", 10)
    with pytest.raises(NumericalError, match="even the smallest hierarchy"):
        exact_states.converge(hamiltonian, bath, start, np.ones(1), 1e-7)
    study = hierarchy_study()
    with pytest.raises(NumericalError, match="even the smallest hierarchy"):
        hierarchy.compute(study.settings, study.cases[0].given)


def test_a_case_is_the_direct_call(qutip):
    study = hierarchy_study(("tolerance = 0.05", "tolerance = 0.02"))
    given = study.cases[2].given
    results = hierarchy.compute(study.settings, given)
    hamiltonian, bath = (
        build_hamiltonian(study.settings, given),
        drude(given["coupling"], 0.5, 2.0),
    )
    times = np.array(results["times"])
    np.testing.assert_allclose(times, np.linspace(0.0, 6.0 / given["coupling"] ** 2, 60))
    exact = exact_states.converge(hamiltonian, bath, np.diag([1.0, 0.0]), times, 1e-5)
    run = mb.compare(mb.SingleParticleModel(hamiltonian), bath, times, 0, True, keep_states=True)
    for name in ("redfield", "davies"):
        truth = exact_states.trace_norms(run.states[name] - exact.states)
        np.testing.assert_allclose(results[f"{name}_trace"], truth, atol=2.0 * results["error"])
        lowest = np.linalg.eigvalsh(run.states[name]).min()
        assert results[f"{name}_smallest"] == pytest.approx(lowest, abs=1e-9)
    gibbs = reference.gibbs_state(hamiltonian, 0.5)
    truth = exact_states.trace_norms(gibbs - exact.late)[0]
    assert results["gibbs_late"] == pytest.approx(truth, abs=2.0 * results["late_error"])
    assert results["davies_late"] == pytest.approx(results["gibbs_late"], rel=1e-9)
    parts = results["gibbs_late_populations"], results["gibbs_late_coherences"]
    # Of two levels the norm is that of a vector of three components.
    assert np.hypot(*parts) == pytest.approx(results["gibbs_late"], rel=1e-9)
    smallest = min(max(results[f"{name}_trace"]) for name in NAMES)
    assert results["error"] <= 0.02 * smallest


def test_without_qutip_a_run_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "qutip.solver.heom", None)
    monkeypatch.setitem(sys.modules, "qutip", None)
    with pytest.raises(Unavailable, match=r'pip install "qutip>=5"'):
        exact_states.check_qutip()
    path, out = tmp_path / "study.toml", tmp_path / "out"
    path.write_text(HIERARCHY)
    assert cli.main(["run", str(path), "--out", str(out), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert "needs QuTiP" in said and said.count("\n") == 1
    assert not out.exists()
    assert cli.main(["plan", str(path)]) == 1
    printed = capsys.readouterr()
    assert "8 cases of the kind 'hierarchy'" in printed.out and "needs QuTiP" in printed.err


def test_a_study_runs_and_says_where_it_was_computed(tmp_path, qutip):
    path, out = tmp_path / "study.toml", tmp_path / "out"
    cut = HIERARCHY.index("[[dynamics]]", HIERARCHY.index("[[dynamics]]") + 1)
    path.write_text(HIERARCHY[:cut] + '[outputs]\nformats = ["csv"]\n')
    assert cli.main(["run", str(path), "--out", str(out), "--quiet"]) == 0
    store = case_store(out, "hierarchy")
    records, problems = read_records(store, store.study)
    assert len(records) == 3 and problems == []
    assert {record.attributes["qutip"] for record in records} == {qutip.__version__}
    assert cli.main(["status", str(out)]) == 0
