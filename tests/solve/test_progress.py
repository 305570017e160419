"""Long calls from Python say how far they are, to whoever listens to the logger "manybody"."""

import logging

import pytest

import manybody as mb
from manybody.solve import progress, stacked


@pytest.fixture
def impatient(monkeypatch, caplog):
    """Ten seconds pass with every look at the clock."""
    times = iter(range(0, 10**6, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(times)))
    caplog.set_level(logging.INFO, "manybody")
    return caplog


def test_ensembles_count_samples(impatient, bath, monkeypatch):
    monkeypatch.setattr(stacked, "STACK_ELEMENTS", 1)
    mb.compare_ensemble([mb.dirac_syk2(n, seed=1) for n in (2, 2, 4)], bath, [0.0, 1.0])
    lines = [record.getMessage() for record in impatient.records]
    assert [line.split("  ")[0] for line in lines] == ["1/3 samples", "2/3 samples", "3/3 samples"]
    # By D³: 8 of 80.
    assert "10.0% of the work" in lines[0] and "samples/s" in lines[0] and "ETA" in lines[0]


@pytest.mark.parametrize("large", [False, True])
def test_one_sample_counts_segments(impatient, bath, monkeypatch, large):
    if large:
        monkeypatch.setattr(stacked, "_LARGE_ABOVE", 3)
    mb.compare(mb.dirac_syk2(4, seed=1), bath, [0.0, 25.0], stepper="dop853")
    lines = [record.getMessage() for record in impatient.records]
    starts = [line.split("  ")[0] for line in lines]
    assert starts == [f"{done}/3 segments of time" for done in (1, 2, 3)]


@pytest.mark.parametrize(
    ("compute", "unit", "known"),
    [
        (mb.steady_state, "applications", "of GMRES, to"),
        (lambda *given, **more: mb.slow_modes(*given, method="gmres", **more), "inner", "modes"),
    ],
    ids=["steady state", "slow modes"],
)
def test_what_has_no_known_end_counts_steps(impatient, bath, compute, unit, known):
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    compute(mb.dirac_syk2(5, seed=1), bath, lamb_shift=True)
    lines = [record.getMessage() for record in impatient.records]
    counts = [int(line.split()[0]) for line in lines]
    # Ever rarer.
    assert counts[:3] == [1, 2, 3] and counts == sorted({*counts})
    for line in lines:
        assert line.split()[1] == unit and "/s  " in line and known in line


def test_what_is_quick_says_nothing(caplog, bath):
    caplog.set_level(logging.INFO, "manybody")
    mb.compare_ensemble([mb.dirac_syk2(3, seed=1)], bath, [0.0, 1.0])
    mb.compare(mb.dirac_syk2(3, seed=1), bath, [0.0, 1.0])
    assert not caplog.records
