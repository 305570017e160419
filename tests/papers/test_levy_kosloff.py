"""The two nodes of Levy and Kosloff: check values, formulas, brute force and laws."""

import json
from pathlib import Path

import numpy as np
import pytest
from fock_oracles import build_local_equation, correlation_matrix, edge_weight
from fock_oracles import currents as fock_currents
from levy_kosloff_oracle import (
    FIELDS,
    global_covariance,
    kron_two_level,
    local_covariance,
    moment_errors,
    precise,
    random_parameters,
)
from paper_curves import curve

from manybody.networks import levy_kosloff
from manybody.papers.levy_kosloff import cases
from manybody.papers.levy_kosloff.formulas import (
    bath_rate,
    global_heat_current,
    local_heat_current,
    local_moments,
)
from manybody.papers.levy_kosloff.model import EQUATIONS
from manybody.papers.levy_kosloff.nodes import Nodes, TwoLevelReservoir
from manybody.physics.baths.densities import OhmicDensity
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.fock.basis import FockBasis
from manybody.physics.fock.couplings import exchange_couplings
from manybody.physics.fock.half_form import FockModel, build_redfield_equation
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.fock.small_systems import stationary_state
from manybody.physics.gaussian.correlations import build_generator, currents
from manybody.physics.gaussian.relaxation import build_relaxation, steady_correlations

ROWS = json.loads((Path(__file__).parents[1] / "checks" / "networks.json").read_text("utf-8"))[
    "levy_kosloff"
]["rows"]
NAMES = ("wh", "wc", "Th", "Tc", "eps", "kappa")
KINDS = [(s, a) for s in ("boson", "tls") for a in ("local", "global", "redfield")]
DELTA = {"boson": -1, "tls": 1}
EVERY = pytest.mark.parametrize(("statistics", "approach"), KINDS)
PLAIN = (2.0, 1.6, 0.9, 0.5, 0.3, 0.02)


def parameters(row):
    return tuple(row[name] for name in NAMES)


@pytest.mark.parametrize("approach", ["local", "global"])
@pytest.mark.parametrize("statistics", ["boson", "tls"])
@pytest.mark.parametrize("row", ROWS)
def test_check_values(row, statistics, approach):
    """Every field of every row to 1e-12 relative, where 1e-9 is asked for."""
    result = levy_kosloff(*parameters(row), statistics, approach)
    expected = row[f"{approach}_{statistics}"]
    assert set(expected) >= {"Jh", "na", "nb", "X", "sigma"}
    for name, value in expected.items():
        assert result[FIELDS[name]] == pytest.approx(value, rel=1e-12, abs=0.0), name
    first_law = result["heat_current_hot"] + result["heat_current_cold"]
    assert abs(first_law) <= 1e-14 * abs(result["heat_current_hot"])


def test_smallest_numbers_of_the_checks():
    """What makes the check values hard: currents of 1e-15, entropy production below 1e-16."""
    currents_ = [abs(row[kind]["Jh"]) for row in ROWS for kind in ("local_tls", "global_tls")]
    production = [abs(row[kind]["sigma"]) for row in ROWS for kind in ("local_tls", "global_tls")]
    assert min(currents_) < 2e-15
    assert min(production) < 1e-16


@pytest.mark.parametrize("row", ROWS)
def test_closed_forms(row):
    """(9) and appendix A as printed, (13) corrected and as printed, the rates (15)."""
    values = parameters(row)
    for statistics in DELTA:
        expected = row[f"local_{statistics}"]["Jh"]
        found = local_heat_current(Nodes(*values, statistics))
        assert found == pytest.approx(expected, rel=1e-12)
    nodes = Nodes(*values)
    assert global_heat_current(nodes) == pytest.approx(row["eq13_fixed"], rel=1e-12)
    printed = global_heat_current(nodes, as_printed=True)
    assert printed == pytest.approx(row["eq13_as_printed"], rel=1e-12)
    assert bath_rate(values[0], values[2], values[5]) == pytest.approx(row["gamma_h_local"])
    assert bath_rate(values[1], values[3], values[5]) == pytest.approx(row["gamma_c_local"])


