"""Expectation values that `compare` returns, against kept states, in every layout."""

import warnings

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.solve import stacked

TIMES = [0.0, 0.7, 3.0, 8.0]
NAMES = ("populations", "energy", "coherence-0-2")


def models():
    rng = np.random.default_rng(11)
    return {
        "complex": mb.SingleParticleModel(oracles.random_hermitian(rng, 5)),
        "two sites of a ring": mb.SingleParticleModel(oracles.ring_hamiltonian(6), [0, 2]),
        "undecided": mb.SingleParticleModel(
            oracles.ring_hamiltonian(4) + 1e-13 * np.diag(rng.normal(size=4))
        ),
        "fermions": mb.xxz_chain(4, 2, disorder=1.0, seed=2),
        "spins": mb.ising_chain(3, disorder=0.3, seed=1),
    }


def expected(run, model, matrix):
    hamiltonian = model.dense_hamiltonian()
    found = {}
    for name, states in run.states.items():
        own = {
            "energy": np.einsum("ab,tba->t", hamiltonian, states).real,
            "mine": np.einsum("ab,tba->t", matrix, states).real,
        }
        if getattr(model, "basis", None) is None:
            own["populations"] = np.einsum("taa->ta", states).real
            coherence = states[:, 0, 2]
            own["coherence-0-2"] = np.stack([coherence.real, coherence.imag], axis=1)
        else:
            diagonal = np.einsum("taa->ta", states).real
            own["populations"] = diagonal @ model.basis.occupations
        found[name] = own
    return found


@pytest.mark.parametrize("kind", list(models()))
@pytest.mark.parametrize("large", [False, True], ids=["stack", "spread"])
def test_values_are_those_of_the_states(kind, large, bath, monkeypatch, rng):
    if large:
        monkeypatch.setattr(stacked, "_LARGE_ABOVE", 1)
    model = models()[kind]
    matrix = oracles.random_hermitian(rng, model.dimension)
    wanted = {**{name: name for name in NAMES}, "mine": matrix}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        run = mb.compare(model, bath, TIMES, keep_states=True, expectations=wanted)
        plain = mb.compare(model, bath, TIMES)
    assert list(run.expectation) == [*NAMES, "mine"]
    for equation, own in expected(run, model, matrix).items():
        for name, values in own.items():
            found = run.expectation[name][equation]
            assert found.shape == values.shape
            np.testing.assert_allclose(found, values, rtol=0, atol=1e-12, err_msg=name)
    # Looking changes nothing else.
    np.testing.assert_array_equal(run.trace_distance, plain.trace_distance)
    assert plain.expectation == {}
    if run.local is not None:
        for name in run.equations:
            figures = run.local.of_equation[name]
            energy = run.expectation["energy"][name] / model.n_sites
            np.testing.assert_allclose(figures["energy"], energy, rtol=0, atol=1e-13)
            np.testing.assert_array_equal(
                figures["density"], plain.local.of_equation[name]["density"]
            )


def test_values_of_equations_registered_later(bath):
    import toy_equations

    with toy_equations.registered():
        names = ("redfield", "davies", "halved")
        run = mb.compare(
            models()["complex"],
            bath,
            TIMES,
            equations=names,
            expectations=["populations"],
            keep_states=True,
        )
    assert tuple(run.expectation["populations"]) == names
    for name in names:
        diagonal = np.einsum("taa->ta", run.states[name]).real
        np.testing.assert_allclose(run.expectation["populations"][name], diagonal, atol=1e-13)


def test_samples_of_a_stack_have_their_own(bath):
    samples = [mb.dirac_syk2(4, seed=seed) for seed in range(3)]
    wanted = ["energy", "current-0-1"]
    together = mb.compare_ensemble(samples, bath, TIMES, expectations=wanted)
    for model, run in zip(samples, together):
        alone = mb.compare(model, bath, TIMES, expectations=wanted)
        for name in wanted:
            for equation in run.equations:
                np.testing.assert_array_equal(
                    run.expectation[name][equation], alone.expectation[name][equation]
                )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("energy", "of type str"),
        (["energy", "energy"], "each may appear once"),
        ([np.eye(5)], "entry of type ndarray"),
        ({"x": np.eye(4)}, r"must be \(5,\) or \(5, 5\)"),
        (["coherence-0-5"], "allowed are 0 to 4"),
        ({3: "energy"}, "name of an expectation"),
        (None, "of type NoneType"),
    ],
)
def test_what_cannot_be_seen_is_a_sentence(given, words, bath):
    with pytest.raises(ValueError, match=words):
        mb.compare(models()["complex"], bath, TIMES, expectations=given)
