"""The exact answer for density coupling: against definitions, limits and known solutions.

What needs QuTiP is skipped without it; the check values, made with it, are not.
"""

import json
import sys

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.sparse as sp
from conftest import CHECKS
from hierarchy_values import build_case, read
from oracles import random_hermitian
from tiny_cases import HIERARCHY, case_store, hierarchy_study, parse_cases

import manybody as mb
from manybody import cli
from manybody.errors import NumericalError, Unavailable
from manybody.papers.kit.case_kind import read_records
from manybody.papers.kit.reservoirs import labels_of
from manybody.papers.kit.systems import build_hamiltonian
from manybody.papers.snm.hierarchy import cases as hierarchy
from manybody.papers.snm.hierarchy import states as exact_states
from manybody.physics import reference

WRITTEN = json.loads((CHECKS / "hierarchy.json").read_text())
NAMES = ("redfield", "davies", "universal-lindblad", "local")


@pytest.fixture
def qutip():
    return pytest.importorskip("qutip", reason="QuTiP not installed")


def drude(coupling=0.3, beta=1.0, cutoff=3.0):
    return mb.ThermalBath(mb.DrudeLorentzDensity(coupling, cutoff), beta)


def random_state(rng, n):
    factor = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    rho = factor @ factor.conj().T
    return rho / np.trace(rho)


# ---- parts


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_relative_couplings_and_the_sum_are_an_orthogonal_matrix(n):
    rows = exact_states.relative_couplings(n)
    whole = np.vstack([np.full((1, n), 1.0 / np.sqrt(n)), rows])
    np.testing.assert_allclose(whole @ whole.T, np.eye(n), atol=1e-15)


def test_trace_norms(rng):
    stack = np.array([random_hermitian(rng, 4) for _ in range(5)])
    expected = np.linalg.svd(stack, compute_uv=False).sum(axis=1)
    np.testing.assert_allclose(exact_states.trace_norms(stack), expected, rtol=1e-13)
    np.testing.assert_allclose(exact_states.trace_norms(stack[0]), expected[:1], rtol=1e-13)
    stack[2, 0, 1] = np.nan
    norms = exact_states.trace_norms(stack)
    assert norms[2] == np.inf and np.isfinite(norms[[0, 1, 3, 4]]).all()


def stiff(rng, n, size, fastest):
    """A stable matrix with a kernel: a Lindblad generator coupled to quickly decaying rest."""
    hamiltonian = random_hermitian(rng, n)
    matrix = np.zeros((size, size), dtype=complex)
    small = reference.davies_liouvillian(
        hamiltonian, reference.site_couplings(n), drude(), True, 1e-9
    )
    # Rows to columns.
    order = np.arange(n * n).reshape(n, n).T.ravel()
    matrix[: n * n, : n * n] = small[np.ix_(order, order)]
    rest = np.arange(n * n, size)
    matrix[rest, rest] = -np.geomspace(1.0, fastest, len(rest))
    feed = 0.2 * (rng.normal(size=(len(rest), n * n)) + 1j * rng.normal(size=(len(rest), n * n)))
    matrix[n * n :, : n * n] = feed
    return matrix, small


def test_the_rational_space_propagates_as_the_exponential_does(rng):
    """Also fed back, and with rates up to 10⁵ that no time resolves."""
    n, size = 2, 160
    matrix, _ = stiff(rng, n, size, 1e5)
    back = 0.02 * (rng.normal(size=(4, size - 4)) + 1j * rng.normal(size=(4, size - 4)))
    # The trace stays.
    back[3] = -back[0]
    matrix[:4, 4:] = back
    start, times = random_state(rng, n), np.array([0.0, 0.3, 2.0, 17.0, 200.0])
    found = exact_states.propagate(sp.csc_matrix(matrix), start, times, 1.5)
    vector = np.zeros(size, dtype=complex)
    vector[:4] = start.ravel("F")
    for time, state in zip(times, found.states):
        truth = (scipy.linalg.expm(time * matrix) @ vector)[:4].reshape(n, n, order="F")
        np.testing.assert_allclose(state, truth, atol=1e-9)
    assert found.change.largest < 1e-7
    late = (hierarchy.stationary_projection(matrix) @ vector)[:4].reshape(n, n, order="F")
    np.testing.assert_allclose(found.late, late, atol=1e-9)


