"""How slowly the Redfield equation relaxes: its slowest modes, beside those of Davies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.blas import blas_threads
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.petsc.runtime import slepc
from manybody.numerics.protocols import Array
from manybody.physics import arguments
from manybody.physics.baths import OhmicBath
from manybody.physics.davies import DaviesGenerator, build_davies
from manybody.physics.models import SingleParticleModel
from manybody.physics.redfield import RedfieldGenerator, build_redfield
from manybody.physics.spectra import build_spectrum
from manybody.physics.stationary import Decomposition, decompose
from manybody.study.groups import first_ranks, on_every_rank, size_of, together
from manybody.study.preconditioner import DaviesInverse, norm
from manybody.study.steady import check_method, factorised

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

MAX_ITERATIONS = 500
# Modes sought around a frequency, and frequencies tried at most.
_AROUND, _MOST_SHIFTS = 6, 200
# A coherence of Davies that decays this much faster than the slowest modes found so far
# is not expected to hide a slower one of Redfield.
_MARGIN = 2.0
# Relative residual of an inner solution.
_INNER_TOLERANCE = 1e-11
# What products leave wrong of L[x], relative to ‖L‖‖x‖.
_ROUNDING = 32.0 * float(np.finfo(np.float64).eps)
# Where an inner solution fails the shift grows by this, up to a part of the largest rate.
_FURTHER, _FURTHEST = 10.0, 1e-2
# Frequencies that are none, in J.
_REAL = 1e-9
# Modes decaying or growing more slowly than this part of the largest rate do neither.
_STILL = 1e-9


@dataclass(frozen=True, eq=False)
class SlowModes:
    """The slowest modes of the Redfield generator.

    eigenvalues: (n,) complex in J, −Re ascending, stationary and undamped modes left out;
    of a conjugate pair both are listed.  Redfield does not keep positivity, and with Lamb
    shift a localised system may have modes that grow: they come first, with Re > 0, and
    then no state is approached at long times.  residuals: (n,) ‖L[x] − λx‖_F of ‖x‖_F = 1.
    slowest_real: decay rate in J of the slowest mode that does not oscillate, negative if it
    grows, nan if there is none among all that were found.
    davies_eigenvalues: (n,) those of Davies in closed form.
    shifts: number of frequencies at which modes were sought.

    Krylov methods cannot prove that no mode was missed.  Modes are sought at 0 and at the
    frequencies of Davies' slowest coherences, until these decay twice as fast as what was
    found; against dense algebra that finds all (tests/mpi/test_modes.py).
    """

    eigenvalues: Complex
    residuals: Real
    slowest_real: float
    davies_eigenvalues: Complex
    shifts: int

    @property
    def gap(self) -> float:
        """Slowest decay rate, min −Re λ, in J; negative where a mode grows."""
        return float(-self.eigenvalues[0].real)

    @property
    def gap_frequency(self) -> float:
        """|Im λ| of the slowest mode, in J."""
        return float(abs(self.eigenvalues[0].imag))


def slow_modes(
    model: SingleParticleModel,
    bath: OhmicBath,
    n_modes: int = 6,
    lamb_shift: bool = False,
    tolerance: float = 1e-9,
    seed: Any = 0,
    comm: Any = None,
    method: str = "gmres",
) -> SlowModes:
    """The `n_modes` slowest modes of the Redfield equation, by shift-and-invert (SLEPc).

    model, bath, lamb_shift: as in `compare`; n_modes: how many, at most N² less those that
    do not decay; tolerance: of the residuals, in J; seed: of the first Krylov vectors;
    comm: an mpi4py communicator whose ranks share the work, or None; method: of the inner
    solutions, "gmres" or "assembled" for sparse LU (MUMPS), up to 100 sites.

    Raises TypeError or ValueError for arguments out of range; RuntimeError without SLEPc,
    when an inner solution does not converge or fewer modes than asked for are found.
    """
    arguments.instance("model", model, SingleParticleModel)
    arguments.instance("bath", bath, OhmicBath)
    count = arguments.integer("n_modes", n_modes, 1)
    arguments.boolean("lamb_shift", lamb_shift)
    check_method(method, model.n_sites)
    aim = arguments.tolerance(tolerance)
    # Before the threads of BLAS are set: it brings its own.
    slepc()
    found: list[SlowModes] = []
    with blas_threads(), first_ranks(comm, model.n_sites) as (ranks, active):

        def action() -> None:
            if active:
                rng = arguments.seed(seed)
                found.append(_solve(model, bath, count, lamb_shift, aim, rng, ranks, method))

        if size_of(comm) <= model.n_sites:
            action()
        else:
            on_every_rank(comm, action)
    if size_of(comm) > model.n_sites:
        found = [comm.bcast(found[0] if found else None)]
    return found[0]


def _solve(
    model: SingleParticleModel,
    bath: OhmicBath,
    n_modes: int,
    lamb_shift: bool,
    tolerance: float,
    rng: np.random.Generator,
    comm: Any,
    method: str,
) -> SlowModes:
    columns = Columns(model.n_sites, comm)
    parts = together(columns.comm, lambda: decompose(build_spectrum([model])))
    generator = build_redfield(parts.spectrum, bath, lamb_shift)
    davies = build_davies(parts.spectrum, bath, lamb_shift, None, generator)
    still = _STILL * max(1e-300, float(np.abs(generator.rates).max()))
    theirs = _davies_eigenvalues(davies, parts)
    theirs = theirs[-theirs.real > still]
    mixed = _dark_and_bright(generator, parts)
    slowest = float(-theirs[0].real) if len(theirs) else float(np.abs(generator.rates).max())
    search = _Search(generator, davies, parts, columns, tolerance, rng, slowest, method)
    values, residuals = mixed, np.zeros(len(mixed))
    shifts = 0
    for target in [0.0j, *theirs[theirs.imag > 0.0]]:
        rates = np.sort(-values.real[np.abs(values.real) > still])
        enough = len(rates) >= n_modes
        if enough and -target.real > _MARGIN * max(rates[n_modes - 1], slowest):
            break
        if search.covers(target):
            continue
        if shifts == _MOST_SHIFTS:
            raise RuntimeError(f"{shifts} frequencies tried: {len(rates)} modes found")
        shifts += 1
        new, their_residuals = search.around(target)
        apart = np.abs(values[:, None] - new).min(axis=0, initial=np.inf)
        fresh = apart > 100.0 * tolerance
        values = np.concatenate([values, new[fresh]])
        residuals = np.concatenate([residuals, their_residuals[fresh]])
    moving = np.abs(values.real) > still
    values, residuals = values[moving], residuals[moving]
    if len(values) < n_modes:
        raise RuntimeError(f"{len(values)} decaying modes found, {n_modes} were asked for")
    order = np.lexsort([values.imag, np.round(-values.real, 12)])[:n_modes]
    own = theirs[np.lexsort([theirs.imag, np.round(-theirs.real, 12)])][:n_modes]
    real = np.abs(values.imag) < _REAL
    slowest_real = float(-values[real].real.max()) if real.any() else float("nan")
    return SlowModes(values[order], residuals[order], slowest_real, own, shifts)


def _davies_eigenvalues(davies: DaviesGenerator, parts: Decomposition) -> Complex:
    """All of the closed form, slowest first: rate equation and coherences; not for dark pairs."""
    phases = davies.phases
    exponents = davies.damping + 1j * (phases[:, None] - phases)
    rates = davies.rates
    np.fill_diagonal(rates, rates.diagonal() - rates.sum(axis=0))
    populations = np.linalg.eigvals(rates)
    off = ~np.eye(len(phases), dtype=bool)
    values = np.concatenate([populations.astype(np.complex128), exponents[off]])
    return values[np.argsort(-values.real, kind="stable")]


def _dark_and_bright(generator: RedfieldGenerator, parts: Decomposition) -> Complex:
    """Eigenvalues of coherences between a dark level and the bright ones; both of each pair.

    L[|b⟩⟨d|] = (M + iE_d)|b⟩⟨d| with M = −iH − K: no bath feeds a dark level.
    """
    if not parts.dark.any() or parts.dark.all():
        return np.empty(0, dtype=np.complex128)
    vectors = parts.spectrum.vectors[0][:, ~parts.dark]
    energies = parts.spectrum.energies[0]
    decay = vectors.conj().T @ generator.decay[0] @ vectors
    own = np.linalg.eigvals(-1j * np.diag(energies[~parts.dark]) - decay)
    values = (own[:, None] + 1j * energies[parts.dark]).ravel()
    return np.concatenate([values, values.conj()])


class _Search:
    """Modes between bright levels, around one frequency after the other."""

    def __init__(
        self,
        generator: RedfieldGenerator,
        davies: DaviesGenerator,
        parts: Decomposition,
        columns: Columns,
        tolerance: float,
        rng: np.random.Generator,
        slowest: float,
        method: str,
    ) -> None:
        self._generator, self._method = generator, method
        self._slowest = slowest
        self._davies, self._parts, self._columns = davies, parts, columns
        self._tolerance, self._rng = tolerance, rng
        self._operator = KernelOperator(
            generator.kernel(columns.own), generator.spectral_box, columns, "complex"
        )
        width, below, above = generator.spectral_box[0]
        self._rounding = _ROUNDING * float(width + above - below)
        self._furthest = _FURTHEST * float(np.abs(generator.rates).max())
        # (where, as far as modes are known around it)
        self._known: list[tuple[complex, float]] = []

    def covers(self, target: complex) -> bool:
        """Whether the modes around `target` are known from another frequency."""
        return any(abs(target - centre) < 0.5 * radius for centre, radius in self._known)

    def around(self, target: complex) -> tuple[Complex, Real]:
        """Eigenvalues nearest to a decay rate and frequency, conjugates too, and residuals."""
        # Beside the spectrum, which ends near Re λ = 0: the inverse exists.
        shift = complex(0.5 * max(-target.real, self._slowest), target.imag)
        modes, failure = self._nearest(shift)
        # Far from normal, L may have no inverse there in double precision; it has further off.
        while failure and shift.real < self._furthest:
            shift = complex(_FURTHER * shift.real, shift.imag)
            modes, failure = self._nearest(shift)
        if failure:
            raise RuntimeError(failure)
        operator, columns = self._operator, self._columns
        out = np.empty(operator.shape, dtype=np.complex128)
        values, residuals = [], []
        for value, mode in modes:
            operator.apply(mode, out)
            residual = norm(out - value * mode, columns) / norm(mode, columns)
            # L keeps Hermiticity: eigenvalues come in conjugate pairs, of which one is kept.
            if residual <= self._tolerance and value.imag > -_REAL:
                pair = [value] if value.imag < _REAL else [value, value.conjugate()]
                values += pair
                residuals += [residual] * len(pair)
        radius = max((abs(value - shift) for value, _ in modes), default=0.0)
        self._known.append((target, radius))
        return np.array(values, dtype=np.complex128), np.array(residuals)

    def _nearest(self, shift: complex) -> tuple[list[tuple[complex, Array]], str]:
        """Eigenvalues nearest to `shift` with their modes, and why not if not."""
        from manybody.numerics.petsc.linear import nearest_modes, solve

        columns, operator = self._columns, self._operator
        inverse = DaviesInverse(self._davies, ~self._parts.dark, columns, shift)
        out = np.empty(operator.shape, dtype=np.complex128)
        failures: list[str] = []

        def shifted(x: Array) -> Array:
            operator.apply(x, out)
            return out - shift * x

        def invert(x: Array) -> Array:
            if failures:
                # SLEPc cannot be stopped by an exception in all versions: to an early end.
                return x
            # SLEPc goes on from a random vector where a Krylov space is exhausted.
            x = inverse.restrict(x)
            aim = max(
                _INNER_TOLERANCE * norm(x, columns), self._rounding * norm(inverse(x), columns)
            )
            found, iterations, converged = solve(
                shifted, inverse, x, np.zeros_like(x), columns, aim, MAX_ITERATIONS
            )
            if not converged:
                residual = norm(shifted(found) - x, columns)
                # A solution much larger than x cannot be had any better.
                if not residual <= self._rounding * norm(found, columns):
                    failures.append(
                        f"an inner solution at {shift:.3g} J stopped after {iterations} "
                        f"iterations with the relative residual {residual / norm(x, columns):.1e}"
                    )
            return found

        arguments = self._start(), columns, shift, _AROUND, 1e-3 * self._tolerance
        if self._method == "assembled":
            with factorised(self._generator, columns, shift) as resolvent:
                modes = nearest_modes(lambda x: resolvent(inverse.restrict(x)), *arguments)
        else:
            modes = nearest_modes(invert, *arguments)
        return modes, failures[0] if failures else ""

    def _start(self) -> Array:
        """Own columns of a random matrix between bright levels."""
        bright = ~self._parts.dark
        vectors = self._parts.spectrum.vectors[0][:, bright]
        draw = self._rng.standard_normal((2, bright.sum(), bright.sum()))
        inside = vectors @ (draw[0] + 1j * draw[1])
        return (inside @ vectors[self._columns.own].conj().T)[None]
