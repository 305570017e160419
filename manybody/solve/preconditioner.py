"""Davies in closed form as a preconditioner for the complex-linear Redfield map."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import zgetrf, zgetrs

from manybody.arrays import Complex, Real, product
from manybody.numerics.columns import Columns
from manybody.physics.equations.davies import DaviesGenerator

_EPSILON, _TINY = float(np.finfo(np.float64).eps), float(np.finfo(np.float64).tiny)


class DaviesInverse:
    """(L_D − shift − |p)(1|)⁻¹ on matrices between some levels, L_D the closed form of Davies.

    davies: generator, on every rank; levels: (N,) True for those meant, what lies outside
    is dropped; columns: who owns what; shift: complex, in J; deflated: (N,) populations p
    whose weight is moved away from zero, or None.  Coherences are divided by their growth
    rates, populations solve the rate equation; what is singular to rounding is divided by that
    rounding of the largest rate, which is enough for a preconditioner and for an estimate.
    """

    def __init__(
        self,
        davies: DaviesGenerator,
        levels: NDArray[np.bool_],
        columns: Columns,
        shift: complex = 0.0,
        deflated: Real | None = None,
    ) -> None:
        self._columns, self._levels = columns, levels
        self._vectors = davies.spectrum.vectors[0]
        self._adjoint_vectors = np.ascontiguousarray(self._vectors.conj().T)
        own = columns.own
        phases = davies.phases
        # Those of the adjoint, which is what is at hand in between.
        rates = davies.damping[:, own] + 1j * (phases[:, None] - phases[own]) - np.conj(shift)
        self._diagonal = np.arange(own.start, own.stop), np.arange(columns.width)
        rates[self._diagonal] = 1.0
        smallest = _EPSILON * float(np.abs(davies.damping).max() + np.abs(phases).max())
        rates[np.abs(rates) <= smallest] = -max(smallest, _TINY)
        inside = levels[:, None] & levels[own]
        self._inverse_rates = np.where(inside, 1.0, 0.0) / np.where(inside, rates, 1.0)
        jumps = davies.rates[np.ix_(levels, levels)].astype(np.complex128)
        jumps -= np.diag(jumps.sum(axis=0) + np.conj(shift))
        if deflated is not None:
            jumps -= deflated[levels][:, None]
        factors, pivots, _ = zgetrf(jumps)
        diagonal = np.diagonal(factors)
        smallest = max(_EPSILON * float(np.abs(diagonal).max(initial=0.0)), _TINY)
        lost = np.flatnonzero(np.abs(diagonal) <= smallest)
        factors[lost, lost] = -smallest
        self._populations = factors, pivots
        self._inside = inside

    def restrict(self, x: Complex) -> Complex:
        """What of a block (1, N, m) lies between the levels meant; collective."""
        if self._levels.all():
            return x
        in_energy = self._turned(self._adjoint_vectors, x)
        in_energy[0] *= self._inside
        return self._turned(self._vectors, in_energy)

    def __call__(self, x: Complex) -> Complex:
        """Of a block (1, N, m) of any matrix; collective."""
        # (V†xV)†, by columns, obeys the same equations as V†xV.
        in_energy = self._turned(self._adjoint_vectors, x)
        diagonal = np.zeros((2, self._columns.dimension))
        values = in_energy[0][self._diagonal]
        diagonal[:, self._columns.own] = values.real, values.imag
        real, imaginary = self._columns.total(diagonal)
        solved = np.zeros(self._columns.dimension, dtype=np.complex128)
        # Without the checks of lu_solve, which take longer.
        solved[self._levels] = zgetrs(*self._populations, (real + 1j * imaginary)[self._levels])[0]
        in_energy[0] *= self._inverse_rates
        in_energy[0][self._diagonal] = solved[self._columns.own]
        return self._turned(self._vectors, in_energy)

    def _turned(self, matrix: Complex, x: Complex) -> Complex:
        """Own columns of (M x M†)†."""
        half = np.empty_like(x)
        product(matrix, x[0], half[0])
        turned = adjoint(half, self._columns)
        product(matrix, turned[0], half[0])
        return half


def adjoint(block: Complex, columns: Columns) -> Complex:
    """Own columns of x† for a block (1, N, m) of x; collective."""
    result = np.empty_like(block)
    for rows, piece in columns.adjoint_pieces(block, np.empty_like(block)):
        np.conjugate(np.swapaxes(piece, 1, 2), out=result[:, rows])
    return result


def trace(block: Complex, columns: Columns) -> complex:
    """Trace of a matrix held by columns (N, m), the same bits on every rank."""
    own = block[columns.own].diagonal().sum()
    real, imaginary = columns.total(np.array([own.real, own.imag]))
    return complex(real, imaginary)


def norm(block: Complex, columns: Columns) -> float:
    """Frobenius norm of a matrix held by columns."""
    return float(np.sqrt(columns.total(np.array(np.vdot(block, block).real))))