@EVERY
def test_relative_accuracy_at_random_parameters(statistics, approach):
    """Against a 60-digit solve of the equations term by term; κ to 1e-12, ε to 1e-9.

    What two nodes of very different filling share, X and the emptier mode, is known to rounding
    of the share: modes that are close to each other have X = 2cs(n₊ − n₋).
    """
    rng = np.random.default_rng(3)
    sizes = []
    for _ in range(60):
        values = random_parameters(rng)
        result = levy_kosloff(*values, statistics, approach)
        expected = precise(*values, statistics, approach)
        sizes.append(abs(expected["heat_current_hot"]))
        shared = np.sqrt(result["cos_squared"] * (1.0 - result["cos_squared"]))
        filling = max(result["population_a"], result["population_b"])
        rounding = {
            "correlation_x": 1e-14 * shared * filling,
            "population_plus": 1e-14 * shared**2 * filling,
            "correlation_y": 1e-300,
        }
        for name, value in expected.items():
            error = abs(result[name] - value)
            if approach == "global" and name == "correlation_y":
                value = 0.0
                error = abs(result[name])
            assert error <= 3e-12 * abs(value) + rounding.get(name, 0.0), (name, values)
    assert min(sizes) < 1e-25 < 1e-6 < max(sizes)


@EVERY
def test_plain_solution_agrees_where_it_keeps_digits(statistics, approach):
    """The usual path, Lyapunov equation and currents as F − KC, at strong coupling."""
    model = Nodes(*PLAIN, statistics).model
    generator = build_generator(model, EQUATIONS[approach])
    steady = steady_correlations(build_relaxation(generator)).matrix
    flows = currents(generator, steady)
    result = levy_kosloff(*PLAIN, statistics, approach)
    assert result["heat_current_hot"] == pytest.approx(flows.energy[0], rel=1e-10)
    assert result["heat_current_cold"] == pytest.approx(flows.energy[1], rel=1e-10)
    assert result["population_a"] == pytest.approx(steady[0, 0].real, rel=1e-12)
    assert result["correlation_x"] == pytest.approx(2 * steady[0, 1].real, rel=1e-11)
    assert result["correlation_y"] == pytest.approx(2 * steady[0, 1].imag, rel=1e-10, abs=1e-17)


def test_a_plain_solution_loses_the_currents():
    """Why the deviations are solved for: at κ = 1e-7, ε = 1e-4 nothing of J is left."""
    row = ROWS[3]
    model = Nodes(*parameters(row)).model
    generator = build_generator(model, "local")
    steady = steady_correlations(build_relaxation(generator)).matrix
    lost = currents(generator, steady).energy[0]
    assert abs(lost / row["local_boson"]["Jh"] - 1.0) > 1e-7


@pytest.mark.parametrize("approach", ["local", "global"])
def test_two_level_systems_against_kron(approach):
    """The Liouvillian of two spins; for the global one from σ_x and the four levels."""
    result = levy_kosloff(*PLAIN, "tls", approach)
    for name, value in kron_two_level(*PLAIN, approach).items():
        assert result[name] == pytest.approx(value, rel=1e-10, abs=1e-15), name


