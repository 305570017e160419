"""Modes of a generator around one point of the complex plane after the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import NumericalError
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.petsc.linear import RESTART
from manybody.physics.equations.davies import DaviesGenerator
from manybody.physics.equations.redfield import RedfieldGenerator
from manybody.physics.stationary import Decomposition
from manybody.solve.preconditioner import DaviesInverse, adjoint, norm
from manybody.solve.progress import Listener
from manybody.solve.steady import factorised

MAX_ITERATIONS = 500
# Modes whose frequency is below this part of ‖L‖ do not oscillate.
_REAL = 1e-10
# Modes sought around a point at first, beside the stationary ones.
_AROUND = 6
# A point counts as covered within this part of the disc of which all modes are known.
_INSIDE = 0.9
# Relative residual of an inner solution, and SLEPc's estimate of an eigenvalue's error.
_INNER_TOLERANCE, _OUTER_TOLERANCE = 1e-11, 1e-12
# What products leave wrong of L[x], relative to ‖L‖‖x‖.
_ROUNDING = 32.0 * float(np.finfo(np.float64).eps)
# Where an inner solution fails the shift grows by this, up to a part of the largest rate.
_FURTHER, _FURTHEST = 10.0, 1e-2
# Numbers that stand for a mode, what of it must lie outside the span of others to be new, and
# how many of one eigenvalue they can tell apart.
_SKETCH, _NEW, _MOST_ALIKE = 1024, 1e-3, 512
# Eigenvalues nearer than this part of the largest rate may belong to the same mode.
_SAME = 1e-5
# Growth seen by a Krylov space of L itself that is followed, as a part of the largest rate.
_GROWTH, _KRYLOV = 1e-2, 30


class Search:
    """What is known of the modes between bright levels.

    tolerance: of residuals, relative to the largest rate; slowest: decay rate in J near which
    the first shift lies; method: "gmres" or "assembled"; beta: of any state on a component;
    watch: hears of every inner solution.
    """

    def __init__(
        self,
        generator: RedfieldGenerator,
        davies: DaviesGenerator,
        parts: Decomposition,
        columns: Columns,
        tolerance: float,
        rng: np.random.Generator,
        method: str,
        slowest: float,
        beta: float,
        watch: Listener,
    ) -> None:
        self._watch = watch
        self._generator, self._method = generator, method
        self._davies, self._parts, self._columns = davies, parts, columns
        self._rng = rng
        self._operator = KernelOperator(
            generator.kernel(columns.own), generator.spectral_box, columns, "complex"
        )
        width, below, above = generator.spectral_box[0]
        self._width = float(width)
        self._unit = generator.unit
        self._rounding = _ROUNDING * float(width + above - below)
        self._largest_residual = max(tolerance * self._unit, self._rounding)
        self._slowest = max(slowest, self._rounding)
        # L keeps the trace on every component: modes but the stationary ones have none there.
        self._thermal = self._components(beta)
        self._count = int((~parts.dark).sum()) ** 2 - parts.n_components
        self._values: list[complex] = []
        self._residuals: list[float] = []
        self._sketches: list[Complex] = []
        # (centre, radius) of discs of which all modes are known.
        self._discs: list[tuple[complex, float]] = []
        self.shifts = 0
        n = columns.dimension
        # The same on every rank and for every search.
        draw = np.random.default_rng(0)
        self._buckets = draw.integers(_SKETCH, size=(n, n), dtype=np.int16)[:, columns.own].ravel()
        self._signs = draw.choice([-1.0, 1.0], size=(n, n))[:, columns.own].ravel()

    def covers(self, point: complex) -> bool:
        """Whether all modes near `point` are known."""
        return any(abs(point - centre) < _INSIDE * radius for centre, radius in self._discs)

    def moving(self) -> tuple[Complex, Real]:
        """Eigenvalues and residuals of all modes found; the stationary ones are not sought."""
        return np.array(self._values, dtype=np.complex128), np.array(self._residuals)

    def around(self, target: complex) -> None:
        """Find the modes of a disc that holds `target`, whose Re <= 0.

        Raises RuntimeError when an inner solution does not converge or an eigenvalue cannot
        be had to the tolerance.
        """
        if self._count == 0:
            return
        # Beside the spectrum, which ends near Re λ = 0: the inverse exists.
        shift = complex(0.5 * max(-target.real, self._slowest), target.imag)
        self._around_shift(shift, target)

    def follow_growth(self) -> None:
        """Look for modes that grow fast: beyond what has been found, and where L points to."""
        if self._count == 0:
            return
        for value in self._directly():
            if not self.covers(value):
                self._around_shift(complex(1.1 * value.real, value.imag), value)
        for _ in range(8):
            fastest = max((value.real for value in self._values), default=0.0)
            beyond = complex(2.0 * fastest, 0.0)
            if fastest <= self._largest_residual or self.covers(beyond):
                return
            self._around_shift(beyond, beyond)

    def _around_shift(self, shift: complex, target: complex) -> None:
        self.shifts += 1
        wanted = min(self._count, _AROUND)
        while True:
            centre, radius, is_spoiled = self._disc(shift, wanted)
            if abs(target - centre) < _INSIDE * radius:
                self._discs.append((centre, radius))
                return
            if is_spoiled and centre.real < _FURTHEST * self._unit:
                # One mode dwarfs the others in the inverse: from further off it does less.
                shift = complex(_FURTHER * centre.real, centre.imag)
                continue
            if wanted == self._count:
                raise NumericalError(
                    f"the modes around {target:.3g} J cannot be had to "
                    f"{self._largest_residual:.1e} J"
                )
            wanted = min(self._count, 2 * wanted)

    def _disc(self, shift: complex, wanted: int) -> tuple[complex, float, bool]:
        """Search from random vectors until one brings nothing new; the disc that is known, and
        whether a mode with too large a residual ends it, or none could be had.

        One start finds one copy of a multiple eigenvalue.
        """
        radius, is_first, is_spoiled = np.inf, True, False
        while True:
            modes, reached = self._modes_at(shift, wanted)
            if reached != shift:
                # Distances from where it was before say nothing.
                shift, radius, is_first, is_spoiled = reached, np.inf, True, False
            furthest, good, news = np.inf, [], 0
            for value, mode in modes:
                residual = self._residual(value, mode)
                if residual > self._largest_residual:
                    # Neither kept nor forgotten: nothing is known from there on.
                    furthest = min(furthest, abs(value - shift))
                    continue
                good.append((value, mode, residual))
            for one in good:
                news += self._add(*one)
            for value, mode, residual in good:
                # Where neighbours are near, a mode carries some of them, and its adjoint
                # would pass for another: real eigenvalues have no partner to look for.
                if abs(value.imag) > _REAL * self._width:
                    news += self._add(value.conjugate(), adjoint(mode, self._columns), residual)
            complete = len(modes) >= self._count
            reach = max((abs(value - shift) for value, _ in modes), default=0.0)
            radius = min(radius, np.inf if complete else reach, furthest)
            is_spoiled = is_spoiled or furthest < np.inf or not modes
            if not is_first and not news:
                return shift, radius, is_spoiled
            is_first = False

    def _add(self, value: complex, mode: Complex, residual: float) -> bool:
        """Keep a mode unless those with its eigenvalue hold it; whether it is new."""
        sketch = self._sketch(mode)
        near = [
            known
            for other, known in zip(self._values, self._sketches)
            if abs(other - value) <= _SAME * self._unit
        ]
        if len(near) >= _MOST_ALIKE:
            raise NumericalError(
                f"more than {_MOST_ALIKE} modes within {_SAME * self._unit:.1e} J of "
                f"{value:.6g} J: Krylov spaces cannot tell them apart, dense algebra can"
            )
        left = sketch
        if near:
            basis = np.linalg.qr(np.array(near).T)[0]
            for _ in range(2):
                left = left - basis @ (basis.conj().T @ left)
        is_new = bool(np.linalg.norm(left) > _NEW * np.linalg.norm(sketch))
        if self._columns.comm is not None:
            is_new = self._columns.comm.bcast(is_new)
        if not is_new:
            return False
        self._values.append(complex(value))
        self._residuals.append(residual)
        self._sketches.append(sketch / np.linalg.norm(sketch))
        return True

    def _sketch(self, block: Complex) -> Complex:
        """A random projection that keeps linear independence of a few hundred modes."""
        flat = block[0].ravel()
        parts = [
            np.bincount(self._buckets, self._signs * part, minlength=_SKETCH)
            for part in (flat.real, flat.imag)
        ]
        real, imaginary = self._columns.total(np.array(parts))
        result: Complex = real + 1j * imaginary
        return result

    def _residual(self, value: complex, mode: Complex) -> float:
        out = np.empty_like(mode)
        self._operator.apply(mode, out)
        return norm(out - value * mode, self._columns) / norm(mode, self._columns)

    def _modes_at(
        self, shift: complex, wanted: int
    ) -> tuple[list[tuple[complex, Complex]], complex]:
        """Those nearest to a shift, which moves away from the axis where it has to."""
        modes, failure = self._nearest(shift, wanted)
        # Far from normal, L may have no inverse there in double precision; it has further off.
        while failure and shift.real < _FURTHEST * self._unit:
            shift = complex(_FURTHER * shift.real, shift.imag)
            modes, failure = self._nearest(shift, wanted)
        if failure:
            raise NumericalError(failure)
        return modes, shift

    def _nearest(self, shift: complex, wanted: int) -> tuple[list[tuple[complex, Complex]], str]:
        """Eigenvalues nearest to `shift` with their modes, and why not if not."""
        from manybody.numerics.petsc.linear import nearest_modes, solve

        columns, operator = self._columns, self._operator
        inverse = DaviesInverse(self._davies, ~self._parts.dark, columns, shift)
        out = np.empty(operator.shape, dtype=np.complex128)
        failures: list[str] = []

        def shifted(x: Complex) -> Complex:
            operator.apply(x, out)
            return out - shift * x

        def invert(x: Complex) -> Complex:
            if failures:
                # SLEPc cannot be stopped by an exception in all versions: to an early end.
                return x
            self._watch(f"{len(self._values)} modes found")
            # SLEPc goes on from a random vector where a Krylov space is exhausted.
            x = self._moving_part(inverse.restrict(x))
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
            return self._moving_part(found)

        arguments = self._start(), columns, shift, wanted, _OUTER_TOLERANCE
        if self._method == "assembled":
            with factorised(self._generator, columns, shift) as resolvent:
                modes = nearest_modes(
                    lambda x: self._moving_part(resolvent(self._moving_part(inverse.restrict(x)))),
                    *arguments,
                )
        else:
            modes = nearest_modes(invert, *arguments)
        return modes, failures[0] if failures else ""

    def _directly(self) -> list[complex]:
        """Where a small Krylov space of L itself sees growth; rough, and no proof of any."""
        from manybody.numerics.petsc.linear import rightmost_values

        operator, out = self._operator, np.empty(self._operator.shape, dtype=np.complex128)
        bright = ~self._parts.dark
        inverse = DaviesInverse(self._davies, bright, self._columns, self._unit)

        def apply(x: Complex) -> Complex:
            operator.apply(self._moving_part(inverse.restrict(x)), out)
            return out

        values = rightmost_values(apply, self._start(), self._columns, _KRYLOV)
        growing = [v for v in values if v.real > _GROWTH * self._unit and v.imag >= 0.0]
        return sorted(growing, key=lambda value: -value.real)[:3]

    def _start(self) -> Any:
        """Own columns of a random matrix between bright levels."""
        bright = ~self._parts.dark
        vectors = self._parts.spectrum.vectors[0][:, bright]
        draw = self._rng.standard_normal((2, bright.sum(), bright.sum()))
        inside = vectors @ (draw[0] + 1j * draw[1])
        return self._moving_part((inside @ vectors[self._columns.own].conj().T)[None])

    def _components(self, beta: float) -> list[tuple[Complex, ...]]:
        """Own columns of the projector on every component and of a state there."""
        vectors, own = self._parts.spectrum.vectors[0], self._columns.own
        found = []
        for index in range(self._parts.n_components):
            inside = (self._parts.components == index).astype(np.float64)
            populations = self._parts.gibbs(beta, index)
            found.append(
                tuple((vectors * p) @ vectors[own].conj().T for p in (inside, populations))
            )
        return found

    def _moving_part(self, x: Complex) -> Complex:
        """A block less its weights on the components: L keeps them, on modes they are zero."""
        weights = [complex(np.vdot(projector, x[0])) for projector, _ in self._thermal]
        parts = np.array([[weight.real, weight.imag] for weight in weights]).reshape(-1, 2)
        result = x.copy()
        for (real, imaginary), (_, state) in zip(self._columns.total(parts), self._thermal):
            result[0] -= complex(real, imaginary) * state
        return result


def foreseen_discs(values: Complex, cutoff: float, most: int) -> tuple[list[complex], list[float]]:
    """Centres of the discs of a `Search` of modes that are known, and what each takes.

    values: all that move, in J, −Re ascending.  The first disc lies around 0, others around those
    with −Re up to `cutoff` and Im >= 0 that none covers, at most `most` in all.  What one takes is
    the number of modes sought, in those of a first search, with searches that were too small.
    """
    slowest = float(-values[0].real)
    targets = values[(values.imag >= 0.0) & (-values.real <= cutoff)]
    centres: list[complex] = []
    radii: list[float] = []
    found: list[float] = []
    for target in (0.0j, *targets):
        inside = np.abs(target - np.array(centres)) < _INSIDE * np.array(radii)
        if inside.any() or len(found) == most:
            continue
        shift = complex(0.5 * max(-target.real, slowest), target.imag)
        distances, wanted, searched = np.sort(np.abs(values - shift)), min(len(values), _AROUND), 0
        while True:
            searched += wanted
            radius = distances[wanted - 1] if wanted < len(values) else np.inf
            if abs(target - shift) < _INSIDE * radius:
                break
            wanted = min(len(values), 2 * wanted)
        centres.append(shift)
        radii.append(radius)
        found.append(searched / _AROUND)
    return centres, found


def foreseen_iterations(
    generator: RedfieldGenerator,
    davies: DaviesGenerator,
    levels: NDArray[np.bool_],
    shift: complex,
) -> int:
    """Iterations of GMRES, up to its restart, of an inner solution for a random matrix.

    levels: those between which it is; shift: in J.  On one process, without PETSc; an
    estimate: PETSc orthogonalises otherwise, and starts from other matrices.
    """
    columns = Columns(generator.spectrum.dimension)
    operator = KernelOperator(generator.kernel(), generator.spectral_box, columns, "complex")
    inverse = DaviesInverse(davies, levels, columns, shift)
    draw = np.random.default_rng(0).standard_normal((2, *operator.shape))
    x = inverse.restrict(draw[0] + 1j * draw[1])
    x -= np.eye(columns.dimension) * np.trace(x[0]) / columns.dimension
    x /= norm(x, columns)
    width, below, above = generator.spectral_box[0]
    rounding = _ROUNDING * float(width + above - below)
    aim = max(_INNER_TOLERANCE, rounding * norm(inverse(x), columns))
    space, image = [x], np.empty_like(x)
    hessenberg = np.zeros((RESTART + 1, RESTART), dtype=np.complex128)
    start = np.eye(RESTART + 1)[0]
    for k in range(RESTART):
        y = inverse(space[k])
        operator.apply(y, image)
        y = image - shift * y
        for j, vector in enumerate(space):
            hessenberg[j, k] = np.vdot(vector, y)
            y -= hessenberg[j, k] * vector
        hessenberg[k + 1, k] = norm(y, columns)
        known, right = hessenberg[: k + 2, : k + 1], start[: k + 2]
        left = right - known @ np.linalg.lstsq(known, right, rcond=None)[0]
        if not np.linalg.norm(left) > aim:
            return k + 1
        space.append(y / hessenberg[k + 1, k])
    return RESTART
