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
from manybody.solve.monitor import observer_matrices, observers
from manybody.solve.spread import extent_of_sample
from manybody.system.blas import blas_threads
from manybody.system.memory import machine_bytes

# What applications reach of the product rate (scripts/bench.py), and groups of ranks of one.
_FRACTION_OF_RATE, FRACTION_OF_SMALL = 0.85, 0.6
GROUP_EFFICIENCY = 0.9
# What calls cost, however small a sample.
SECONDS_OF_A_SAMPLE, _SECONDS_OF_A_TIME, _SECONDS_OF_A_CALL = 1e-3, 4e-5, 2e-5
# LAPACK reduces a matrix at about a fifth of the rate of products.
_LAPACK_SLOWER, _LAPACK_SLOWER_SMALL = 5.0, 8.0
# Sites up to which calls and caches cost that much.
_SMALL = 100


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
    n = work.facts.dimension
    rate = rates.real if work.facts.is_real else rates.complex
    operator = find_operator(work.operator)
    fraction = _FRACTION_OF_RATE if n > _SMALL else FRACTION_OF_SMALL
    each = operator.seconds(n, work.application_flops(), fraction * rate)
    once = operator.setup_seconds(n, rate, group_size) if work.is_diagonalised else 0.0
    # An eigenvalue problem a pair and one for each positivity, and the closed states.
    products = sum(work.flops_of(stepped=False))
    slower = _LAPACK_SLOWER if n > _SMALL else _LAPACK_SLOWER_SMALL
    n_equations = len(work.equations)
    n_pairs = n_equations * (n_equations - 1) / 2.0
    problems = n_pairs + len(unguarded([own.name for own in work.equations]))
    observing = (slower * problems * 16.0 / 3.0 * n**3 + products) / rate * work.n_times
    watching = max(1, observers(n, group_size, memory, observer_matrices(n_equations)))
    efficiency = 1.0 if group_size == 1 else GROUP_EFFICIENCY
    shared = (work.applications * each + once) / group_size + observing / watching
    calls = SECONDS_OF_A_SAMPLE + _SECONDS_OF_A_TIME * work.n_times
    calls += work.applications * _SECONDS_OF_A_CALL / stack
    return shared / efficiency + calls


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
            more = n_stepped * exponential_flops(n, times) / (FRACTION_OF_SMALL * rates.real)
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