def fock_equation(model, basis, approach, graded=True):
    """The many-particle generator of a network."""
    many = FockModel(basis, model.hamiltonian)
    couplings = [
        half
        for contact in model.contacts
        for half in exchange_couplings(2, contact.site, contact.reservoir, graded=graded)
    ]
    build = {
        "local": build_local_equation,
        "global": build_davies_equation,
        "redfield": build_redfield_equation,
    }[approach]
    return build(many, couplings)


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("approach", list(EQUATIONS))
def test_two_level_systems_against_fock(approach, graded):
    """The many-particle equations; the sign strings of Jordan and Wigner have no influence."""
    model = Nodes(*PLAIN, "tls").model
    basis = FockBasis(2, "fermion")
    equation = fock_equation(model, basis, approach, graded)
    state = stationary_state(equation)
    energy = fock_currents(equation, 4, state)[1]
    found = correlation_matrix(basis, state)
    result = levy_kosloff(*PLAIN, "tls", approach)
    assert result["heat_current_hot"] == pytest.approx(energy[0] + energy[1], rel=1e-10)
    assert result["heat_current_cold"] == pytest.approx(energy[2] + energy[3], rel=1e-10)
    assert result["population_a"] == pytest.approx(found[0, 0].real, rel=1e-11)
    assert result["correlation_x"] == pytest.approx(2 * found[0, 1].real, rel=1e-10)
    assert result["correlation_y"] == pytest.approx(2 * found[0, 1].imag, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("approach", list(EQUATIONS))
def test_oscillators_against_truncated_fock(approach):
    """The error of a cut at M bosons is a few times the weight of the fullest sector.

    T = 0.7 and 0.5: 2e-4 at M = 3, 1e-5 at M = 4, 6e-7 at M = 5.
    """
    values = (2.0, 1.6, 0.7, 0.5, 0.3, 0.02)
    model = Nodes(*values, "boson").model
    result = levy_kosloff(*values, "boson", approach)
    previous = np.inf
    for most in (3, 4, 5):
        basis = FockBasis(2, "boson", max_particles=most)
        equation = fock_equation(model, basis, approach)
        state = stationary_state(equation)
        weight = edge_weight(basis, state)
        energy = fock_currents(equation, 4, state)[1]
        errors = moment_errors(correlation_matrix(basis, state), result)
        errors.append(abs(energy[0] + energy[1] - result["heat_current_hot"]))
        assert max(errors) <= (most + 2) * weight
        assert weight < 0.12 * previous
        previous = weight
    assert previous < 1e-5


@EVERY
def test_no_current_at_equal_temperatures(statistics, approach):
    """Zero to the last bit for global and Redfield; the local one moves heat all the same."""
    result = levy_kosloff(2.0, 1.6, 0.7, 0.7, 0.3, 0.02, statistics, approach)
    if approach == "local":
        assert result["heat_current_hot"] < -1e-5
        resonant = levy_kosloff(2.0, 2.0, 0.7, 0.7, 0.3, 0.02, statistics, approach)
        assert resonant["heat_current_hot"] == 0.0
    else:
        assert result["heat_current_hot"] == 0.0
        assert result["heat_current_cold"] == 0.0
    assert result["entropy_production"] == 0.0


@EVERY
def test_exchange_of_the_nodes(statistics, approach):
    """Both ends swapped: currents, populations and Y change places or sign."""
    omega_h, omega_c, t_h, t_c, epsilon, kappa = PLAIN
    one = levy_kosloff(*PLAIN, statistics, approach)
    other = levy_kosloff(omega_c, omega_h, t_c, t_h, epsilon, kappa, statistics, approach)
    for name, partner, sign in (
        ("heat_current_hot", "heat_current_cold", 1.0),
        ("population_a", "population_b", 1.0),
        ("population_plus", "population_plus", 1.0),
        ("correlation_x", "correlation_x", 1.0),
        ("correlation_y", "correlation_y", -1.0),
        ("entropy_production", "entropy_production", 1.0),
    ):
        assert one[name] == pytest.approx(sign * other[partner], rel=1e-13, abs=1e-300), name
    assert one["cos_squared"] == pytest.approx(1.0 - other["cos_squared"], rel=1e-13)


@EVERY
def test_weak_hopping(statistics, approach):
    """ε → 0: thermal populations of the bare nodes, J ∝ ε²; nothing flows at ε = 0."""
    omega_h, omega_c, t_h, t_c, _, kappa = PLAIN
    heat = []
    for epsilon in (1e-6, 1e-7):
        result = levy_kosloff(omega_h, omega_c, t_h, t_c, epsilon, kappa, statistics, approach)
        heat.append(result["heat_current_hot"])
        for own, omega, temperature in (("a", omega_h, t_h), ("b", omega_c, t_c)):
            thermal = 1.0 / (np.exp(omega / temperature) + DELTA[statistics])
            assert result[f"population_{own}"] == pytest.approx(thermal, rel=1e-9)
    assert heat[0] == pytest.approx(100.0 * heat[1], rel=1e-10)
    uncoupled = levy_kosloff(omega_h, omega_c, t_h, t_c, 0.0, kappa, statistics, approach)
    assert uncoupled["heat_current_hot"] == 0.0 == uncoupled["heat_current_cold"]


def test_redfield_is_local_at_a_resonance_narrower_than_the_damping():
    """ω_h = ω_c and ε ≪ κω³: the rotating terms e^{2iεt} stay (LK below Fig. 4).

    There Redfield and the local equation agree, and the secular one has a current of its own
    that does not vanish with ε.  The opposite holds off resonance.
    """
    kinds = ("local", "global", "redfield")
    values = (2.0, 2.0, 0.9, 0.5, 1e-6, 0.02)
    local, secular, redfield = (
        levy_kosloff(*values, approach=each)["heat_current_hot"] for each in kinds
    )
    assert redfield == pytest.approx(local, rel=1e-5)
    assert secular > 1e6 * local
    values = (2.0, 1.0, 0.9, 0.5, 1e-3, 1e-7)
    local, secular, redfield = (
        levy_kosloff(*values, approach=each)["heat_current_hot"] for each in kinds
    )
    assert redfield == pytest.approx(secular, rel=1e-5)
    assert abs(local / secular - 1.0) > 0.1


def test_second_law():
    """The local equation violates it exactly where LK eq. (9) says, the others nowhere."""
    for hot in (8.0, 10.0, 12.0, 20.0):
        for omega in (1.0, 4.5, 5.0, 5.5, 7.0, 11.0):
            point = (omega, 5.0, hot, 10.0, 1e-4, 1e-7)
            expected = np.sign(5.0 * hot - 10.0 * omega) * np.sign(hot - 10.0)
            assert np.sign(levy_kosloff(*point)["entropy_production"]) == expected
            for statistics in ("boson", "tls"):
                for approach in ("global", "redfield"):
                    other = levy_kosloff(*point, statistics, approach)["entropy_production"]
                    assert np.sign(other) == float(hot != 10.0)


def test_sign_at_the_border():
    """One unit in the last place of ω_h decides the direction, and on the border nothing flows."""
    for T_h, border in ((12.0, 6.0), (20.0, 10.0)):  # noqa: N806
        for omega, sign in (
            (np.nextafter(border, 0), 1.0),
            (border, 0.0),
            (np.nextafter(border, 99), -1.0),
        ):
            result = levy_kosloff(float(omega), 5.0, T_h, 10.0, 1e-4, 1e-7)
            assert np.sign(result["heat_current_hot"]) == sign


def test_statements_on_the_figures():
    """J_h of Fig. 3: from cold to hot in the local approach, from hot to cold in the global."""
    third = {"omega_h": 10.0, "omega_c": 5.0, "T_h": 12.0, "T_c": 10.0, "kappa": 1e-4}
    for approach, sign in (("local", -1.0), ("global", 1.0)):
        kind = {"statistics": "boson", "approach": approach}
        found = curve(cases, "figure-3", "epsilon", (1e-4, 3.0), 5, **third, **kind)
        assert np.all(sign * found["heat_current_hot"] > 0.0)
        np.testing.assert_allclose(found["heat_current_hot"], found["formula_heat"], rtol=1e-12)


def test_moments_solve_equation_8():
    """The stationary moments obey LK eq. (8); J_h of appendix A in terms of them."""
    omega_h, _, t_h, _, epsilon, kappa = PLAIN
    for statistics, delta in DELTA.items():
        a, b, x, y = local_moments(Nodes(*PLAIN, statistics))
        result = levy_kosloff(*PLAIN, statistics, "local")
        found = [
            result[name]
            for name in ("population_a", "population_b", "correlation_x", "correlation_y")
        ]
        np.testing.assert_allclose(found, [a, b, x, y], rtol=1e-11)
        gamma, boltzmann = bath_rate(omega_h, t_h, kappa), np.exp(-omega_h / t_h)
        damping = 1.0 + delta * boltzmann
        heat = omega_h * gamma * (boltzmann - a * damping) - 0.5 * epsilon * gamma * x * damping
        assert result["heat_current_hot"] == pytest.approx(heat, rel=1e-11)


def test_covariance_matrices():
    """Appendix C as printed; correlations (17); separable in both approaches."""
    for approach in EQUATIONS:
        result = levy_kosloff(*PLAIN, approach=approach)
        names = ("population_a", "population_b", "correlation_x", "correlation_y")
        matrix = result["covariance_matrix"]
        printed = local_covariance(*(result[name] for name in names))
        np.testing.assert_allclose(matrix, printed, atol=1e-15)
        if approach == "global":
            cos_squared = Nodes(*PLAIN).mixing[2]
            printed = global_covariance(
                result["population_plus"], result["population_minus"], cos_squared
            )
            np.testing.assert_allclose(matrix, printed, atol=1e-15)
        np.testing.assert_allclose(result["correlation_functions"].diagonal(), 1.0)
        assert result["correlation_functions"][0, 2] == pytest.approx(
            matrix[0, 2] / np.sqrt(matrix[0, 0] * matrix[2, 2])
        )
        # p_B → −p_B is partial transposition: symplectic eigenvalues stay above ½ (Simon 2000).
        mirror = np.diag([1.0, 1.0, 1.0, -1.0])
        form = np.kron(np.eye(2), [[0.0, 1.0], [-1.0, 0.0]])
        assert np.abs(np.linalg.eigvals(form @ mirror @ matrix @ mirror)).min() > 0.5
    assert "covariance_matrix" not in levy_kosloff(*PLAIN, "tls")


def test_over_correlated_nodes():
    """⟨x_Ap_B⟩ vanishes in the global approach and not in the local one (LK below Fig. 4)."""
    local = levy_kosloff(*PLAIN, approach="local")["correlation_functions"]
    secular = levy_kosloff(*PLAIN, approach="global")["correlation_functions"]
    assert abs(local[0, 3]) > 1e-3
    assert secular[0, 3] == 0.0


def test_local_form_of_the_global_generator():
    """LK eq. (16) as printed is eq. (11), operator by operator, on two truncated modes."""
    lower = np.diag(np.sqrt(np.arange(1.0, 4.0)), 1)
    a, b = np.kron(lower, np.eye(4)), np.kron(np.eye(4), lower)
    plus, minus, cos_squared, sin_squared = Nodes(*PLAIN).mixing
    c, s = np.sqrt(cos_squared), np.sqrt(sin_squared)
    d_plus, d_minus = c * a + s * b, c * b - s * a
    rng = np.random.default_rng(5)
    rho = rng.standard_normal((16, 16)) + 1j * rng.standard_normal((16, 16))

    def pair(left, right, omega):
        """LρR† − ½{R†L, ρ} + e^{−βω}(R†ρL − ½{LR†, ρ}), symmetrised as printed."""
        boltzmann = np.exp(-omega / 0.9)
        down = left @ rho @ right.T - 0.5 * (right.T @ left @ rho + rho @ right.T @ left)
        up = right.T @ rho @ left - 0.5 * (left @ right.T @ rho + rho @ left @ right.T)
        return down + boltzmann * up

    weights = bath_rate(plus, 0.9, 0.02), bath_rate(minus, 0.9, 0.02)
    direct = weights[0] * c**2 * pair(d_plus, d_plus, plus)
    direct = direct + weights[1] * s**2 * pair(d_minus, d_minus, minus)
    printed = weights[0] * c**4 * pair(a, a, plus) + weights[1] * s**4 * pair(a, a, minus)
    printed = printed + c**2 * s**2 * (
        weights[0] * pair(b, b, plus) + weights[1] * pair(b, b, minus)
    )
    for weight, omega in ((weights[0] * c**3 * s, plus), (-weights[1] * c * s**3, minus)):
        printed = printed + weight * (pair(a, b, omega) + pair(b, a, omega))
    np.testing.assert_allclose(printed, direct, atol=1e-14)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"T_h": -1.0}, r"T_h = -1.0: must be > 0, LK eqs. \(6\) and \(7\)"),
        ({"T_c": 0.0}, r"T_c = 0.0: must be > 0, LK eqs. \(6\) and \(7\)"),
        ({"omega_h": -2.0}, r"omega_h = -2.0: must be > 0, LK eq. \(2\)"),
        ({"kappa": -1e-7}, r"kappa = -1e-07: must be > 0, LK eq. \(15\)"),
        ({"kappa": 0.0}, r"LK eq. \(15\) needs κ > 0"),
        ({"epsilon": -0.1}, r"epsilon = -0.1: LK below eq. \(3\)"),
        ({"omega_h": 4.0, "omega_c": 4.0, "epsilon": 4.0}, "condition ω₋ > 0 above eq"),
        ({"epsilon": 3.0}, "condition ω₋ > 0 above eq"),
        ({"statistics": "fermion"}, "statistics = 'fermion': must be one of 'boson', 'tls'"),
        ({"approach": "davies"}, "approach = 'davies': must be one of 'local', 'global', 'red"),
        ({"T_h": float("nan")}, "T_h = nan"),
    ],
)
def test_bad_input(change, sentence):
    names = ("omega_h", "omega_c", "T_h", "T_c", "epsilon", "kappa")
    arguments = {**dict(zip(names, PLAIN)), **change}
    with pytest.raises(ValueError, match=sentence):
        levy_kosloff(**arguments)
    if "T_h" in change:
        with pytest.raises(TypeError, match="T_h = '3'"):
            levy_kosloff(**{**arguments, "T_h": "3"})


