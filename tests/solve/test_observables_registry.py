"""Every registered observable keeps what it declares, and one more comes from outside."""

import csv

import numpy as np
import pytest
from tiny import TABLES

import manybody as mb
from manybody import cli
from manybody.cli.kinds import open_store
from manybody.physics.equations.protocol import SystemFacts
from manybody.physics.problem import Problem
from manybody.physics.starts import SiteStart
from manybody.solve.observables import registry
from manybody.solve.observables.protocol import Figure, Observable, Panel

STUDY = """
name = "from-outside"
seed = 3
samples = 4
observables = ["bandwidth"]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "dirac_syk2"
n_sites = [3, 5]
"""


def measured(problem, _start, _comm):
    energies = problem.spectrum.energies[0]
    return {"bandwidth": float(energies[-1] - energies[0])}


BANDWIDTH = Observable(
    name="bandwidth",
    figures={"bandwidth": Figure("largest less smallest energy", "J")},
    measure=measured,
    panels=(Panel(("bandwidth",), "band", "width", logarithmic=False),),
    shown=("bandwidth",),
    fewest_sites=2,
)


@pytest.fixture
def bandwidth(monkeypatch):
    known = dict(registry._KNOWN)
    registry.register(BANDWIDTH)
    yield
    registry._KNOWN.clear()
    registry._KNOWN.update(known)


@pytest.mark.parametrize("name", list(registry.MEASURED))
@pytest.mark.parametrize("kind", ["dirac_syk2", "anderson3d"])
def test_an_observable_measures_what_it_declares(name, kind, bath):
    model = mb.dirac_syk2(6, seed=2) if kind == "dirac_syk2" else mb.anderson3d(2, 5.0, seed=2)
    observable = registry.MEASURED[name]
    try:
        observable.library()
    except RuntimeError as error:
        pytest.skip(str(error))
    found = observable.measure(Problem([model], bath), SiteStart(0), None)
    assert list(found) == list(observable.figures)
    assert all(type(value) is float for value in found.values())
    assert any(np.isfinite(value) for value in found.values()) or kind == "dirac_syk2"
    assert set(observable.shown) <= set(observable.figures)
    assert all(set(panel.figures) <= set(observable.figures) for panel in observable.panels)
    cost = observable.cost(SystemFacts(64, model.is_real, lamb_shift=True))
    assert min(cost.applications, cost.flops, cost.seconds, observable.block_cost) >= 0.0


def test_an_observable_from_outside_is_studied_and_reported(bandwidth, tmp_path, capsys):
    text, store = tmp_path / "study.toml", tmp_path / "store"
    text.write_text(STUDY + TABLES)
    assert cli.main(["run", str(text), "--out", str(store), "--quiet"]) == 0
    assert "bandwidth" in capsys.readouterr().out
    rows = list(csv.DictReader((store / "report" / "figures.csv").read_text().splitlines()))
    assert [row["figure"] for row in rows] == ["bandwidth"] * 2
    widths = [
        np.ptp(np.linalg.eigvalsh(mb.dirac_syk2(3, seed=words).hamiltonian))
        for words in seeds(store, 3)
    ]
    assert float(rows[0]["mean"]) == pytest.approx(np.mean(widths), rel=1e-12)
    figure = mb.report_figures(store)["from-outside-figures"]
    assert [axis.get_title() for axis in figure.axes] == ["band"]
    text.write_text((STUDY + TABLES).replace("[3, 5]", "[1, 5]"))
    assert cli.main(["run", str(text), "--out", str(tmp_path / "other"), "--quiet"]) == 2
    assert "'bandwidth' needs 2 sites" in capsys.readouterr().err


def seeds(store, size):
    study = open_store(store).study
    (point,) = [point for point in study.systems[0].points if point.size == size]
    return [point.entropy(study.seed, sample) for sample in range(4)]


def test_an_observable_has_names_of_its_own(bandwidth):
    with pytest.raises(ValueError, match="known already"):
        registry.register(BANDWIDTH)
