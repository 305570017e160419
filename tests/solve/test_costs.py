"""What forecasts say of work, against the work that is counted."""

import numpy as np
import pytest

import manybody as mb
from manybody.numerics.dense import KernelOperator
from manybody.numerics.petsc import linear
from manybody.physics.baths.jump_correlator import JumpCorrelator
from manybody.physics.equations import universal_lindblad
from manybody.physics.equations.protocol import SystemFacts
from manybody.physics.problem import Problem
from manybody.physics.quantities import norms
from manybody.physics.starts import SiteStart
from manybody.solve.eigensearch import foreseen_discs
from manybody.solve.forecast import Rates, Work, evolution_seconds
from manybody.solve.modes import foreseen_searches, modes_of
from manybody.solve.observables.registry import MEASURED

RATES, GIB = Rates(6e10, 6e10), 2.0**30
EQUATIONS = ("redfield", "davies")


@pytest.fixture
def applications(monkeypatch):
    """How often the complex-linear map was applied."""
    counted, original = [0], KernelOperator.apply

    def apply(self, x, out, plus=None):
        counted[0] += self.linearity == "complex"
        original(self, x, out, plus)

    monkeypatch.setattr(KernelOperator, "apply", apply)
    return counted


def library(name):
    try:
        MEASURED[name].library()
    except RuntimeError as error:
        pytest.skip(str(error))
    return MEASURED[name]


def facts_of(model, lamb_shift=False, **rest):
    basis, lattice = getattr(model, "basis", None), getattr(model, "lattice", None)
    return SystemFacts(model.dimension, model.is_real, lamb_shift, basis, lattice, **rest)


def work_of(model, names=EQUATIONS, applications=100.0, n_times=11, **rest):
    equations = tuple(mb.EQUATIONS[name] for name in names)
    return Work(facts_of(model, **rest), n_times, equations, "matrix-free", applications)


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize(
    "model",
    [mb.dirac_syk2(28, seed=1), mb.anderson3d(4, 20.0, seed=1)],
    ids=["extended", "localised"],
)
def test_searches_of_slow_modes_are_foreseen(model, lamb_shift, bath, applications):
    gap = library("gap")
    problem = Problem([model], bath, lamb_shift)
    expected, found = foreseen_searches(problem), modes_of(problem)
    assert abs(len(expected.searches) - found.shifts) <= 1
    cost = gap.cost_of_sample(problem)
    assert 0.5 < cost.applications / applications[0] < 2.5


def test_discs_around_modes():
    # One far slower than all others: the first disc, around 0, holds it.
    one = np.array([-1e-3, *(-1.0 - 0.1 * np.arange(10))], dtype=complex)
    assert foreseen_discs(one, 2e-3, 300)[1] == [1.0]
    # Pairs of frequencies that are far apart, each among five others that decay faster.
    far = np.array([-1e-2 + 10j * k for k in range(1, 5)])
    others = np.array([-0.5 - 0.1 * j + 10j * k for k in range(5) for j in range(6)])
    every = np.concatenate([far, others])
    every = np.concatenate([every, every[every.imag > 0.0].conj()])
    every = every[np.argsort(-every.real, kind="stable")]
    shifts, searched = foreseen_discs(every, 2e-2, 300)
    assert searched == [1.0] * 5 and [each.imag for each in shifts] == [0, 10, 20, 30, 40]
    assert len(foreseen_discs(every, 2e-2, 3)[0]) == 3
    # Six modes of a crowd end a disc short of the target: twelve are sought after them.
    crowd = np.array([5j - 1.0 + 1e-3j * k for k in range(10)] + [5j - 3.0 - k for k in range(20)])
    assert foreseen_discs(crowd, 1.0, 300)[1] == [1.0, 3.0]


@pytest.mark.parametrize("coupling", [0.2, 1.0])
def test_iterations_of_solutions_are_foreseen(coupling, monkeypatch):
    library("gap")
    counted, original = [], linear.solve

    def solve(*arguments):
        result = original(*arguments)
        counted.append(result[1])
        return result

    monkeypatch.setattr(linear, "solve", solve)
    bath = mb.OhmicBath(coupling, 10.0, 1.0 / coupling)
    problem = Problem([mb.anderson3d(4, 10.0, seed=1)], bath)
    modes_of(problem)
    # 13 and 30.
    assert 0.7 < foreseen_searches(problem).iterations[0] / np.mean(counted) < 1.4