def test_a_small_space_is_exact_and_growth_is_no_answer(rng):
    matrix, small = stiff(rng, 2, 4, 1.0)
    start = random_state(rng, 2)
    found = exact_states.propagate(sp.csc_matrix(matrix), start, np.array([3.0]), 1.5)
    truth = (scipy.linalg.expm(3.0 * small) @ start.ravel()).reshape(2, 2)
    np.testing.assert_allclose(found.states[0], truth, atol=1e-13)
    assert found.change == exact_states.Change(0.0, 0.0)
    growing = sp.csc_matrix(matrix + 0.1 * np.eye(4))
    lost = exact_states.propagate(growing, start, np.array([3.0]), 1.5)
    assert np.isnan(lost.late).all()
    assert exact_states.change_between(lost.states, lost.late, found.states, found.late) == (
        exact_states.Change(np.inf, np.inf)
    )


@pytest.mark.parametrize("equation", NAMES)
@pytest.mark.parametrize("shift", [False, True])
def test_equations_evolve_by_their_definition(equation, shift, rng):
    n = 3
    hamiltonian, start, times = (
        random_hermitian(rng, n),
        random_state(rng, n),
        np.array([0.0, 7.0]),
    )
    states, late = hierarchy.evolve(hamiltonian, drude(), equation, shift, start, times)
    given = hamiltonian, reference.site_couplings(n), drude()
    if equation == "davies":
        matrix = reference.davies_liouvillian(*given, shift, 1e-9)
    elif equation == "redfield":
        matrix = reference.redfield_liouvillian(*given, shift)
    elif equation == "local":
        matrix = reference.local_liouvillian(*given, shift)
    else:
        matrix = mb.liouvillian(
            mb.SingleParticleModel(hamiltonian), drude(), equation, shift
        ).toarray()
    for time, state in ((0.0, states[0]), (7.0, states[1]), (1e5, late)):
        truth = (scipy.linalg.expm(time * matrix) @ start.ravel()).reshape(n, n)
        np.testing.assert_allclose(state, truth, atol=1e-9)


def test_what_stays_where_nothing_relaxes(rng):
    """H and all A_j diagonal: populations stay, whatever they are; coherences go."""
    start = random_state(rng, 3)
    states = hierarchy.evolve(
        np.diag([0.0, 0.4, 1.0]), drude(), "redfield", True, start, np.ones(1)
    )
    np.testing.assert_allclose(states[1], np.diag(np.diag(start)), atol=1e-13)


def test_what_grows_has_no_late_state(monkeypatch):
    given = np.diag([0.0, 1.0]), drude(), "redfield", True, np.diag([1.0, 0.0]), np.ones(1)
    matrix = reference.redfield_liouvillian(given[0], reference.site_couplings(2), drude(), True)

    class Growing:
        def toarray(self):
            return matrix + 0.01 * np.eye(4)

    monkeypatch.setattr(hierarchy, "liouvillian", lambda *_: Growing())
    with pytest.raises(NumericalError, match="'redfield' with Lamb shift has a mode that grows"):
        hierarchy.evolve(*given)


# ---- check values: our equations against the exact answer, without QuTiP


def written(n_sites, coupling):
    (case,) = [c for c in WRITTEN["cases"] if (c["n_sites"], c["coupling"]) == (n_sites, coupling)]
    return np.array([read(rows) for rows in case["states"]]), read(case["late"]), case


def deviations(n_sites, coupling, equation, shift=True):
    """Differences of the states, and of the late ones in the eigenbasis of H."""
    hamiltonian, bath, start = build_case(n_sites, coupling)
    states, late = hierarchy.evolve(
        hamiltonian, bath, equation, shift, start, np.array(WRITTEN["times"])
    )
    exact, exact_late, _ = written(n_sites, coupling)
    vectors = np.linalg.eigh(hamiltonian)[1]
    return states - exact, vectors.conj().T @ (late - exact_late) @ vectors


def test_check_values_are_states():
    for case in WRITTEN["cases"]:
        states, late, _ = written(case["n_sites"], case["coupling"])
        for rho in (*states, late):
            assert abs(np.trace(rho) - 1.0) < 1e-8
            np.testing.assert_allclose(rho, rho.conj().T, atol=2e-9)
            assert np.linalg.eigvalsh(rho).min() > 0.0


