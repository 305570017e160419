"""What is seen locally of some columns of ρ adds up to what is seen of all, of each statistics."""

import functools
import operator

import numpy as np
import pytest

import manybody as mb
from manybody.physics.problem import Problem
from manybody.physics.quantities.entropies import von_neumann_entropy
from manybody.physics.quantities.local_figures import local_figures
from manybody.physics.quantities.local_states import LocalMap
from manybody.solve.local import LocalView, figures_of_rows

BATH = mb.OhmicBath(0.2, 10.0, 5.0)
NAMES = ("redfield", "davies")


def random_states(rng, count, dimension):
    draw = rng.normal(size=(2, count, dimension, dimension))
    roots = draw[0] + 1j * draw[1]
    states = roots @ np.swapaxes(roots.conj(), 1, 2)
    return states / np.trace(states, axis1=1, axis2=2)[:, None, None]


@pytest.mark.parametrize("n_particles", [2, None])
@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_views_of_columns_add_up(rng, statistics, n_particles):
    """Both statistics one after the other: indices of one are none of the other."""
    given = {"boundary": "periodic", "statistics": statistics, "n_particles": n_particles}
    model = mb.xxz_chain(4, **given)
    problem, dimension = Problem([model], BATH), model.dimension
    states = {name: random_states(rng, 3, dimension) for name in NAMES}
    whole = LocalView(problem, NAMES)
    borders = [0, 1, 4, dimension]
    parts = [slice(first, stop) for first, stop in zip(borders, borders[1:])]
    views = [(LocalView(problem, NAMES, own), own) for own in parts]
    sums = {
        name: functools.reduce(operator.add, (view.sums(every[:, :, own]) for view, own in views))
        for name, every in states.items()
    }
    entropies = {name: von_neumann_entropy(every).value for name, every in states.items()}
    found = whole.rows(sums, entropies)
    expected = whole.rows({name: whole.sums(own) for name, own in states.items()}, entropies)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    # Beside a map of its own, whatever views share.
    own_map = LocalMap(model.basis)
    plain = local_figures({name: own_map.sums(states[name], model.hamiltonian) for name in NAMES})
    figures = figures_of_rows(expected, NAMES)
    for name, values in plain.of_pair[NAMES].items():
        np.testing.assert_allclose(figures.of_pair[NAMES][name], values, rtol=0, atol=1e-13)
