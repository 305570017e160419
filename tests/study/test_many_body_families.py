"""Families of many particles: laws that all keep, particles in studies, old studies unchanged."""

from math import comb

import numpy as np
import pytest
from scipy.sparse.linalg import eigsh

from manybody.physics.models.families import FAMILIES
from manybody.physics.models.family import Family
from manybody.study.configuration import from_json
from manybody.study.parsing import parse_study

# Parameters of their own, and sizes that are quick.
SYSTEMS = {
    "xxz_chain": ({}, (4, 6, 8)),
    "complex_syk4": ({}, (4, 6, 8)),
    "ising_chain": ({"disorder": 0.5}, (3, 4, 8)),
    "hard_core_bosons": ({"n_particles": 2, "disorder": 1.0}, (2, 3)),
    "dirac_syk2": ({"n_particles": 2}, (4, 5, 8)),
    "anderson3d": ({"n_particles": 2, "disorder": 3.0}, (2, 3)),
}
EACH = pytest.mark.parametrize("name", SYSTEMS)


def drawn(name, size, seed=1, **given):
    family = FAMILIES[name]
    return family.build(**{family.size: size}, **{**SYSTEMS[name][0], **given}, seed=seed)


def width(model):
    if model.dimension <= 400:
        return np.ptp(np.linalg.eigvalsh(model.dense_hamiltonian()))
    ends = eigsh(model.hamiltonian, 2, which="BE", return_eigenvectors=False)
    return np.ptp(ends)


def test_every_family_of_many_particles_is_here():
    known = {name for name, each in FAMILIES.items() if each.counts or each.basis(2, {})}
    assert known == set(SYSTEMS)


@EACH
def test_a_family_of_many_particles_says_what_it_builds(name):
    family, (given, sizes) = FAMILIES[name], SYSTEMS[name]
    parameters = family.with_defaults(given)
    for size in sizes:
        first, again, other = (drawn(name, size, seed) for seed in (1, 1, 2))
        matrices = [model.dense_hamiltonian() for model in (first, again, other)]
        np.testing.assert_array_equal(matrices[0], matrices[1])
        assert np.abs(matrices[0] - matrices[2]).max() > 0.0
        assert first.name == family.name
        assert first.n_sites == family.n_sites(size, parameters)
        assert first.basis == family.basis(size, parameters)
        assert first.dimension == family.dimension(size, parameters)
        assert first.is_real == family.is_real
        assert first.lattice == family.lattice(size, parameters)
        assert bool(first.terms) == family.has_terms(parameters)
        label = family.size_label(size, parameters)
        assert str(size) in label and str(first.n_sites) in label
        assert f"$D = {first.dimension}$" in label
        family.check([size], given)
    changed = {**parameters, **dict.fromkeys(family.reals, 7.5)}
    words = {family.parameters_in_words(each, plain=True) for each in (parameters, changed)}
    assert len(words) == 2


CHANGES = {
    "xxz_chain": [
        (8, {"disorder": 8.0}),
        (8, {"disorder": 0.0}),
        (8, {"anisotropy": 3.0, "boundary": "periodic"}),
        (8, {"n_particles": 2, "anisotropy": 0.0}),
        (9, {"n_particles": 8, "statistics": "fermion"}),
    ],
    "complex_syk4": [(10, {}), (6, {"n_particles": 2}), (8, {"n_particles": 3, "coupling": 2.5})],
    "ising_chain": [
        (8, {"transverse": 0.0, "disorder": 0.0}),
        (8, {"longitudinal": 0.0, "disorder": 0.0}),
        (8, {"boundary": "periodic", "disorder": 4.0}),
    ],
    "hard_core_bosons": [
        (2, {"n_particles": "half", "disorder": 0.0}),
        (2, {"n_particles": 6, "interaction": 2.0}),
        (3, {"interaction": 5.0, "disorder": 0.0}),
    ],
    "dirac_syk2": [(8, {"n_particles": "half"}), (8, {"n_particles": 1}), (7, {"n_particles": 5})],
    "anderson3d": [
        (2, {"n_particles": "half", "disorder": 20.0}),
        (2, {"n_particles": 1, "boundary": "open"}),
        (3, {"disorder": 1.0}),
    ],
}


@EACH
def test_bandwidths_are_right_within_a_fifth(name):
    family, (given, sizes) = FAMILIES[name], SYSTEMS[name]
    for size, change in [*((size, {}) for size in sizes[1:]), *CHANGES[name]]:
        parameters = family.with_defaults({**given, **change})
        widths = [width(drawn(name, size, seed, **change)) for seed in range(8)]
        ratio = family.bandwidth(size, parameters) / np.mean(widths)
        assert 0.8 < ratio < 1.2, (size, change)


def test_dimensions():
    def states(name, size, **parameters):
        return FAMILIES[name].dimension(size, parameters)

    assert states("xxz_chain", 10) == comb(10, 5)
    assert states("xxz_chain", 10, n_particles=3) == comb(10, 3)
    assert states("complex_syk4", 14) == 3432
    assert states("ising_chain", 6) == 64
    assert states("hard_core_bosons", 3, n_particles=2) == comb(27, 2)
    assert states("dirac_syk2", 8) == 8 and states("anderson3d", 3, disorder=1.0) == 27
    assert states("dirac_syk2", 8, n_particles="half") == 70


