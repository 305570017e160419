"""Docstrings of all public names: numpydoc's sections of what is there, and examples that run."""

import doctest
import inspect
from importlib import import_module

import pytest
from docstring_rules import address, format_errors, members, problems

import manybody as mb
from manybody.numerics import protocols as numerics
from manybody.physics.baths.families import BathFamily
from manybody.physics.equations import protocol as equations
from manybody.physics.gaussian.relaxation import SteadyCorrelations
from manybody.physics.gaussian.theorem import TheoremResidual
from manybody.physics.models.family import Family
from manybody.physics.models.lattices import Lattice
from manybody.physics.models.many_body import Term
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.spectra import Spectrum
from manybody.report.datasets import StoreDatasets
from manybody.solve.observables import protocol as observables

NAMED = [getattr(mb, name) for name in mb.__all__] + [
    *map(vars(mb.networks).get, mb.networks.__all__)
]
# What users write, what they are handed for that, and what makes it known by its name.
WRITTEN = [equations.Equation, equations.Guarantees, equations.SteppedGenerator]
WRITTEN += [equations.ClosedPropagator, equations.Evolution, equations.SystemFacts]
WRITTEN += [observables.Observable, observables.Figure, observables.Panel, observables.Cost]
WRITTEN += [numerics.Stepper, numerics.Operator, numerics.Kernel, numerics.Bounds]
WRITTEN += [numerics.Segment, numerics.Solution, Problem, Spectrum]
WRITTEN += [Family, Lattice, Model, Term, BathFamily]
HOMES = ["physics.models.families", "physics.baths.families", "physics.equations.registry"]
HOMES += ["numerics.steppers", "solve.observables.registry"]
REGISTER = [import_module(f"manybody.{home}").register for home in HOMES]
# What public functions return and values are of.
RETURNED = [SteadyCorrelations, StoreDatasets, TheoremResidual, type(mb.EQUATIONS)]
PUBLIC = [
    each
    for each in [*NAMED, *WRITTEN, *REGISTER, *RETURNED]
    if inspect.isclass(each) or inspect.isfunction(each)
]


@pytest.mark.parametrize("found", PUBLIC, ids=address)
def test_everything_public_is_documented(found):
    assert list(problems(found)) == []


@pytest.mark.parametrize("found", PUBLIC, ids=address)
def test_sections_have_the_form_of_numpydoc(found):
    assert format_errors(found) == []


# What is not installed everywhere.
NEEDS = {"manybody.report.datasets": "xarray", "manybody.report.running": "xarray"}
NEEDS |= {"manybody.report.writing": "xarray"}


def run_examples(found, name):
    """Attempted and failed, of one object; wrappers hide theirs from `doctest.testmod`."""
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder(recurse=False).find(found, name, module=False, globs={}):
        runner.run(test)
    return runner.summarize()


@pytest.mark.parametrize("found", PUBLIC, ids=address)
def test_examples_run(found):
    if found.__module__ in NEEDS:
        pytest.importorskip(NEEDS[found.__module__])
    done = run_examples(inspect.unwrap(found), address(found))
    assert done.attempted > 0 and done.failed == 0
    if inspect.isclass(found):
        for name, (member, _) in members(found).items():
            assert run_examples(inspect.unwrap(member), name).failed == 0


def test_the_example_of_the_package_runs():
    done = run_examples(mb, "manybody")
    assert done.attempted > 0 and done.failed == 0


SEED = "seed : int, sequence of ints or Generator, default 0\n    Of h.\n"
RAISES = "Raises\n------\nInputError\n    An argument is out of range or of a wrong type"
MUTANTS = [
    (mb.dirac_syk2, None, SEED, "", "parameter seed is not documented"),
    (mb.dirac_syk2, None, SEED, SEED + SEED.replace("seed", "beta"), "there is no parameter beta"),
    (mb.dirac_syk2, None, "n_sites : int", "n_sites", "PR04"),
    (mb.dirac_syk2, None, "float, default 1.0", "float, default 2.0", "coupling is 1.0, not 2.0"),
    (mb.dirac_syk2, None, "float, default 1.0", "float", "coupling is 1.0"),
    (mb.dirac_syk2, None, "n_sites : int", "n_sites : int, default 8", "n_sites has no default"),
    (mb.PhononDensity, None, "default inf", "default nan", "the default of cutoff is inf"),
    (mb.dirac_syk2, None, "Of h.", "", "PR07"),
    (mb.dirac_syk2, None, "Of h.", "H.", "an item of a list"),
    (mb.dirac_syk2, None, "with a random h.", "with a random h.  It is dense.", "one sentence"),
    (mb.dirac_syk2, None, "Dirac-SYK2", "dirac-SYK2", "one sentence"),
    (mb.dirac_syk2, None, "Returns\n-------", "Yields\n------", "no section Returns"),
    (mb.dirac_syk2, None, RAISES, RAISES.replace("Raises", "Errors"), "no section Raises"),
    (mb.dirac_syk2, None, "Examples\n--------", "Example\n-------", "no section Examples"),
    (mb.OhmicBath, None, "Raises\n------", "Warns\n-----", "no section Raises"),
    (mb.OhmicBath, None, "beta : float", "temperature : float", "parameter beta is not"),
    (mb.OhmicBath, "gamma", "omega : float", "frequency : float", "gamma: parameter omega is not"),
    (mb.Cancellation, None, "out_rate : float", "rate : float", "there is no attribute rate"),
    (mb.MatrixFree, None, "spread : bool", "spreads : bool", "attribute spread is not documented"),
    (mb.MatrixFree, "flops", "Returns\n-------", "Notes\n-----", "flops: there is no section Ret"),
]


@pytest.mark.filterwarnings("ignore:Unknown section")
@pytest.mark.parametrize(
    ("found", "member", "taken", "put", "said"), MUTANTS, ids=[mutant[-1] for mutant in MUTANTS]
)
def test_what_is_missing_is_seen(found, member, taken, put, said, monkeypatch):
    mutant = found if member is None else vars(found)[member]
    docstring = inspect.cleandoc(mutant.__doc__)
    assert docstring.count(taken) == 1
    monkeypatch.setattr(mutant, "__doc__", docstring.replace(taken, put))
    assert said in " ".join([*problems(found), *format_errors(found)])
