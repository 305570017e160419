"""Examples by subject run, and print what they say they print."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

import manybody as mb

EXAMPLES = Path(__file__).parents[1] / "scripts" / "examples"
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]\d+)?")


def printed(name, capsys):
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    return capsys.readouterr().out.splitlines()


def numbers(line):
    return [float(word) for word in NUMBER.findall(line.split(":")[-1])]


def test_every_example_is_run():
    here = Path(__file__).read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'printed("{path.stem}"' in here


def test_driven_comparison(capsys):
    lines = printed("driven_comparison", capsys)
    distances = numbers(lines[1])
    assert distances[0] == 0.0 and 1e-3 < max(distances) < 0.1
    assert numbers(lines[2])[0] < 1e-3 and numbers(lines[4])[-1] < 1e-4


def test_response(capsys):
    lines = printed("response", capsys)
    for line in lines:
        if "populations" in line:
            assert sum(numbers(line)) == pytest.approx(0.0, abs=2e-4)
            # The site that is raised empties.
            assert numbers(line)[1] < 0.0
        if "heat from" in line or "particle currents" in line:
            # What comes in goes out, in the new steady state.
            assert sum(numbers(line)) == pytest.approx(0.0, abs=3e-5)
            assert abs(numbers(line)[0]) > 1e-4


def test_entropy_violation(capsys):
    redfield, _, davies, _ = printed("entropy_violation", capsys)
    assert numbers(redfield)[0] < -1e-4
    assert numbers(davies)[0] > -1e-9


# ---- the doors themselves --------------------------------------------------------------------

BATH = mb.OhmicBath(0.3, 5.0, 0.7)


@pytest.mark.parametrize("equation", ["redfield", "davies"])
def test_the_response_of_a_model_is_its_derivative(equation, rng):
    """Steady states of H ± δV by the null space of the dense generators."""
    draw = rng.normal(size=(2, 2, 3, 3))
    h, v = draw[:, 0] + 1j * draw[:, 1]
    h, v = h + h.conj().T, v + v.conj().T
    build = {"redfield": mb.redfield_liouvillian, "davies": mb.davies_liouvillian}[equation]

    def steady(delta):
        matrix = build(mb.SingleParticleModel(h + delta * v), BATH, True).toarray()
        state = scipy.linalg.null_space(matrix, rcond=1e-10)[:, 0].reshape(3, 3)
        return state / np.trace(state)

    response = mb.linear_response(mb.SingleParticleModel(h), BATH, v, equation, True)
    slope = (steady(1e-4) - steady(-1e-4)) / 2e-4
    np.testing.assert_allclose(response.stationary, steady(0.0), atol=1e-10)
    np.testing.assert_allclose(response.steady_change, slope, atol=1e-6)
    assert np.abs(slope).max() > 1e-3


def test_violations_of_quadratic_models():
    lead = mb.Reservoir(mb.SemiEllipticDensity(0.2, 4.0), 1.0, 0.2)
    pair = mb.QuadraticModel(
        np.array([[0.3, 0.5], [0.5, -0.4]]), [mb.Contact(0, lead), mb.Contact(1, lead, 0.5)]
    )
    redfield = mb.worst_entropy_production(pair, "redfield", seed=1, n_starts=2)
    assert redfield.n_negative > 0 and redfield.production < -1e-7
    davies = mb.worst_entropy_production(pair, "davies", seed=1, n_starts=2)
    assert davies.n_negative == 0 and davies.production > -1e-10


MODEL = mb.SingleParticleModel(np.diag([0.0, 1.0, 2.5]) + 0.1)
V = np.diag([1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: mb.linear_response(MODEL, [BATH], V),
            ValueError,
            "sequence of 1 baths: there are 3",
        ),
        (lambda: mb.linear_response(MODEL, None, V), TypeError, "bath = None"),
        (lambda: mb.linear_response(MODEL, BATH, np.eye(2)), ValueError, r"shape \(2, 2\)"),
        (lambda: mb.linear_response(MODEL, BATH, V, "local"), ValueError, "equation = 'local'"),
        (lambda: mb.linear_response("ring", BATH, V), TypeError, "model = 'ring'"),
        (
            lambda: mb.linear_response(mb.SingleParticleModel(np.eye(65)), BATH, np.eye(65)),
            ValueError,
            "65 states: 2 to 64",
        ),
        (lambda: mb.worst_entropy_production(MODEL), TypeError, "bath = None"),
        (
            lambda: mb.worst_entropy_production(mb.QuadraticModel(V)),
            ValueError,
            "model has no contacts",
        ),
        (
            lambda: mb.worst_entropy_production(mb.QuadraticModel(V), bath=BATH),
            ValueError,
            "bath is given",
        ),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda r: mb.heat_current_response(None, V), TypeError, "response = None"),
        (lambda r: mb.heat_current_response(r, "x"), ValueError, r"change of shape \(\)"),
        (lambda r: mb.heat_current_response(r, np.full((3, 3), np.nan)), ValueError, "finite"),
        (lambda r: mb.heat_current_response(r, np.eye(3, k=1)), ValueError, "not Hermitian"),
        (lambda r: mb.open_store(None), TypeError, "directory = None"),
        (lambda r: mb.run_study("paper-fig1", -1), TypeError, "directory = -1"),
        (
            lambda r: mb.compare(MODEL, BATH, [0.0], expectations={"../x": V}),
            ValueError,
            r"the name '\.\./x'",
        ),
        (lambda r: mb.steady_state(MODEL, mb.WhiteBath(0.0)), ValueError, "γ = 0 everywhere"),
    ],
)
def test_doors_answer_in_a_sentence(call, error, words):
    if words.startswith("directory"):
        pytest.importorskip("xarray")
    with pytest.raises(error, match=words):
        call(mb.linear_response(MODEL, BATH, V))
