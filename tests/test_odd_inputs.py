"""Whatever a public function is given ends in an answer or in one sentence that names it."""

import datetime
import decimal
import inspect
import math
import re
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import public_calls
import pytest
import scipy.sparse as sp

import manybody as mb
from manybody.errors import InputError, Unavailable, shown

CALLS = public_calls.calls()
SQUARE = np.eye(3)
LARGE = np.arange(2500.0).reshape(50, 50)


class Lines:
    def __repr__(self):
        return "Lines()\nof which there are two"


class Table:
    """What pandas and xarray give: an array with labels, which it goes through."""

    columns, shape, ndim = ("a", "b"), (2, 2), 2

    def __iter__(self):
        return iter(range(2))

    def __len__(self):
        return 2

    def to_numpy(self):
        return np.eye(2)


class Operator:
    """A `Qobj`, which can be called as well."""

    dims, shape = [[3], [3]], (3, 3)

    def full(self):
        return SQUARE.astype(complex)

    def __call__(self, other):
        raise TypeError("Only defined for quantum objects.")


ODD = {
    "None": None, "True": True, "minus one": -1, "half": 0.5, "nan": math.nan, "inf": math.inf,
    "huge integer": 10**400, "1e300": 1e300, "word": "x", "no word": "", "number as a word": "3",
    "bytes": b"x", "long word": "z" * 3000, "nothing": [], "no names": {}, "names": {"a": 1},
    "ragged": [[1.0], [1.0, 2.0]], "words": ["a", "b"], "path": Path("/nowhere/x"),
    "no axes": np.array(1.0), "an object": np.array(None), "duration": datetime.timedelta(1),
    "durations": np.array([1, 2], dtype="m8[ns]"), "one duration": np.timedelta64(3, "ns"),
    "date": np.datetime64("2020-01-01"), "float32": np.float32(0.5), "int8": np.int8(2),
    "complex": 1 + 2j, "Fraction": Fraction(1, 2), "Decimal": decimal.Decimal("0.5"),
    "large": LARGE, "large list": LARGE.tolist(), "bools": np.array([True, False]),
    "objects": np.array([0.0, "a"], dtype=object), "text array": np.array(["0.0", "1.0"]),
    "with nan": np.array([0.0, np.nan]), "negative": np.array([-1.0, 1.0]),
    "masked": np.ma.array([0.0, 1.0], mask=[0, 1]),
    "masked square": np.ma.array(SQUARE, mask=SQUARE), "matrix": np.asmatrix(SQUARE),
    "not Hermitian": np.triu(np.ones((3, 3))),
    "nan matrix": np.full((3, 3), np.nan), "three axes": np.zeros((2, 3, 3)),
    "empty": np.zeros((0, 0)), "structured": np.zeros(2, dtype=[("a", float)]),
    "sparse": sp.csr_array(SQUARE), "sparse row": sp.csr_array(np.array([[0.0, 1.0]])),
    "set": {0.0, 1.0}, "function": lambda *given: 1.0, "scalar function": math.exp, "class": int,
    "object": object(), "lines": Lines(), "model": public_calls.MODEL, "bath": public_calls.BATH,
    "models": [public_calls.MODEL] * 2, "module": math, "slice": slice(2), "dots": ...,
    "table": Table(), "operator": Operator(), "error": ValueError("x"),
}  # fmt: skip
# What is said of other arguments that no longer fit, as (argument, words).
OF_OTHERS = {
    ("hamiltonian", "couplings"), ("model", "state"), ("length", "n_particles"),
}  # fmt: skip
# What these need is on disk.
REFUSED = {"open_store": "no study.json", "report_figures": "no study.json", "run_study": "'name'"}


def answer(function, given):
    """The error of a call, None where it works."""
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("ignore")
        for category in (RuntimeWarning, DeprecationWarning):
            warnings.simplefilter("error", category)
        try:
            function(**given)
        except Exception as error:
            return error
    return None


def poor(name, error):
    """Why an error says too little or too much of an argument, empty where it does not."""
    if not isinstance(error, (InputError, Unavailable)):
        return f"{type(error).__name__}: {str(error)[:100]}"
    text = str(error)
    if "\n" in text or len(text) > 450:
        return f"{len(text)} letters: {text[:100]}"
    words = {name, *(other for own, other in OF_OTHERS if own == name)}
    found = any(re.search(rf"\b{word}|\b{word.rstrip('s')}\b", text) for word in words)
    spoken = {"drop_tolerance": "tolerance", "options": "petsc_options"}
    found = found or any(own == name and word in text for own, word in spoken.items())
    return "" if found else f"does not name it: {text[:100]}"