def test_reservoir_of_a_two_level_system():
    """Loss D(1 + n) and gain Dn, with their Lamb shifts, as exchange with fermions."""
    bosons = Reservoir(OhmicDensity(0.3, 4.0), 0.7, statistics="boson")
    bath = TwoLevelReservoir(bosons)
    omega = np.array([1e-9, 0.2, 1.0, 30.0])
    n = 1.0 / np.expm1(0.7 * omega)
    loss, gain = (half.bath for half in exchange_couplings(1, 0, bath))
    density = bosons.spectrum(omega)
    np.testing.assert_allclose(loss.gamma(omega), density * (1.0 + n), rtol=1e-14)
    np.testing.assert_allclose(gain.gamma(-omega), density * n, rtol=1e-14)
    as_boson = exchange_couplings(1, 0, bosons)
    np.testing.assert_allclose(loss.eta(omega), as_boson[0].bath.eta(omega), rtol=1e-12)
    np.testing.assert_allclose(gain.eta(-omega), as_boson[1].bath.eta(-omega), rtol=1e-12)
    np.testing.assert_allclose(bath.occupation(-omega) + bath.occupation(omega), 1.0)
    np.testing.assert_allclose(bath.occupation(omega) * bath.spectrum(omega), density * n)
    for refused in (
        Reservoir(OhmicDensity(0.3, 4.0), 0.7),
        Reservoir(OhmicDensity(0.3, 4.0), 0.7, -1.0, "boson"),
    ):
        with pytest.raises(ValueError, match="bosons of chemical potential 0 are needed"):
            TwoLevelReservoir(refused)


def test_numbers_of_other_types():
    expected = levy_kosloff(2.0, 1.0, 3.0, 2.0, 0.5, 0.25)["heat_current_hot"]
    found = levy_kosloff(np.float32(2), 1, np.int64(3), 2, np.float16(0.5), 0.25)
    assert found["heat_current_hot"] == expected
