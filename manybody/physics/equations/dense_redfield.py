"""Stationary states and slowest rates of Redfield by dense algebra, right however slow.

A near-dark coherence decays as δ²/γ where its levels differ by δ ≪ γ: far below the rounding
of L in the site basis.  In a basis that turns near levels into what the coupled sites see of
them and what they do not, such a rate is no longer a difference of large elements: rows and
columns of L are small as they are slow, and after scaling by their sizes LU knows them to
the relative error of δ itself, ε‖H‖/δ.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg.lapack import zgetrf

from manybody.arrays import Complex, Real
from manybody.physics.baths.several import AnyBaths
from manybody.physics.couplings import SiteProjectors
from manybody.physics.equations.redfield import RedfieldGenerator, build_redfield
from manybody.physics.spectra import EPSILON, Spectrum, linked

# Rounds of scaling, and of refining a solution.
_SCALINGS, _REFINEMENTS = 3, 2
# A perturbation of H by this many ‖H‖ε, this often, tells what rounding does to a state.
_PERTURBATION, PERTURBED = 4.0, 2


@dataclass(frozen=True, eq=False)
class DenseLiouvillian:
    """L between some levels in an orthonormal basis of them.

    matrix: (m², m²) on the row-major vec, in J; basis: (N, m), columns in the site basis;
    lowest: index of the vector in which a thermal state would have most of its weight.
    """

    matrix: Complex
    basis: NDArray[Any]
    lowest: int = 0

    @property
    def rounding(self) -> float:
        """What double precision leaves wrong of L in the 2-norm, about, in J."""
        size = np.abs(self.matrix)
        norm: float = np.sqrt(float(size.sum(axis=0).max() * size.sum(axis=1).max()))
        return 8.0 * len(self.basis.T) * EPSILON * norm

    def to_sites(self, vector: NDArray[Any]) -> Complex:
        """(N, N) of a (m²,) vector."""
        m = self.basis.shape[1]
        state: Complex = self.basis @ vector.reshape(m, m) @ self.basis.conj().T
        return state

    def from_sites(self, rho: NDArray[Any]) -> Complex:
        """(m²,) of the part of (N, N) ρ between these levels."""
        part: Complex = (self.basis.conj().T @ rho @ self.basis).ravel()
        return part

    def unique_state(self) -> Complex:
        """(N, N) Hermitian ρ with L[ρ] = 0 and tr ρ = 1, where there is only one.

        The equation of the lowest population follows from the others, since L keeps the
        trace: tr ρ = 1 takes its place.
        """
        m = self.basis.shape[1]
        place = self.lowest * (m + 1)
        matrix = self.matrix.copy()
        matrix[place] = np.eye(m).ravel()
        right = np.zeros(m * m, dtype=np.complex128)
        right[place] = 1.0
        found = self.to_sites(_solve_scaled(matrix, right))
        found = 0.5 * (found + found.conj().T)
        return found / float(np.trace(found).real)

    def slowest_values(self) -> Complex:
        """(m² − 1,) eigenvalues but the 0 of the only stationary state, nearest to 0 first.

        From the inverse on matrices of trace zero: the nearer to 0, the more digits.
        """
        m = self.basis.shape[1]
        place = self.lowest * (m + 1)
        kept = np.delete(np.arange(m * m), place)
        populations = np.searchsorted(kept, np.delete(np.arange(m) * (m + 1), self.lowest))
        matrix = self.matrix[np.ix_(kept, kept)]
        matrix[:, populations] -= self.matrix[kept, place][:, None]
        inverse = _solve_scaled(matrix, np.eye(len(kept), dtype=np.complex128))
        inverted = np.linalg.eigvals(inverse)
        values = np.full(len(inverted), np.inf, dtype=np.complex128)
        # What the inverse has lost to rounding is fast beyond its digits.
        np.divide(1.0, inverted, out=values, where=inverted != 0.0)
        return values[np.argsort(np.abs(values), kind="stable")]


def dense_redfield(
    generator: RedfieldGenerator, levels: NDArray[np.bool_] | None = None
) -> DenseLiouvillian:
    """L between some levels which L does not connect with the others.

    generator: of one sample; levels: (N,) True for those meant, None for all.
    """
    spectrum = generator.spectrum
    inside = np.ones(spectrum.dimension, dtype=bool) if levels is None else levels
    energies, vectors = spectrum.energies[0][inside], spectrum.vectors[0][:, inside]
    m, near = len(energies), 2.0 * generator.unit
    if isinstance(spectrum.couplings, SiteProjectors):
        seen = vectors[spectrum.coupled]
        turn, hamiltonian = _bright_first(energies, seen, near)
        amplitudes = seen @ turn
        bras = amplitudes.conj()
        couplings = bras[:, :, None] * amplitudes[:, None, :]
        jumps = seen.conj()[:, :, None] * seen[:, None, :]
    else:
        jumps = np.stack([one[0] for one in spectrum.couplings.turned(vectors[None])])
        turn, hamiltonian = _bright_first(energies, np.concatenate(jumps), near)
        couplings = turn.conj().T @ jumps @ turn
    filtered = np.empty(jumps.shape, dtype=np.result_type(jumps, *_kinds(generator)))
    for group in generator.groups:
        own = group.rates[0][np.ix_(inside, inside)]
        strengths = group.factors[:, None, None] ** 2
        filtered[group.members] = strengths * jumps[group.members] * own
    filtered = turn.conj().T @ filtered @ turn
    decay = np.einsum("jlm,jmk->lk", couplings, filtered)
    flat = filtered.reshape(-1, m * m), couplings.reshape(-1, m * m)
    # (l, k, m, n) of Λ_lk A_mn, to row (l, n) and column (k, m).
    gain = (flat[0].T @ flat[1]).reshape(m, m, m, m).transpose(0, 3, 1, 2)
    gain = gain + gain.transpose(1, 0, 3, 2).conj()
    matrix = np.ascontiguousarray(gain.astype(np.complex128))
    index = np.arange(m)
    # Both factors of ρ at once: H on the diagonal enters by differences, or would round.
    off = hamiltonian - np.diag(hamiltonian.diagonal())
    half = -1j * off - decay
    for other in range(m):
        matrix[:, other, :, other] += half
        matrix[other, :, other, :] += half.conj()
    diagonal = hamiltonian.diagonal().real
    matrix[index[:, None], index, index[:, None], index] -= 1j * (diagonal[:, None] - diagonal)
    # A population loses what others gain: their sum keeps the digits of small rates.
    matrix[index, index, index, index] = 0.0
    matrix[index, index, index, index] = -np.einsum("llkk->k", matrix)
    return DenseLiouvillian(
        matrix.reshape(m * m, m * m), vectors @ turn, int(np.argmin(hamiltonian.diagonal().real))
    )


def _kinds(generator: RedfieldGenerator) -> list[np.dtype[Any]]:
    return [group.rates.dtype for group in generator.groups]


def certain_state(
    generator: RedfieldGenerator, bath: AnyBaths, lamb_shift: bool, levels: NDArray[np.bool_]
) -> tuple[Complex, float]:
    """The only stationary state between some levels, and how far rounding of H moves it.

    The second is the largest change, in trace norm, that H moved by 4ε‖H‖ at random makes:
    the rounding of its eigensystem and of L is redrawn with it.
    """
    state = dense_redfield(generator, levels).unique_state()
    rng, moved = np.random.default_rng(0), 0.0
    for _ in range(PERTURBED):
        other = perturbed(generator, bath, lamb_shift, levels, rng)
        change = dense_redfield(other, levels).unique_state() - state
        moved = max(moved, float(np.abs(np.linalg.eigvalsh(change)).sum()))
    return state, moved


def _bright_first(energies: Real, seen: NDArray[Any], near: float) -> tuple[NDArray[Any], Complex]:
    """(m, m) turn among levels nearer than `near`, and H in the new basis.

    seen: (n, m) rows that vanish on what is dark: what the coupled sites see of the levels, or all
    elements of the A_j.
    """
    m = len(energies)
    turn = np.eye(m, dtype=np.complex128)
    hamiltonian = np.diag(energies).astype(np.complex128)
    labels = linked(energies, near)
    for label in range(labels[-1] + 1):
        members = np.flatnonzero(labels == label)
        if len(members) == 1:
            continue
        own = np.linalg.svd(seen[:, members], full_matrices=True)[2].conj().T
        centre = energies[members].mean()
        part = own.conj().T @ ((energies[members] - centre)[:, None] * own)
        place = np.ix_(members, members)
        turn[place] = own
        hamiltonian[place] = 0.5 * (part + part.conj().T) + centre * np.eye(len(members))
    return turn, hamiltonian


def perturbed(
    generator: RedfieldGenerator,
    bath: AnyBaths,
    lamb_shift: bool,
    levels: NDArray[np.bool_],
    rng: np.random.Generator,
) -> RedfieldGenerator:
    """The generator of H moved at random between some levels, as far as rounding might."""
    spectrum = generator.spectrum
    m = int(levels.sum())
    draw = rng.standard_normal((2, m, m))
    change = draw[0] + 1j * draw[1] if not spectrum.is_real else draw[0]
    change = change + change.conj().T
    size = _PERTURBATION * EPSILON * float(spectrum.norms[0])
    change *= size / float(np.linalg.norm(change, 2))
    energies, vectors = spectrum.energies[0].copy(), spectrum.vectors[0].copy()
    moved, turn = np.linalg.eigh(np.diag(energies[levels]) + change)
    energies[levels] = moved
    vectors[:, levels] = vectors[:, levels] @ turn
    other = Spectrum(
        energies[None], vectors[None], spectrum.norms, spectrum.couplings, spectrum.uncertainties
    )
    return build_redfield(other, bath, lamb_shift)


def _solve_scaled(matrix: Complex, right: Complex) -> Complex:
    """x with matrix x = right, rows and columns scaled to elements of at most about one."""
    with np.errstate(under="ignore"):
        size = np.abs(matrix)
        rows, columns = np.ones(len(matrix)), np.ones(len(matrix))
        for _ in range(_SCALINGS):
            for axis, scale in ((1, rows), (0, columns)):
                largest = (rows[:, None] * size * columns).max(axis=axis)
                scale /= np.where(largest > 0.0, largest, 1.0)
        # Powers of two round nothing.
        rows, columns = (np.exp2(np.round(np.log2(scale))) for scale in (rows, columns))
        scaled = rows[:, None] * matrix * columns
        wanted = (rows * right.T).T
        lower, pivots, _ = zgetrf(scaled)
        lost = np.flatnonzero(np.diagonal(lower) == 0.0)
        # Singular to the last digit: a huge solution says so, and nothing divides by zero.
        lower[lost, lost] = EPSILON
        factors = lower, pivots
        found = scipy.linalg.lu_solve(factors, wanted)
        for _ in range(_REFINEMENTS):
            found = found + scipy.linalg.lu_solve(factors, wanted - scaled @ found)
        result: Complex = (columns * found.T).T
        return result
