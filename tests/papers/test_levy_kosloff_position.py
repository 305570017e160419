"""Oscillators of Levy and Kosloff on (a + a†)R: definitions, brute force, limits and laws."""

import numpy as np
import pytest
from fock_oracles import correlation_matrix, currents, edge_weight
from levy_kosloff_oracle import moment_errors, precise_position, random_parameters
from paper_curves import curve

from manybody.networks import levy_kosloff
from manybody.papers.kit.config import Record
from manybody.papers.levy_kosloff import cases
from manybody.papers.levy_kosloff.nodes import Nodes
from manybody.papers.levy_kosloff.page import build_page
from manybody.physics.baths.densities import PhononDensity
from manybody.physics.baths.thermal import ThermalBath
from manybody.physics.fock.basis import FockBasis, annihilation_operator
from manybody.physics.fock.couplings import hermitian_coupling
from manybody.physics.fock.half_form import FockModel, build_redfield_equation
from manybody.physics.fock.small_systems import stationary_state

PLAIN = (2.0, 1.6, 0.9, 0.5, 0.3, 0.02)


def position(*values, approach="redfield"):
    return levy_kosloff(*values, approach=approach, contact="position")


def test_relative_accuracy_at_random_parameters():
    """Against the definition with 60 digits; κω² from 1e-12 to 1, ε to 1e-9 of ω."""
    rng = np.random.default_rng(11)
    sizes = []
    for _ in range(60):
        values = random_parameters(rng, strongest=0)
        found, expected = position(*values), precise_position(*values)
        sizes.append(abs(expected["heat_current_hot"]))
        filling = max(found["population_a"], found["population_b"])
        omega_h, omega_c, _, _, epsilon, kappa = values
        # Of nodes closer than they are damped the emptier one is known to rounding of the other.
        is_resolved = np.hypot(omega_h - omega_c, 2.0 * epsilon) > kappa * max(values[:2]) ** 3
        blur = 0.0 if is_resolved else 1e-15 * filling
        for name, rel, rounding in (
            ("heat_current_hot", 1e-10, 0.0),
            ("heat_current_cold", 1e-10, 0.0),
            ("population_a", 1e-13, blur),
            ("population_b", 1e-13, blur),
            ("correlation_x", 1e-12, 1e-14 * filling),
            ("correlation_y", 1e-12, 1e-15 * filling),
        ):
            error = abs(found[name] - expected[name])
            assert error <= rel * abs(expected[name]) + rounding, (name, values)
        scale = 1.0 + filling
        np.testing.assert_allclose(
            found["covariance_matrix"], expected["covariance"], atol=1e-13 * scale
        )
    assert min(sizes) < 1e-20 < 1e-3 < max(sizes)


def test_against_truncated_fock():
    """The generator of all particles with A = a + a†; its error is that of the cut."""
    omega_h, omega_c, t_h, t_c, epsilon, kappa = 2.0, 1.6, 0.6, 0.5, 0.3, 0.1
    found, exchanged = (
        position(2.0, 1.6, 0.6, 0.5, 0.3, 0.1),
        levy_kosloff(2.0, 1.6, 0.6, 0.5, 0.3, 0.1, approach="redfield"),
    )
    previous = np.inf
    for most in (3, 5):
        basis = FockBasis(2, "boson", max_particles=most)
        model = FockModel(basis, np.array([[omega_h, epsilon], [epsilon, omega_c]]))
        couplings = []
        for site, temperature in enumerate((t_h, t_c)):
            lowering = annihilation_operator(basis, site)
            bath = ThermalBath(PhononDensity(kappa), 1.0 / temperature)
            couplings.append(hermitian_coupling(lowering + lowering.T, bath))
        equation = build_redfield_equation(model, couplings)
        state = stationary_state(equation)
        heat = currents(equation, 2, state)[1]
        errors = moment_errors(correlation_matrix(basis, state), found)
        errors += [
            abs(heat[0] - found["heat_current_hot"]),
            abs(heat[1] - found["heat_current_cold"]),
        ]
        assert max(errors) < 0.3 * previous
        assert max(errors) <= 10.0 * edge_weight(basis, state)
        previous = max(errors)
    # Far below what the aR + h.c. is responsible for.
    assert previous < 0.05 * abs(found["heat_current_hot"] - exchanged["heat_current_hot"])


def test_weak_contacts_are_those_of_exchange():
    """κ → 0: what the rotating-wave contact gives, to second order in κ."""
    off = []
    for kappa in (1e-2, 1e-3):
        values = (*PLAIN[:5], kappa)
        one, other = position(*values), levy_kosloff(*values, approach="redfield")
        off.append(
            [
                abs(one["heat_current_hot"] / other["heat_current_hot"] - 1.0),
                abs(one["population_a"] / other["population_a"] - 1.0),
            ]
        )
    ratio = np.divide(off[0], off[1])
    np.testing.assert_allclose(ratio, 100.0, rtol=0.1)
    assert off[1][0] < 1e-4


@pytest.mark.parametrize("approach", ["local", "global"])
def test_secular_equations_know_no_pairs(approach):
    one, other = position(*PLAIN, approach=approach), levy_kosloff(*PLAIN, approach=approach)
    for name, value in other.items():
        np.testing.assert_array_equal(one[name], value, err_msg=name)


def test_equal_temperatures():
    """The Gibbs state of H, at any coupling, and not a bit of current."""
    for kappa in (1e-9, 0.02, 2.0):
        found = position(2.0, 1.6, 0.7, 0.7, 0.3, kappa)
        assert found["heat_current_hot"] == 0.0 == found["heat_current_cold"]
        levels, vectors = np.linalg.eigh(Nodes(*PLAIN).model.dense_hamiltonian())
        thermal = (vectors * (0.5 / np.tanh(levels / 1.4))) @ vectors.T
        expected = np.kron(thermal, np.eye(2))
        np.testing.assert_allclose(found["covariance_matrix"], expected, atol=1e-14)