def test_a_lamb_shift_of_localised_levels_lets_gmres_stall(bath):
    gap, model = library("gap"), mb.anderson3d(5, 20.0, seed=4)
    plain, shifted = (
        gap.cost_of_sample(Problem([model], bath, lamb_shift)) for lamb_shift in (False, True)
    )
    assert foreseen_searches(Problem([model], bath)).slowest < 3.5e-5
    assert 3.0 < shifted.applications / plain.applications < 8.0


@pytest.mark.parametrize(
    ("n_sites", "lamb_shift"), [(12, False), (12, True), (40, False), (40, True)]
)
def test_applications_of_steady_states(n_sites, lamb_shift, bath, applications):
    steady = library("steady_state")
    model = mb.dirac_syk2(n_sites, seed=1)
    cost = steady.cost(facts_of(model, lamb_shift))
    steady.measure(Problem([model], bath, lamb_shift), SiteStart(0), None)
    assert 0.8 < cost.applications / applications[0] < 2.2


def test_steady_states_by_what_is_known_of_them():
    cost = MEASURED["steady_state"].cost
    gibbs, shifted = (cost(SystemFacts(27, True, lamb_shift)) for lamb_shift in (False, True))
    # Three dense Liouvillians, each of 2/3 (N²)³ complex multiplications at least.
    assert shifted.flops - gibbs.flops > 3 * 8.0 / 3.0 * 27.0**6
    two = cost(SystemFacts(27, True, False, has_temperature=False))
    assert two.flops > shifted.flops and two.applications == 0.0
    assert cost(SystemFacts(64, True, True)).flops == cost(SystemFacts(64, True, False)).flops


@pytest.mark.parametrize("model", [mb.dirac_syk2(6, seed=1), mb.xxz_chain(6)], ids=["one", "many"])
@pytest.mark.parametrize("names", [EQUATIONS, (*EQUATIONS, "universal-lindblad")])
def test_eigenvalue_problems_of_an_output_time(model, names, bath, monkeypatch):
    counted = [0]

    def counting(name):
        original = getattr(norms, name)

        def measure(matrices, *rest):
            counted[0] += matrices[..., 0, 0].size
            return original(matrices, *rest)

        monkeypatch.setattr(norms, name, measure)

    # A trace distance asks for eigenvalues too.
    counting("eigenvalues")
    counting("smallest_eigenvalue")
    mb.compare(model, bath, np.linspace(0.0, 2.0, 5), equations=names)
    assert work_of(model, names).eigenvalue_problems() == counted[0] / 5


def test_poles_of_the_universal_lamb_shift(bath, monkeypatch):
    poles, pairs, original = [0], [0], JumpCorrelator.shifts

    def shifts(self, positions, differences):
        poles[0] += positions.size
        pairs[0] += differences.size
        return original(self, positions, differences)

    monkeypatch.setattr(JumpCorrelator, "shifts", shifts)
    model, equation = mb.dirac_syk2(12, seed=1), mb.EQUATIONS["universal-lindblad"]
    equation.generator(Problem([model], bath, True))
    of_poles = universal_lindblad._OF_A_POLE * poles[0]
    counted = of_poles + universal_lindblad._OF_A_PAIR * pairs[0]
    assert 0.8 < equation.setup(facts_of(model, True)) / counted < 1.2
    assert equation.setup(facts_of(model)) == 0.0
    # Measured of 20 states: 13 and 42 ms, of which H_LS are 30.
    plain, shifted = (
        evolution_seconds(
            work_of(mb.xxz_chain(6), (*EQUATIONS, "universal-lindblad"), lamb_shift=lamb_shift),
            RATES, GIB, 1, 20,
        )
        for lamb_shift in (False, True)
    )  # fmt: skip
    assert 0.02 < shifted - plain < 0.05


def test_small_samples_cost_less_in_a_stack():
    model = mb.dirac_syk2(4, seed=1)
    alone, stacked = (evolution_seconds(work_of(model), RATES, GIB, 1, n) for n in (1, 100))
    assert alone > 3.0 * stacked
    # Calls of a kernel that takes one sample after the other are not shared.
    names = (*EQUATIONS, "universal-lindblad")
    assert work_of(model, names).calls(100) > 0.5 > 50 * work_of(model).calls(100) - 1e-12
    assert evolution_seconds(work_of(model), RATES, GIB) > 1e-3
