"""A cluster for the tests of this folder, started once."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "study"))

from cluster import running_cluster, why_not  # noqa: E402


@pytest.fixture(scope="session")
def cluster():
    """Three nodes on this machine; skips with the reason where none can be had."""
    if reason := why_not():
        pytest.skip(f"no Slurm: {reason}")
    with running_cluster() as cluster:
        yield cluster