def test_laws_at_random_parameters():
    """First law; the second one for weak contacts, by the Redfield and the global equation."""
    rng = np.random.default_rng(5)
    for _ in range(200):
        omega_h, omega_c, t_h, t_c, epsilon, kappa = random_parameters(rng, strongest=0)
        kappa *= 1e-2
        for approach in ("redfield", "global"):
            found = position(omega_h, omega_c, t_h, t_c, epsilon, kappa, approach=approach)
            heat = found["heat_current_hot"]
            assert abs(heat + found["heat_current_cold"]) <= 1e-14 * abs(heat)
            assert found["entropy_production"] >= 0.0
        # A state: σ + iJ/2 >= 0, to second order in the coupling.
        form = np.kron(np.eye(2), [[0.0, 1.0], [-1.0, 0.0]])
        state = position(omega_h, omega_c, t_h, t_c, epsilon, kappa)["covariance_matrix"]
        assert np.linalg.eigvalsh(state + 0.5j * form)[0] > -1e-3


def test_exchange_of_the_nodes():
    omega_h, omega_c, t_h, t_c, epsilon, kappa = PLAIN
    one, other = position(*PLAIN), position(omega_c, omega_h, t_c, t_h, epsilon, kappa)
    for name, partner, sign in (
        ("heat_current_hot", "heat_current_cold", 1.0),
        ("population_a", "population_b", 1.0),
        ("correlation_x", "correlation_x", 1.0),
        ("correlation_y", "correlation_y", -1.0),
        ("entropy_production", "entropy_production", 1.0),
    ):
        assert one[name] == pytest.approx(sign * other[partner], rel=1e-13), name
    for omega_h in (2.0, 1.6):
        apart = position(omega_h, 1.6, 0.9, 0.5, 0.0, 0.02)
        assert apart["heat_current_hot"] == 0.0 == apart["correlation_x"]


def test_strict_floating_point():
    with np.errstate(all="raise"):
        for kappa in (1e-300, 1e-3):
            for cold in (1e-3, 1e4):
                found = position(1.0, 0.6, 30.0, cold, 1e-6, kappa)
                assert np.isfinite(found["covariance_matrix"]).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"contact": "both"}, "contact = 'both': must be one of 'exchange', 'position'"),
        ({"statistics": "tls"}, "contact = 'position' with statistics = 'tls'"),
        ({"omega_c": 1e-120, "epsilon": 0.0}, "κω³ underflow"),
    ],
)
def test_bad_input(change, sentence):
    names = ("omega_h", "omega_c", "T_h", "T_c", "epsilon", "kappa")
    given = {**dict(zip(names, PLAIN)), "approach": "redfield", "contact": "position", **change}
    with pytest.raises(ValueError, match=sentence):
        levy_kosloff(**given)


@pytest.mark.parametrize("approach", ["redfield", "global"])
def test_modes_of_a_resonance_are_the_same_for_both_contacts(approach):
    """Without ε the modes are the nodes, d₊ the cold one."""
    point = {"omega_h": 5.0, "omega_c": 5.0, "T_h": 6.0, "T_c": 5.0, "epsilon": 0.0}
    for contact in ("exchange", "position"):
        found = levy_kosloff(**point, kappa=1e-3, approach=approach, contact=contact)
        assert found["cos_squared"] == 0.0
        assert found["population_plus"] == pytest.approx(found["population_b"], rel=1e-13)
        assert found["population_minus"] == pytest.approx(found["population_a"], rel=1e-13)


def test_cases_take_the_contact():
    """A curve of a study may name it; without it the parameters of a case are as ever."""
    given = {"omega_h": 10.0, "omega_c": 5.0, "T_h": 12.0, "T_c": 10.0, "kappa": 1e-4}
    words = {"statistics": "boson", "approach": "redfield"}
    found = curve(
        cases, "figure-3", "epsilon", (0.1, 1.0), 3, **given, **words, contact="position"
    )
    expected = position(10.0, 5.0, 12.0, 10.0, 0.1, 1e-4)["heat_current_hot"]
    assert found["heat_current_hot"][0] == expected
    run = {"figure": "figure-3", "over": "epsilon", "from": 0.1, "to": 1.0, "points": 3}
    tables = [{**run, **given, **words}, {**run, **given, **words, "contact": "position"}]
    without, with_it = cases.parse({"curves": tables, "errata": False})[1]
    assert "contact" not in without.given and with_it.given["contact"] == "position"


def test_a_page_tells_the_contacts_apart():
    run = {"figure": "figure-3", "over": "epsilon", "from": 0.1, "to": 1.0, "points": 3}
    given = {"omega_h": 10.0, "omega_c": 5.0, "T_h": 12.0, "T_c": 10.0, "kappa": 1e-4}
    words = {"statistics": "boson", "approach": ["local", "redfield"]}
    table = {**run, **given, **words, "contact": ["exchange", "position"]}
    found = cases.parse({"curves": [table], "errata": False})[1]
    records = [Record(case, cases.compute({}, case.given), 0.0) for case in found]
    page = build_page(None, records)
    drawn = page.makers["figure-3"]()
    titles = [axis.get_title() for axis in drawn.axes if axis.get_title()]
    # Every panel says whose it is.
    assert len(titles) == len(drawn.axes) == 6
    assert sum("(a + a†)R" in title for title in titles) == 3