def test_the_table_has_every_public_function_with_all_its_arguments():
    assert {*CALLS} == {*mb.__all__} - public_calls.MADE_BY_US - public_calls.NO_CALLS
    for name, given in CALLS.items():
        there = inspect.signature(getattr(mb, name)).parameters
        assert {*given} == {*there}, name


@pytest.mark.parametrize("name", CALLS)
def test_odd_arguments(name):
    function, given = getattr(mb, name), CALLS[name]
    first = answer(function, given)
    assert first is None or REFUSED[name] in str(first)
    wrong = {}
    for argument in given:
        # The study is none, which is found after what comes before it.
        if name == "run_study" and argument in ("study", "group_size"):
            continue
        for label, value in ODD.items():
            error = answer(function, {**given, argument: value})
            as_before = error is None or str(error) == str(first)
            why = "" if as_before else poor(argument, error)
            if why:
                wrong[argument, label] = why
    assert wrong == {}


RESPONSE = mb.correlation_response(**CALLS["correlation_response"])
# Methods of what public functions return; γ(ω) and its like answer as NumPy's functions do.
METHODS = {
    "changes": (RESPONSE.changes, {"times": [0.0, 1.0]}),
    "current_changes": (RESPONSE.current_changes, {"change": public_calls.TILT}),
    "observable_row": (
        CALLS["heat_current_response"]["response"].observable_row,
        {"observable": public_calls.TILT},
    ),
    "find": (mb.FockBasis(3).find, {"occupations": [0, 1, 0]}),
    "sector": (mb.FockBasis(3).sector, {"n_particles": 1}),
    "at": (public_calls.DRIVEN.at, {"time": 1.0}),
    "quadratic at": (public_calls.DRIVEN_WIRE.at, {"time": 1.0}),
    "table": (mb.TabulatedHamiltonian([0.0, 1.0], [np.eye(2)] * 2), {"time": 0.5}),
    "qubits": (
        mb.networks.coupled_qubits,
        {"omega": 1.0, "g": 0.1, "delta_Omega": 0.01, "T_a": 1.0, "T_b": 2.0, "gamma": 1.0},
    ),
    "engine": (
        mb.networks.levy_kosloff,
        {
            "omega_h": 2.0, "omega_c": 1.0, "T_h": 2.0, "T_c": 1.0, "epsilon": 0.05,
            "kappa": 0.01, "statistics": "boson", "approach": "local", "contact": "exchange",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_odd_arguments_of_methods(name):
    function, given = METHODS[name]
    assert answer(function, given) is None
    wrong = {}
    for argument in given:
        for label, value in ODD.items():
            error = answer(function, {**given, argument: value})
            # Of a number that is a time, but not one with a Hamiltonian.
            is_time = argument == "time" and str(error).startswith("at t = ")
            why = "" if error is None or is_time else poor(argument, error)
            if why:
                wrong[argument, label] = why
    assert wrong == {}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "3"),
        ("ab", "'ab'"),
        ("z" * 3000, "'" + "z" * 60 + "'... of 3000 letters"),
        (1 << 20000, "<int>"),
        (np.arange(3), "array([0, 1, 2])"),
        (SQUARE, "<ndarray of shape (3, 3)>"),
        (LARGE.tolist(), "<list of 50>"),
        (Lines(), "<Lines>"),
        (public_calls.MODEL, "<SingleParticleModel>"),
    ],
    ids=map(str, range(9)),
)
def test_a_value_in_a_sentence_is_short(value, words):
    assert shown(value) == words


@pytest.mark.parametrize("make", [mb.CallableBath, mb.CallableDensity])
def test_functions_of_single_numbers_are_told_of_arrays(make):
    """`math` refuses arrays, and so does a question that is asked of a number."""
    rest = {"beta": 1.0} if make is mb.CallableBath else {"slope_at_zero": 0.1}
    for function in (lambda w: math.exp(w), lambda w: 0.1 * w if w > 0 else 0.0):
        with pytest.raises(InputError, match=r"function raised .*np\.vectorize makes one"):
            make(function, **rest)
    flat = np.vectorize(lambda w: 0.1 * math.exp(0.5 * w) / math.cosh(w))
    assert mb.CallableBath(flat, beta=1.0).gamma(0.0) == 0.1
