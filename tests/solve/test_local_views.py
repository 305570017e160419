"""What compare says of sites and pairs, against kept states and operators written out."""

import numpy as np
import pytest
import scipy.linalg

import manybody as mb
from manybody.physics.fock.basis import number_operator
from manybody.solve import local

TIMES = [0.0, 1.0, 6.0]


def models():
    return {
        "chain": mb.xxz_chain(5, 2, disorder=1.0, seed=2),
        "syk4": mb.complex_syk4(4, seed=3),
        "spins": mb.ising_chain(3, disorder=0.3, seed=1),
        # Where LAPACK's own routines take over.
        "longer chain": mb.xxz_chain(7, 3, disorder=1.0, seed=4),
        "undecided": mb.xxz_chain(4, disorder=1e-13, boundary="periodic", seed=1),
    }


@pytest.mark.parametrize("kind", list(models()))
def test_local_figures_are_those_of_the_states(kind, bath):
    model = models()[kind]
    run = mb.compare(model, bath, TIMES, keep_states=True)
    numbers = [number_operator(model.basis, site).toarray() for site in range(model.n_sites)]
    hamiltonian = model.dense_hamiltonian()
    found = {}
    for name, states in run.states.items():
        own = run.local.of_equation[name]
        found[name] = np.einsum("jab,tba->tj", np.array(numbers), states).real
        np.testing.assert_allclose(own["density"], found[name], atol=1e-12)
        energy = np.einsum("ab,tba->t", hamiltonian, states).real / model.n_sites
        np.testing.assert_allclose(own["energy"], energy, atol=1e-12)
        purity = np.einsum("tab,tba->t", states, states).real
        np.testing.assert_allclose(own["purity"], purity, atol=1e-12)
        for state, entropy in zip(states[1:], own["entropy"][1:]):
            kept = scipy.linalg.eigvalsh(state)
            kept = kept[kept > 0.0]
            np.testing.assert_allclose(entropy, -(kept * np.log(kept)).sum(), atol=1e-9)
        if name in run.smallest_eigenvalues:
            lowest = np.linalg.eigvalsh(states)[:, 0]
            np.testing.assert_allclose(run.smallest_eigenvalues[name], lowest, rtol=0, atol=1e-14)
    pair = run.local.of_pair["redfield", "davies"]
    difference = np.abs(found["redfield"] - found["davies"])
    np.testing.assert_allclose(pair["density_largest"], difference.max(axis=1), atol=1e-12)
    if kind != "spins":
        # With a conserved number a site has no coherence: its state is its density.
        np.testing.assert_allclose(
            pair["one_site_largest"], 2 * difference.max(axis=1), atol=1e-12
        )
        np.testing.assert_allclose(pair["one_site_mean"], 2 * difference.mean(axis=1), atol=1e-12)
    assert np.all(pair["two_site_largest"] >= pair["one_site_largest"] - 1e-12)
    assert np.all(run.trace_distance >= pair["two_site_largest"] - 1e-12)


@pytest.mark.parametrize("n_sites", [4, 7])
def test_local_figures_of_a_stack_are_those_of_its_samples(n_sites, bath):
    chains = [mb.xxz_chain(n_sites, 2, disorder=1.0, seed=seed) for seed in range(3)]
    together = mb.compare_ensemble(chains, bath, TIMES)
    for chain, own in zip(chains, together):
        alone = mb.compare(chain, bath, TIMES)
        for name, figures in alone.local.of_equation.items():
            for key, values in figures.items():
                np.testing.assert_array_equal(own.local.of_equation[name][key], values)
    entropies = [own.local.of_equation["davies"]["entropy"][-1] for own in together]
    assert len(set(entropies)) == 3


def test_every_pair_of_equations_has_its_own(bath, monkeypatch):
    import toy_equations

    model = models()["chain"]
    with toy_equations.registered():
        names = ("redfield", "davies", "halved")
        run = mb.compare(model, bath, TIMES, equations=names)
        assert list(run.local.of_pair) == list(run.distance)
        other = mb.compare(model, bath, TIMES, equations=("halved", "redfield"))
    mine = run.local.of_pair["redfield", "halved"]
    theirs = other.local.of_pair["halved", "redfield"]
    for name in local.OF_PAIR:
        sign = -1.0 if name == "energy_difference" else 1.0
        np.testing.assert_allclose(mine[name], sign * theirs[name], atol=1e-12)


def test_without_occupations_there_is_nothing_local(bath):
    plain = mb.compare(mb.dirac_syk2(4), bath, TIMES)
    assert plain.local is None
    model = models()["chain"]
    bare = mb.ManyBodyModel(model.hamiltonian, model.couplings)
    start = np.eye(10)[3]
    assert mb.compare(bare, bath, TIMES, initial_state=start).local is None


def test_entropies_end_where_they_would_cost(bath, monkeypatch):
    monkeypatch.setattr(local, "MOST_STATES_OF_ENTROPY", 9)
    run = mb.compare(models()["chain"], bath, TIMES)
    assert np.isnan(run.local.of_equation["davies"]["entropy"]).all()
    assert np.isfinite(run.local.of_equation["davies"]["purity"]).all()


def test_samples_of_a_stack_are_seen_apart(bath):
    samples = [mb.xxz_chain(4, seed=seed) for seed in range(4)]
    together = mb.compare_ensemble(samples, bath, TIMES)
    for model, run in zip(samples, together):
        alone = mb.compare(model, bath, TIMES)
        for name, values in alone.local.of_pair["redfield", "davies"].items():
            np.testing.assert_array_equal(
                run.local.of_pair["redfield", "davies"][name], values, err_msg=name
            )
