"""Families of models and baths: laws that all keep, and one of each from outside the package."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

import manybody as mb
from manybody.physics.baths import families as baths
from manybody.physics.baths.protocol import check_bath
from manybody.physics.keys import Key
from manybody.physics.models import families as models
from manybody.physics.models.family import Family
from manybody.physics.quantities.locality import locality_profile
from manybody.report.read import load_results
from manybody.report.writing import report_figures, write_report
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store


@dataclass(frozen=True)
class Ring:
    """Sites in a circle."""

    length: int

    def distances(self):
        steps = np.abs(np.subtract.outer(np.arange(self.length), np.arange(self.length)))
        return np.minimum(steps, self.length - steps)


def random_ring(length, disorder, flux=1.0, seed=0):
    """One particle on a ring of L sites: H_{j+1,j} = e^{iφ/L}, energies uniform in [−W, W]."""
    step = np.roll(np.eye(length), 1, axis=0) * np.exp(1j * flux / length)
    energies = np.random.default_rng(seed).uniform(-disorder, disorder, length)
    return mb.SingleParticleModel(
        step + step.conj().T + np.diag(energies), name="random_ring", lattice=Ring(length)
    )


class RandomRing(Family):
    name = "random_ring"
    title = "random ring"
    size, size_symbol = "length", "L"
    reals = {"disorder": None, "flux": 1.0}
    meanings = {"flux": Key("φ, the phase of a particle that goes around", "rad")}
    is_real = False
    build = staticmethod(random_ring)

    def bandwidth(self, size, parameters):
        return 4.0 + parameters["disorder"]

    def lattice(self, size, parameters):
        return Ring(size)

    def why_apart(self, size, parameters):
        return "next neighbours are one site" if size == 4 else ""

    def notes(self, systems):
        return [f"{len(systems)} kinds of rings"]


@dataclass(frozen=True)
class Flat:
    """J(ω) = κ ω up to a cutoff far away: γ without a cusp."""

    strength: float

    def __call__(self, omega):
        return self.strength * omega * np.exp(-omega / 50.0)


FLAT = baths.BathFamily(
    "flat",
    "nearly flat",
    {"slope": None, "beta": 2.0},
    lambda slope, beta: mb.ThermalBath(mb.CallableDensity(Flat(slope), slope_at_zero=slope), beta),
    {"beta": (r"$1/T$", "1/T")},
    {"slope": Key("of J(ω) at 0", "")},
)


@pytest.fixture
def outside():
    """Both are known while a test runs."""
    models.register(RandomRing())
    baths.register(FLAT)
    yield
    del models._KNOWN["random_ring"], baths._KNOWN["flat"]


ONE_PARTICLE = [family for family in models.FAMILIES.values() if family.basis(2, {}) is None]


# Of many particles in test_many_body_families.py.
@pytest.mark.parametrize("family", [*ONE_PARTICLE, RandomRing()], ids=lambda family: family.name)
def test_a_family_says_what_it_builds(family):
    parameters = {key: 3.0 if value is None else value for key, value in family.reals.items()}
    parameters.update({key: default for key, (default, _) in family.words.items()})
    for size in (3, 4):
        first, again, other = (
            family.build(**{family.size: size}, **parameters, seed=seed) for seed in (1, 1, 2)
        )
        matrices = [model.dense_hamiltonian() for model in (first, again, other)]
        np.testing.assert_array_equal(matrices[0], matrices[1])
        assert np.abs(matrices[0] - matrices[2]).max() > 0.0
        assert first.name == family.name
        assert first.n_sites == family.n_sites(size, parameters)
        assert len(matrices[0]) == family.dimension(size, parameters)
        assert first.is_real == family.is_real
        assert first.lattice == family.lattice(size, parameters)
        label = family.size_label(size)
        assert str(size) in label and str(first.n_sites) in label
    large = family.build(**{family.size: 6}, **parameters, seed=3).dense_hamiltonian()
    spread = np.ptp(np.linalg.eigvalsh(large))
    assert 0.7 < family.bandwidth(6, parameters) / spread < 1.5
    changed = {**parameters, **dict.fromkeys(family.reals, 7.5)}
    words = {family.parameters_in_words(given, plain=True) for given in (parameters, changed)}
    assert len(words) == 2


@pytest.mark.parametrize("family", [*baths.BATH_FAMILIES.values(), FLAT], ids=lambda f: f.name)
def test_a_bath_family_builds_baths(family):
    given = {
        "coupling": 0.2,
        "strength": 0.1,
        "slope": 0.1,
        "cutoff": 10.0,
        "exponent": 1.5,
        "rate": 0.3,
    }
    has_beta = "beta" in family.parameters
    for beta in (5.0, math.inf) if has_beta else (0.0,):
        own = {**given, "beta": beta}
        bath = family.build(**{key: own[key] for key in family.parameters})
        assert check_bath(bath, lamb_shift=True) is bath and bath.beta == beta
        assert bath.kms_residual(np.linspace(-3.0, 3.0, 7)) < 1e-10
    symbols = [family.symbol(key) for key in family.parameters]
    assert len(set(symbols)) == len(symbols)


def test_names_are_taken_once():
    with pytest.raises(ValueError, match="family 'anderson3d' is known already"):
        models.register(models.FAMILIES["anderson3d"])
    with pytest.raises(ValueError, match="bath 'ohmic' is known already"):
        baths.register(baths.BATH_FAMILIES["ohmic"])

    class Unsaid(Family):
        name = title = "unsaid"
        build, bandwidth = staticmethod(random_ring), RandomRing.bandwidth

    with pytest.raises(TypeError, match="Unsaid does not say its is_real"):
        models.register(Unsaid())
    assert "unsaid" not in models.FAMILIES


def test_parameters_have_a_meaning():
    class Unsaid(RandomRing):
        name, meanings = "unsaid", {}

    with pytest.raises(TypeError, match="Unsaid does not say what 'flux' means"):
        models.register(Unsaid())
    with pytest.raises(TypeError, match="bath 'unsaid' does not say what 'slope' means"):
        baths.register(replace(FLAT, name="unsaid", meanings={}))
    assert "unsaid" not in {*models.FAMILIES, *baths.BATH_FAMILIES}


RINGS = """
name = "rings"
seed = 3
samples = 4
times = [0.0, 2.0, 5.0]
observables = ["trace_distance", "level_statistics", "locality"]
[bath]
type = "flat"
slope = 0.02
[[systems]]
model = "random_ring"
length = [4, 5, 6]
disorder = 2.0
bath = { beta = [1.0, 3.0, 9.0] }
[outputs]
formats = ["html", "csv"]
"""


def test_a_model_and_a_bath_from_outside(outside, tmp_path):
    """One class and its registration each: studies draw them, reports say what they are."""
    store = Store(tmp_path / "rings")
    study = parse_study(RINGS, "rings.toml")
    run_study(prepare(study, store), store, quiet=True)
    system, points = load_results(store).systems[1]
    assert dict(system.changes) == {"bath_beta": 3.0}
    sample = points[1]
    assert sample.point.size == 5
    assert dict(sample.point.parameters) == {"disorder": 2.0, "flux": 1.0}
    model, bath = sample.point.build(3, 2), FLAT.build(0.02, 3.0)
    run = mb.compare(model, bath, study.times)
    np.testing.assert_array_equal(sample.arrays["trace_distance"][2], run.trace_distance)
    profile = locality_profile(model, bath)
    assert sample.arrays["locality_2"][2] == profile.rms[2]
    summary, _ = write_report(store)
    assert "VERDICT random ring, disorder = 2, bath beta 3: " in summary
    assert "(left out L = 4: next neighbours are one site)" in summary
    figure = report_figures(store.directory)["rings"]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == [f"$L = {size}$ ($N = {size}$)" for size in (4, 5, 6)]
    said = "".join(text.get_text() for axis in figure.axes for text in axis.texts)
    assert "nearly flat baths\nslope: 0.02,  $1/T$: see titles" in said
    assert "3 kinds of rings" in said
    page = (store.directory / "report" / "index.html").read_text()
    assert "nearly flat baths, slope = 0.02; " in page and "titles say the rest" in page