@pytest.mark.parametrize("n_sites", [2, 3])
@pytest.mark.parametrize("equation", NAMES)
def test_errors_are_of_second_order_but_where_an_equation_lacks_what_is(n_sites, equation):
    """At once there is only the slip, of order J_int² in the state; after equal relaxation, at
    equal J_int² t, rates wrong by that part of themselves and the late state add theirs."""
    small, large = (
        exact_states.trace_norms(deviations(n_sites, g, equation)[0]) for g in (0.1, 0.2)
    )
    assert WRITTEN["times"][3] * 0.1**2 == pytest.approx(WRITTEN["times"][2] * 0.2**2)
    assert large[0] / small[0] == pytest.approx(4.0, rel=0.02)
    if equation in ("redfield", "universal-lindblad"):
        assert large[2] / small[3] == pytest.approx(4.0, rel=0.1)
        assert small.max() < 4e-3
    elif equation == "local":
        assert large[2] / small[3] == pytest.approx(1.0, rel=0.02)
    else:
        assert (
            small.max()
            > 2.5 * exact_states.trace_norms(deviations(n_sites, 0.1, "redfield")[0]).max()
        )


def test_late_states_by_orders_of_the_coupling():
    """L₀ρ₂ + L₂ρ₀ = 0 gives coherences of second order to an equation that has L₂, shift and all;
    populations of second order would need L₄.  Davies has no coherences at all."""

    def parts(coupling, equation, shift=True):
        late = deviations(2, coupling, equation, shift)[1]
        return abs(late[0, 0].real), abs(late[0, 1])

    for equation, power in (("redfield", 4), ("davies", 2)):
        (p, c), (more_p, more_c) = (parts(g, equation) for g in (0.2, 0.4))
        assert np.log2(more_p / p) == pytest.approx(2.0, abs=0.05), equation
        assert np.log2(more_c / c) == pytest.approx(power, abs=0.15), equation
    # Half of Γ is not enough for the coherences, and gives the Gibbs state.
    (_, c), (_, more_c) = (parts(g, "redfield", False) for g in (0.2, 0.4))
    assert np.log2(more_c / c) == pytest.approx(2.0, abs=0.05)
    assert parts(0.2, "redfield", False)[1] == pytest.approx(parts(0.2, "davies")[1], rel=1e-8)
    # What the local equation misses does not fall.
    assert parts(0.1, "local")[0] == pytest.approx(parts(0.2, "local")[0], rel=0.01)


def euclidean_correlation(bath, u):
    """C(−iu) = ∫ dω/2π D(ω) cosh((β/2 − u)ω) / sinh(βω/2), 0 < u < β."""

    def integrand(omega):
        up, down = np.exp(-omega * u), np.exp(-omega * (bath.beta - u))
        return bath.density(omega) * (up + down) / -np.expm1(-bath.beta * omega)

    pieces = [0.0, 1.0, 10.0, 100.0, 1000.0, 30.0 / min(u, bath.beta - u) + 2000.0]
    return sum(
        scipy.integrate.quad(integrand, a, b, epsabs=1e-11, limit=200)[0]
        for a, b in zip(pieces, pieces[1:])
    ) / (2.0 * np.pi)


def mean_force(hamiltonian, bath):
    """Second-order part of tr_B e^{−β(H + Σ A_jB_j)} / Z, as a definition has it."""
    beta, n = bath.beta, len(hamiltonian)
    energies, vectors = np.linalg.eigh(hamiltonian)
    coupled = [vectors.conj().T @ a @ vectors for a in reference.site_couplings(n)]

    def at(a, tau):
        return np.exp(tau * energies)[:, None] * a * np.exp(-tau * energies)

    nodes, weights = np.polynomial.legendre.leggauss(24)
    half, halves = 0.5 * (nodes + 1.0), 0.5 * weights
    total = np.zeros((n, n), dtype=complex)
    for x, w in zip(half, halves):
        # C(−iu) has logarithms at both ends: u = β x²(3 − 2x) flattens them.
        u, du = beta * x * x * (3.0 - 2.0 * x), 6.0 * beta * x * (1.0 - x) * w
        inner = sum(
            (beta - u) * v * at(a, tau) @ at(a, tau - u)
            for y, v in zip(half, halves)
            for tau in [u + (beta - u) * y]
            for a in coupled
        )
        total += du * euclidean_correlation(bath, u) * inner
    boltzmann = np.diag(np.exp(-beta * energies))
    order = boltzmann @ total
    gibbs = boltzmann / np.trace(boltzmann)
    second = order / np.trace(boltzmann) - gibbs * np.trace(order) / np.trace(boltzmann)
    return vectors @ second @ vectors.conj().T


