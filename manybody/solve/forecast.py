"""What a sample will cost: applications, time and memory, measured on ordinary machines."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from manybody.arrays import product
from manybody.numerics.chebyshev import applications_of_series
from manybody.numerics.dense_exponential import DenseExponential, exponential_flops
from manybody.numerics.protocols import Bounds, Stepper
from manybody.numerics.steppers import Assembled, MatrixFree, find_operator
from manybody.physics import arguments
from manybody.physics.baths.several import GivenBaths
from manybody.physics.equations.protocol import Equation, SystemFacts
from manybody.physics.equations.registry import DEFAULT, unguarded
from manybody.physics.models.given import Matrix, model_from
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.solve.comparison import Setting, check_setting
from manybody.solve.evolution import joint_bounds, stepped_of
from manybody.solve.local import MOST_STATES_OF_ENTROPY
from manybody.solve.monitor import observer_matrices, observers
from manybody.solve.spread import extent_of_sample
from manybody.system.blas import blas_threads
from manybody.system.memory import machine_bytes

# What products reach of their rate at N = 216: of large matrices, and N where it is half of that.
_REACHED, _HALF_AT = 0.95, 10.0
# What groups of ranks reach of one.
GROUP_EFFICIENCY = 0.9
# In flops of products that take as long.  Of all passes over the elements of a matrix in an
# application or for an observed state, an element and a row; of the eigenvalues of a matrix, in
# N³ (16/3 of them to a tridiagonal form, half of that by products of a matrix and a vector), and
# in N² (recurrences that wait for each result).
_OF_AN_ELEMENT, _OF_A_ROW = 300.0, 1.5e4
_REDUCTION, _RECURRENCES = 8.0, 1700.0
# What calls of Python and NumPy cost, however small the matrices: to draw a sample and to know its
# levels, and more on a lattice; to let a stack evolve, and each of its samples; of an output time
# of a sample; of an application.
_SECONDS_OF_A_SAMPLE, _SECONDS_OF_A_LATTICE = 2e-4, 3e-4
_SECONDS_OF_A_STACK, _SECONDS_OF_EVOLVING = 3.5e-3, 3e-4
_SECONDS_OF_A_TIME, _SECONDS_OF_A_CALL = 3e-6, 1e-5
# Many particles have sparse matrices to be made, and figures of every site.
_CALLS_OF_MANY = 1.5


@dataclass(frozen=True)
class Rates:
    """Measured rates of matrix products on one core with one thread, flop/s."""

    real: float
    complex: float


# To order tasks with.
NOMINAL_RATES = Rates(6e10, 7e10)


def measure_rates(seconds: float = 0.1) -> Rates:
    """Rates of products of 216 x 216 matrices, the fastest of what `seconds` allow each."""
    n = 216
    found = []
    for dtype, columns, flops in ((np.float64, 2 * n, 4.0), (np.complex128, n, 8.0)):
        left = np.full((n, n), 0.5, dtype=dtype)
        right, out = (np.full((n, columns), 0.5, dtype=dtype) for _ in range(2))
        best, stop = np.inf, time.perf_counter() + seconds
        while time.perf_counter() < stop:
            start = time.perf_counter()
            product(left, right, out)
            best = min(best, time.perf_counter() - start)
        found.append(flops * n**3 / best)
    return Rates(*found)


@dataclass(frozen=True)
class Work:
    """What the time of one sample depends on.

    facts: the system; n_times: T; equations, operator: as in `compare`; applications: of the
    generator, all stepped equations; is_diagonalised: whether H is.
    """

    facts: SystemFacts
    n_times: int
    equations: tuple[Equation, ...]
    operator: str
    applications: float
    is_diagonalised: bool = True

    def flops_of(self, stepped: bool) -> list[float]:
        """Of one application of the stepped, or one state of the closed equations."""
        return [
            each.operations(self.facts) for each in self.equations if each.is_stepped is stepped
        ]

    def setup_flops(self) -> float:
        """Before the first application of the stepped equations, beside what all need."""
        return sum(each.setup(self.facts) for each in self.equations)

    def eigenvalue_problems(self) -> float:
        """At an output time: one a pair, and of states, of which entropies need all."""
        n_equations = len(self.equations)
        n_pairs = n_equations * (n_equations - 1) / 2.0
        if self.facts.basis is not None and self.facts.dimension <= MOST_STATES_OF_ENTROPY:
            return n_pairs + n_equations
        return n_pairs + len(unguarded([each.name for each in self.equations]))

    def calls(self, stack: int) -> float:
        """Of kernels, an application of a sample of a stack, on average over stepped equations."""
        shares = [
            1.0 / stack if each.shares_calls else 1.0 for each in self.equations if each.is_stepped
        ]
        return sum(shares) / max(1, len(shares))

    def application_flops(self) -> float:
        """Of one application, on average over the stepped equations."""
        flops = self.flops_of(stepped=True)
        if not flops:
            return 0.0
        return find_operator(self.operator).flops(self.facts.dimension, sum(flops) / len(flops))


def evolution_seconds(
    work: Work, rates: Rates, memory: float, group_size: int = 1, stack: int = 1
) -> float:
    """Wall time of one sample on `group_size` ranks, one thread each, or one of a stack.

    memory: bytes of the machine, where states are observed.
    """
    n, n_equations = work.facts.dimension, len(work.equations)
    rate = rate_of(work.facts, rates)
    reached = rate * efficiency(n)
    operator = find_operator(work.operator)
    each = operator.seconds(n, work.application_flops(), reached) + pass_flops(n) / rate
    once = operator.setup_seconds(n, rate, group_size) if work.is_diagonalised else 0.0
    # On one rank, while others wait.
    once += work.setup_flops() / rate * group_size
    reduced = work.eigenvalue_problems() * (_REDUCTION * n**3 + _RECURRENCES * n**2)
    products = sum(work.flops_of(stepped=False)) / reached
    observing = ((reduced + n_equations * pass_flops(n)) / rate + products) * work.n_times
    watching = max(1, observers(n, group_size, memory, observer_matrices(n_equations)))
    shared = (work.applications * each + once) / group_size + observing / watching
    return (
        shared / group_efficiency(group_size) + drawing_seconds(work.facts) + _calls(work, stack)
    )


def _calls(work: Work, stack: int) -> float:
    """Seconds that the evolution of one of a stack takes however small it is."""
    once = _SECONDS_OF_EVOLVING + _SECONDS_OF_A_STACK / stack
    once += _SECONDS_OF_A_TIME * work.n_times
    return _many(work.facts) * once + _SECONDS_OF_A_CALL * work.applications * work.calls(stack)


def drawing_seconds(facts: SystemFacts) -> float:
    """What a sample takes before anything is measured, however small it is."""
    lattice = 0.0 if facts.lattice is None else _SECONDS_OF_A_LATTICE
    return _many(facts) * (_SECONDS_OF_A_SAMPLE + lattice)


def _many(facts: SystemFacts) -> float:
    return 1.0 if facts.basis is None else _CALLS_OF_MANY


def rate_of(facts: SystemFacts, rates: Rates) -> float:
    """Of the products of a system."""
    return rates.real if facts.is_real else rates.complex


def efficiency(dimension: int) -> float:
    """What products of square matrices reach of the rates of `measure_rates`."""
    return _REACHED / (1.0 + _HALF_AT / dimension)


def group_efficiency(group_size: int) -> float:
    """What each of so many ranks reaches of one that is alone."""
    return 1.0 if group_size == 1 else GROUP_EFFICIENCY


def pass_flops(dimension: int) -> float:
    """All passes over the elements of a matrix in an application, in flops of products."""
    return _OF_AN_ELEMENT * dimension**2 + _OF_A_ROW * dimension


@dataclass(frozen=True)
class Estimate:
    """Cost of a call of `compare`, about.

    Attributes
    ----------
    seconds : float
        Wall time on one core with one thread, on an idle machine within a factor of three.
    bytes : float
        Peak memory of the process.
    applications : int
        Of the generator, all stepped equations.
    stepper : str
        The name of what will advance them: "dense-exponential" too, where `compare` chooses it;
        empty where nothing is stepped.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=8, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> mb.estimate(model, bath, times=[0.0, 10.0]).stepper
    'chebyshev'
    """

    seconds: float
    bytes: float
    applications: int
    stepper: str


def estimate(
    model: Model | Matrix,
    bath: GivenBaths,
    times: Iterable[float],
    lamb_shift: bool = False,
    stepper: str | Stepper = "chebyshev",
    tolerance: float = 1e-10,
    operator: str | MatrixFree | Assembled = "matrix-free",
    equations: Sequence[str] = DEFAULT,
    keep_states: bool = False,
) -> Estimate:
    """Time and memory that `compare` takes with these arguments, without doing it.

    Parameters
    ----------
    model : Model or (N, N) array
        As of `compare`.
    bath : Bath, sequence of Bath or mapping of int to Bath
        As of `compare`.
    times : (T,) sequence of float
        Ascending, >= 0, in 1/J.
    lamb_shift : bool, default False
        Keep η(ω) in all equations.
    stepper : str or Stepper, default "chebyshev"
        As of `compare`.
    tolerance : float, default 1e-10
        In [1e-13, 0.01], see the stepper.
    operator : str or object, default "matrix-free"
        As of `compare`.
    equations : sequence of str, default ("redfield", "davies")
        Two or more of `manybody.EQUATIONS`.
    keep_states : bool, default False
        Count the memory of all states.

    Returns
    -------
    Estimate
        Seconds on one core, bytes, applications and the stepper.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).
    Unavailable
        PETSc is needed and missing.

    Notes
    -----
    H is diagonalised where `compare` would, since the length of a series is that of the spectrum
    of the generator; how fast this machine multiplies matrices is measured in some tenths of a
    second.  The cost model is that of `manybody plan`.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=8, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> mb.estimate(model, bath, times=[0.0, 10.0]).seconds < 10.0
    True
    """
    system = model_from(model)
    arguments.boolean("keep_states", keep_states)
    # Which start it is costs nothing, and not every model has every one.
    setting = check_setting(
        [system], bath, times, 0, lamb_shift, stepper, tolerance, "", operator, 0.0,
        equations=equations, initial_state="mixed",
    )  # fmt: skip
    with blas_threads(), np.errstate(under="ignore"):
        generators = list(
            stepped_of(Problem([system], setting.bath, lamb_shift), setting).values()
        )
        return _estimated(system, setting, joint_bounds(generators), len(generators), keep_states)


def _estimated(
    system: Model, setting: Setting, bounds: Bounds | None, n_stepped: int, keep_states: bool
) -> Estimate:
    n, times = system.dimension, setting.times
    applications, more, name = 0.0, 0.0, ""
    rates = measure_rates()
    if bounds is not None:
        (scheme,) = setting.stepper.chosen(bounds, times, n)
        # Refuses what would never end.
        scheme.segments(bounds, times)
        name, applications = scheme.name, _applications(scheme, bounds, setting, n) * n_stepped
        if isinstance(scheme, DenseExponential):
            more = n_stepped * exponential_flops(n, times) / (efficiency(n * n) * rates.real)
    extent = extent_of_sample(system, setting)
    room = extent.rank_bytes(1) if extent.is_shared(1) else extent.stack_bytes(1)
    room += 16.0 * n**2 * len(times) * len(setting.equations) * keep_states
    facts = SystemFacts(
        n, system.is_real, setting.lamb_shift, getattr(system, "basis", None),
        getattr(system, "lattice", None),
    )  # fmt: skip
    work = Work(
        facts, len(times), setting.equations, setting.operator, applications,
        setting.needs_spectrum,
    )  # fmt: skip
    seconds = evolution_seconds(work, rates, machine_bytes()) + more
    return Estimate(seconds, room, int(applications), name)


def _applications(scheme: Stepper, bounds: Bounds, setting: Setting, dimension: int) -> float:
    """Of one equation: as many as elements, or those of a series times what the stepper says."""
    if isinstance(scheme, DenseExponential):
        return float(dimension**2)
    needed = applications_of_series(bounds, setting.times, scheme.tolerance)
    return float(needed.max()) * scheme.relative_applications
