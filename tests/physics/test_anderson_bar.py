"""The Anderson model on a bar."""

import numpy as np
import pytest

import manybody as mb
from manybody.physics.models.anderson_bar import AndersonBar
from manybody.physics.models.lattices import Bar, Cube


def test_a_bar_as_wide_as_long_is_an_open_cube():
    bar, cube = Bar(3, 3, "open"), Cube(3, "open")
    assert {tuple(bond) for bond in bar.bonds()} == {tuple(bond) for bond in cube.bonds()}
    np.testing.assert_array_equal(bar.distances(), cube.distances())


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_bonds_join_neighbours_once(width, boundary):
    bar = Bar(4, width, boundary)
    bonds, distances = bar.bonds(), bar.distances()
    assert len({tuple(bond) for bond in bonds}) == len(bonds)
    assert np.all(bonds[:, 0] < bonds[:, 1])
    expected = np.argwhere(np.triu(distances == 1))
    assert {tuple(bond) for bond in bonds} == {tuple(bond) for bond in expected}


def test_ends_are_coupled():
    model = mb.anderson_bar(5, 1.0, width=2, seed=3)
    assert np.flatnonzero(model.coupled).tolist() == [0, 1, 2, 3, 16, 17, 18, 19]
    assert mb.anderson_bar(5, 1.0, coupled="all", seed=3).coupled.all()
    family = AndersonBar()
    for coupled in ("ends", "all"):
        parameters = {"width": 2, "boundary": "open", "coupled": coupled}
        own = mb.anderson_bar(5, 1.0, **parameters)
        np.testing.assert_array_equal(family.coupled(5, parameters), own.coupled)


def test_a_bar_has_two_ends():
    with pytest.raises(mb.InputError, match="length = 1"):
        mb.anderson_bar(1, 1.0)
    with pytest.raises(mb.InputError, match="coupled = 'middle'"):
        mb.anderson_bar(3, 1.0, coupled="middle")
    with pytest.raises(mb.InputError, match="two ends"):
        AndersonBar().check([1, 3], {"disorder": 1.0})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"disorder": 5.0}, ", W/J = 5, baths at both ends"),
        ({"disorder": 5.0, "hopping": 2.0, "coupled": "all"}, ", W/J = 2.5, baths at all sites"),
        ({"disorder": 5.0, "hopping": 0.0}, ", W = 5, baths at both ends"),
        ({"disorder": 1.0, "width": 2}, ", W/J = 1, width 2, periodic, baths at both ends"),
    ],
)
def test_titles_say_what_a_bar_is(given, words):
    bar = AndersonBar()
    assert bar.parameters_in_words(bar.with_defaults(given), True) == words
