"""`import manybody` alone is quick; each public name brings its room at its first use."""

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import manybody as mb

LATE = ("numpy", "scipy", "h5py", "matplotlib", "manybody.networks", "manybody.report")


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_what_import_leaves_for_later():
    shown = f"print(*(name for name in {LATE} if name in sys.modules))"
    assert python(f"import sys, manybody; {shown}") == []
    assert python(f"import sys, manybody as mb; mb.networks; {shown}") == [
        "numpy",
        "scipy",
        "manybody.networks",
    ]
    assert {"h5py", "manybody.report"} <= {*python(f"import sys; from manybody import *; {shown}")}


def test_what_comparing_leaves_for_later():
    """scripts/bench_import.py measures what that is worth."""
    late = [
        "scipy.special", "scipy.integrate", "scipy.optimize", "scipy.interpolate", "cattrs",
        "h5py", "matplotlib", "mpi4py", "petsc4py", "manybody.study", "manybody.report",
        "manybody.papers",
    ]  # fmt: skip
    shown = f"print(*(name for name in {late} if name in sys.modules))"
    assert python(f"import sys, manybody as mb; mb.compare; mb.compare_ensemble; {shown}") == []


def test_every_public_name_is_one_and_the_same():
    code = "import manybody; print(*(n for n in manybody.__all__ if n not in dir(manybody)))"
    assert python(code) == []
    everything = {}
    exec("from manybody import *", everything)
    for name in mb.__all__:
        # Those of steppers are looked up each time: more may be registered.
        found = getattr(mb, name)
        assert found == everything[name] if name == "STEPPERS" else found is everything[name], name
    assert not hasattr(mb, "redfeild_liouvillian")
    with pytest.raises(ImportError, match="redfeild"):
        exec("from manybody import redfeild_liouvillian")


def test_what_is_pickled_needs_no_earlier_use():
    made = pickle.dumps((mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0), mb.compare))
    assert python(f"import pickle; print(*pickle.loads({made!r}))")[0].startswith("OhmicBath(")


def test_type_checkers_are_told_of_the_same_homes():
    """The imports that they alone follow, against those at first use."""
    told = {}
    for node in ast.walk(ast.parse(Path(mb.__file__).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("manybody"):
            told |= {alias.name: node.module for alias in node.names}
    assert sorted(told) == sorted(mb.__all__)
    assert told.pop("networks") == "manybody"
    assert told == mb._HOME