@pytest.mark.parametrize("n_sites", [2, 3])
def test_the_exact_late_state_is_that_of_the_whole_in_equilibrium(n_sites):
    """Not the Gibbs state of H: the difference is mean force, to second order a double integral
    over imaginary time that knows nothing of hierarchies."""
    off = []
    for coupling in (0.1, 0.2):
        hamiltonian, bath, _ = build_case(n_sites, coupling)
        _, late, _ = written(n_sites, coupling)
        difference = late - reference.gibbs_state(hamiltonian, bath.beta)
        second = mean_force(hamiltonian, bath)
        assert np.abs(second).max() > 2e-4
        off.append(np.abs(difference - second).max() / np.abs(second).max())
    assert off[0] < 0.01 and off[1] < 0.03


# ---- with QuTiP


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


# ---- a study without QuTiP, and bad input


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


def test_equations_are_those_that_apply():
    line = 'equations = ["redfield", "davies", "universal-lindblad", "local"]\n'
    everything = hierarchy_study((line, "")).settings["equations"]
    assert set(NAMES) <= set(everything) and "partial-secular" in everything
    assert not any(name.startswith("quasi-local") for name in everything)
    one = hierarchy_study((line, 'equations = ["partial-secular-0.5", "davies"]\n'))
    assert one.settings["equations"] == ["partial-secular-0.5", "davies"]
    labels = labels_of(["davies", "local"])
    assert labels == ["davies", "local", "davies_without_shift", "local_without_shift"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 3", "seed = 3\nsede = 4", "unknown key 'sede'"),
        ("cutoff = 2.0", "", "key 'cutoff' is missing"),
        ("cutoff = 2.0", "cutoff = 0", "cutoff = 0"),
        ("tolerance = 0.05", "tolerance = 0.5", "tolerance = 0.5: must be at most 0.1"),
        ("tolerance = 0.05", "tolerance = 0", "tolerance = 0"),
        ('"local"]', '"lokal"]', "equations: 'lokal' must be one of"),
        ('"local"]', '"quasi-local-1"]', "'quasi-local-1' does not apply"),
        ('"local"]', '"davies"]', "at least two different"),
        ("coupling = [0.1, 0.2, 0.4]", "coupling = [0.1, 0.1]", "distinct"),
        ("coupling = [0.1, 0.2, 0.4]", "coupling = [0.1, 0.0]", "coupling = 0.0"),
        ("coupling = [0.1, 0.2, 0.4]\n", "", r"dynamics\[0\]: key 'coupling' is missing"),
        ("beta = [0.25, 1.0]", "beta = [0.25, -1.0]", r"dynamics\[1\].beta = -1.0"),
        ("beta = [0.25, 1.0]", "beta = inf", r"dynamics\[1\].beta = inf"),
        (
            'model = "pair"\nn_sites = 2',
            'model = "tilted-ring"\nn_sites = [3, 4]',
            "4 sites: a hierarchy",
        ),
        ('"pair"\nn_sites = 2', '"tilted-ring"\nn_sites = 1', "1 sites: a hierarchy"),
        ("hopping = 0.5", "hopping = 0.0", r"dynamics\[0\]: hopping from the first site = 0"),
        ("n_times = 60", "n_times = 1", "n_times = 1"),
        ("duration = 6.0", "duration = 0", "duration = 0"),
        ("[[dynamics]]", "[[steady]]", "unknown key 'steady'|key 'dynamics' is missing"),
    ],
)
def test_bad_input_is_one_sentence(old, new, words):
    assert old in HIERARCHY
    with pytest.raises((ValueError, TypeError), match=words) as raised:
        parse_cases(HIERARCHY.replace(old, new), "file.toml")
    assert str(raised.value).startswith("file.toml: ")
    assert "\n" not in str(raised.value)


def test_a_tilted_ring():
    given = {"model": "tilted-ring", "detuning": 1.0, "hopping": 0.5, "flux": 1.0}
    two = build_hamiltonian({"seed": 0}, {**given, "n_sites": 2})
    np.testing.assert_allclose(np.abs(two), [[0.5, 0.5], [0.5, 0.5]])
    three = build_hamiltonian({"seed": 0}, {**given, "n_sites": 3})
    np.testing.assert_allclose(np.diag(three), [0.5, 0.0, -0.5])
    np.testing.assert_array_equal(three, three.conj().T)
    assert np.angle(three[0, 1] * three[1, 2] * three[2, 0]) == pytest.approx(1.0)
