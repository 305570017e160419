"""What follows from a sample is derived once, whoever asks."""

import numpy as np
import pytest
from tiny import TABLES

import manybody as mb
from manybody.physics.equations.davies import davies_of
from manybody.physics.equations.redfield import redfield_of
from manybody.physics.problem import Problem
from manybody.physics.spectra import cluster_bohr_frequencies
from manybody.solve.observables.registry import MEASURED
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

STUDY = """
name = "counted"
seed = 3
samples = 2
times = [0.0, 1.5]
observables = [{observables}]
{more}
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "anderson3d"
length = 2
disorder = 5.0
lamb_shift = {lamb_shift}
"""


@pytest.fixture
def diagonalised(monkeypatch):
    """Off-diagonal parts of all Hermitian (8, 8) matrices that were diagonalised."""
    seen = []

    def counting(real):
        def call(matrix, *arguments, **more):
            if np.shape(matrix) == (8, 8):
                seen.append(np.asarray(matrix) - np.diag(np.diagonal(matrix)))
            return real(matrix, *arguments, **more)

        return call

    for name in ("eigh", "eigvalsh"):
        monkeypatch.setattr(np.linalg, name, counting(getattr(np.linalg, name)))
    return seen


@pytest.mark.parametrize("more", ["", 'operator = "assembled"'], ids=["stacked", "spread"])
@pytest.mark.parametrize("lamb_shift", ["false", "true"])
def test_a_sample_is_diagonalised_once(diagonalised, lamb_shift, more, tmp_path):
    """Whatever its observables, all of them here."""
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    # Heat flows between several temperatures alone.
    measured = [name for name, own in MEASURED.items() if not own.several_temperatures]
    names = ", ".join(f'"{name}"' for name in ("trace_distance", *measured))
    text = STUDY.format(observables=names, lamb_shift=lamb_shift, more=more) + TABLES
    study = parse_study(text, "here")
    store = Store(tmp_path / "store")
    outcome = run_study(prepare(study, store), store, quiet=True)
    assert (outcome.computed, outcome.failed) == (2, 0)
    (point,) = study.systems[0].points
    hopping = point.build(study.seed, 0).dense_hamiltonian()
    hopping = hopping - np.diag(np.diagonal(hopping))
    # All samples have the same bonds.
    assert sum(np.array_equal(matrix, hopping) for matrix in diagonalised) == 2


def test_a_selection_keeps_what_was_derived(bath, diagonalised):
    models = [mb.anderson3d(2, 5.0, seed=seed) for seed in range(3)]
    problem = Problem(models, bath, lamb_shift=True)
    generator = redfield_of(problem)
    assert problem.clusterings == tuple(cluster_bohr_frequencies(problem.spectrum))
    for chosen, index in ((problem.select(np.array([2, 0])), 2), (problem.sample(2), 2)):
        np.testing.assert_array_equal(chosen.rates[0], problem.rates[index])
        np.testing.assert_array_equal(
            chosen.spectrum.energies[0], problem.spectrum.energies[index]
        )
        assert chosen.models[0] is models[index]
        assert chosen.clusterings[0] is problem.clusterings[index]
        np.testing.assert_array_equal(redfield_of(chosen).decay[0], generator.decay[index])
    assert len(diagonalised) == 3
    assert problem.sample(1) is problem.sample(1)
    assert davies_of(problem.sample(1)) is davies_of(problem.sample(1))


def test_public_calls_and_problems_agree(bath):
    """The same numbers whether a call makes its problem or is given one."""
    model = mb.anderson3d(2, 5.0, seed=4)
    problem = Problem([model], bath)
    for name, observable in MEASURED.items():
        assert observable.figures, name
    assert mb.level_statistics(model).mean_ratio == pytest.approx(
        MEASURED["level_statistics"].measure(problem, None, None)["spacing_ratio"], rel=1e-12
    )
    assert mb.slow_modes(model, bath, 1).gap == pytest.approx(
        MEASURED["gap"].measure(problem, None, None)["gap"], rel=1e-10
    )
