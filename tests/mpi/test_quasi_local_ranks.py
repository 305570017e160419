"""Quasi-local Redfield on the ranks that share a sample, beside others and alone."""

import numpy as np
import pytest

import manybody as mb
from manybody.parallel.signals import Stopped
from manybody.physics import spectra
from manybody.solve import spread, stacked
from manybody.solve.checkpoints import Keeper
from manybody.solve.comparison import check_setting
from manybody.solve.sharing import shared_problem
from manybody.solve.spread import compare_large
from manybody.study.parsing import parse_study
from manybody.study.samples import compute_large, compute_stack

TIMES = [0.0, 0.8, 4.0, 11.0]
BESIDE = ("redfield", "quasi-local-1", "davies", "quasi-local-2")
ALONE = ("quasi-local-1", "quasi-local-2")
NAMES = pytest.mark.parametrize("names", [BESIDE, ALONE], ids=["beside", "alone"])


def draw(n_sites=6):
    return mb.xxz_chain(n_sites, disorder=2.0, seed=4)


def setting_of(model, bath, names, operator="matrix-free", lamb_shift=False):
    models = [] if model is None else [model]
    return check_setting(
        models, bath, TIMES, 0, lamb_shift, "chebyshev", 1e-10, "", operator, 0.0, None, names,
        "neel" if models else None,
    )  # fmt: skip


def assert_agree(left, right, atol):
    assert left.equations == right.equations
    for name in ("distance", "smallest_eigenvalues"):
        mine, theirs = getattr(left, name), getattr(right, name)
        assert mine.keys() == theirs.keys(), name
        for key in mine:
            np.testing.assert_allclose(mine[key], theirs[key], atol=atol, err_msg=str(key))
    for pair, figures in left.local.of_pair.items():
        for key, value in figures.items():
            np.testing.assert_allclose(value, right.local.of_pair[pair][key], atol=atol)


@NAMES
@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
def test_all_ranks_agree_with_one_process(comm, bath, names, lamb_shift):
    model = draw()
    run = mb.compare(model, bath, TIMES, equations=names, lamb_shift=lamb_shift, comm=comm)
    alone = mb.compare(model, bath, TIMES, equations=names, lamb_shift=lamb_shift)
    assert_agree(run, alone, 1e-11)
    told = tuple(value.tobytes() for value in run.distance.values())
    assert len(set(comm.allgather(told))) == 1
    assert run.certificate.clustering == ("unexamined" if names == ALONE else "simple")
    for name, residual in run.certificate.gibbs_residuals.items():
        np.testing.assert_allclose(
            residual, alone.certificate.gibbs_residuals[name], atol=1e-13, equal_nan=True
        )


@NAMES
def test_rows_give_the_same(comm, bath, names):
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    model = draw()
    alone = mb.compare(model, bath, TIMES, equations=names)
    rows = mb.compare(model, bath, TIMES, equations=names, comm=comm, operator="assembled")
    assert_agree(rows, alone, 1e-9)
    assert rows.certificate.entries_kept < 0.3 and rows.certificate.drop_error == 0.0


@NAMES
def test_runs_go_on_after_a_stop(comm, bath, names, folder, monkeypatch):
    monkeypatch.setattr(stacked, "_LARGE_ABOVE", 1)
    monkeypatch.setattr(spread, "_MOST_APPLICATIONS", 45.0)
    model = draw()
    setting = setting_of(model, bath, names)
    unbroken = compare_large(model, setting, comm)
    stops = 0
    while True:
        keeper = Keeper(folder / "kept", 3, "this one", lambda: "asked")
        try:
            result = compare_large(model, setting, comm, keeper=keeper)
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    assert_agree(result, unbroken, 0.0)
    assert repr(result.certificate) == repr(unbroken.certificate)


def test_nothing_is_diagonalised_on_any_rank(comm, bath, monkeypatch):
    def refused(_hamiltonian):
        raise AssertionError("H was diagonalised")

    monkeypatch.setattr(spectra, "_diagonalise", refused)
    model = draw(8)
    run = mb.compare(model, bath, TIMES, equations=ALONE, comm=comm)
    assert np.isfinite(run.trace_distance).all() and np.isnan(run.certificate.kms_residual)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [(ALONE, True), (("redfield", "quasi-local-1"), True), (("redfield", "davies"), False)],
)
def test_models_travel_to_those_who_need_them(comm, bath, names, wanted):
    """From rank 0 alone, and only where an equation reads them."""
    setting = setting_of(None, bath, names)
    model = draw() if comm.Get_rank() == 0 else None
    with shared_problem(model, bath, False, comm, "matrix-free", setting.equations) as problem:
        assert bool(problem.models) == (wanted or comm.Get_rank() == 0)
        assert problem.dimension == 20 and problem.n_samples == 1


def test_what_does_not_apply_is_refused_on_every_rank(comm, bath):
    cases = [
        ({"model": mb.dirac_syk2(4, seed=1)}, "'quasi-local-1' does not apply to model"),
        ({"model": draw(), "initial_beta": 2.0}, "leave H undiagonalised"),
    ]
    for given, words in cases:
        with pytest.raises(ValueError, match=words):
            mb.compare(given.pop("model"), bath, TIMES, equations=ALONE, comm=comm, **given)
    model = mb.complex_syk4(4, seed=1) if comm.Get_rank() == 0 else None
    with pytest.raises(ValueError, match="does not apply to model 'complex_syk4'"):
        compare_large(model, setting_of(None, bath, ALONE), comm)


@pytest.mark.parametrize(
    "names", ['["redfield", "quasi-local-1"]', '["quasi-local-1", "quasi-local-2"]']
)
def test_samples_of_a_study_are_shared(comm, names):
    text = f"""
name = "radii"
seed = 3
samples = 1
times = [0.0, 1.0, 3.0]
equations = {names}
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "xxz_chain"
n_sites = [6]
"""
    study = parse_study(text, "text")
    point = study.systems[0].points[0]
    ((alone, _),) = compute_stack(study, point, [0], lambda _: None)
    shared, _ = compute_large(study, point, 0, comm)
    assert_agree(shared, alone, 1e-11)