def test_labels_and_words():
    syk2, cube, chain = (FAMILIES[name] for name in ("dirac_syk2", "anderson3d", "xxz_chain"))
    assert syk2.size_label(8) == syk2.size_label(8, {"coupling": 1.0}) == "$N = 8$"
    assert syk2.size_label(8, {"n_particles": 2}) == "$N = 8$ ($D = 28$)"
    assert cube.size_label(2) == "$L = 2$ ($N = 8$)"
    assert cube.size_label(2, {"n_particles": "half"}) == "$L = 2$ ($N = 8$, $D = 70$)"
    assert syk2.parameters_in_words({"coupling": 1.0, "n_particles": 1}, True) == ", 1 particle"
    assert cube.parameters_in_words({"disorder": 5.0, "n_particles": "half"}, False) == (
        ", half filling, $W/J = 5$"
    )
    half = chain.with_defaults({})
    assert chain.parameters_in_words(half, True) == ", disorder = 1, open, boson"
    three = {**half, "n_particles": 3, "disorder": 2.0}
    assert chain.parameters_in_words(three, False) == ", 3 particles, disorder = 2"


STUDY = """
name = "many"
seed = 3
samples = 4
times = [0.0, 2.0]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
"""


def systems_of(text):
    study = parse_study(f"{STUDY}[[systems]]\n{text}", "many.toml")
    assert from_json(study.to_json()) == study
    return study.systems


def test_particles_are_a_parameter_of_studies():
    chains = systems_of('model = "xxz_chain"\nn_sites = [4, 6]\nn_particles = ["half", 2]')
    assert [dict(each.parameters)["n_particles"] for each in chains] == ["half", 2]
    assert [point.dimension for each in chains for point in each.points] == [6, 20, 6, 15]
    assert chains[1].points[1].name == (
        "xxz_chain-anisotropy=1.0-boundary=open-disorder=1.0-hopping=1.0-n_particles=2-"
        "statistics=boson-n_sites=6"
    )
    (alone,) = systems_of('model = "xxz_chain"\nn_sites = 4')
    assert dict(alone.parameters)["n_particles"] == "half"
    model = alone.points[0].build(3, 0)
    assert model.dimension == 6
    for text in (
        'model = "complex_syk4"\nn_sites = [4, 6]',
        'model = "ising_chain"\nn_sites = [1, 3]',
        'model = "hard_core_bosons"\nlength = 2',
    ):
        (system,) = systems_of(text)
        assert system.points[-1].build(3, 0).dimension == system.points[-1].dimension


def test_studies_of_one_particle_are_what_they_were():
    """Names and seeds of points, as they were before particles could be counted."""
    (one,) = systems_of('model = "dirac_syk2"\nn_sites = [4, 6]')
    assert one.parameters == (("coupling", 1.0),)
    assert one.points[0].name == "dirac_syk2-coupling=1.0-n_sites=4"
    assert one.points[0].entropy(3, 1)[0] == 7581723864259446893
    (cube,) = systems_of('model = "anderson3d"\nlength = 2\ndisorder = 5.0')
    assert dict(cube.parameters) == {"boundary": "periodic", "disorder": 5.0, "hopping": 1.0}
    assert FAMILIES["anderson3d"].bandwidth(2, dict(cube.parameters)) == 18.0
    several = systems_of('model = "dirac_syk2"\nn_sites = 4\nn_particles = [1, "half"]')
    assert [each.parameters for each in several] == [
        (("coupling", 1.0), ("n_particles", 1)),
        (("coupling", 1.0), ("n_particles", "half")),
    ]
    assert several[1].points[0].dimension == 6 and several[1].points[0].n_sites == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('model = "xxz_chain"\nn_sites = [4, 5]', "'half': 5 sites cannot be half filled"),
        ('model = "xxz_chain"\nn_sites = 4\nn_particles = 5', "n_particles = 5: 4 sites hold"),
        (
            'model = "xxz_chain"\nn_sites = 4\nn_particles = "all"',
            r"systems\[0\].n_particles = 'all': must be 'half' or an integer",
        ),
        ('model = "xxz_chain"\nn_sites = 4\nn_particles = 1.5', "n_particles = 1.5: an integer"),
        ('model = "xxz_chain"\nn_sites = 4\nn_particles = true', "n_particles = True"),
        ('model = "xxz_chain"\nn_sites = 4\nn_particles = -1', "n_particles = -1"),
        ('model = "xxz_chain"\nn_sites = 4\nn_particles = []', "an empty list leaves no system"),
        ('model = "xxz_chain"\nn_sites = 4\ndisorder = -1.0', "disorder = -1.0"),
        ('model = "xxz_chain"\nn_sites = 64\nn_particles = 1', "62 bits"),
        ('model = "complex_syk4"\nn_sites = 4\ncoupling = 0.0', "coupling = 0.0"),
        ('model = "ising_chain"\nn_sites = 4\nn_particles = 2', "unknown key 'n_particles'"),
        ('model = "ising_chain"\nn_sites = 30', "states: at most"),
        ('model = "hard_core_bosons"\nlength = [2, 3]', "27 sites cannot be half filled"),
        ('model = "dirac_syk2"\nn_sites = 3\nn_particles = "half"', "3 sites cannot be half"),
        (
            'model = "anderson3d"\nlength = 2\ndisorder = 1.0\nn_particles = 9',
            "8 sites hold 0 to 8",
        ),
    ],
)
def test_bad_systems_of_many_particles_are_refused(text, words):
    with pytest.raises(ValueError, match=f"many.toml: .*{words}"):
        systems_of(text)


def test_a_family_without_counts_is_of_one_particle():
    class Plain(Family):
        name = title = "plain"
        is_real = True
        build = staticmethod(FAMILIES["dirac_syk2"].build)

        def bandwidth(self, size, parameters):
            return 1.0

    plain = Plain()
    assert plain.basis(5, {}) is None and plain.dimension(5, {}) == 5
    assert plain.with_defaults({"a": 1}) == {"a": 1}
    assert plain.size_label(5) == "$N = 5$"
    plain.check([5], {})
