"""Coherences whose Bohr frequencies coincide, and the Davies dissipator between them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.physics.couplings import Couplings, SiteProjectors
from manybody.physics.equations.redfield import RedfieldGenerator
from manybody.physics.spectra import Spectrum, linked

# Entries of assembled Bohr blocks of one sample (20 bytes each, three times that
# while they are built); the largest blocks beyond that are applied without being formed.
MAX_BLOCK_ENTRIES = 20_000_000


@dataclass(frozen=True, eq=False)
class BohrBlock:
    """Coherences |k⟩⟨m| that share one Bohr frequency, applied without being formed."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    frequency: float


def bohr_blocks(
    spectrum: Spectrum, tolerance: float
) -> tuple[list[list[BohrBlock]], list[BohrBlock]]:
    """Sets of coherences with equal frequency >= 0: small ones grouped by size, large ones."""
    n = spectrum.dimension
    omega = spectrum.bohr_frequencies[0].T.ravel()
    order = np.argsort(omega, kind="stable")
    labels = linked(omega[order], tolerance)
    zero = labels[np.searchsorted(omega[order], 0.0)]
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    sizes = np.diff(np.append(starts, omega.size))
    by_size: dict[int, list[BohrBlock]] = {}
    for label in range(zero, labels[-1] + 1):
        size = int(sizes[label])
        # The zero block of a spectrum without degenerate levels is the rate equation.
        if size < 2 or (label == zero and size == n):
            continue
        members = order[starts[label] : starts[label] + size]
        rows, columns = np.divmod(members, n)
        frequency = 0.0 if label == zero else float(np.mean(omega[members]))
        by_size.setdefault(size, []).append(BohrBlock(rows, columns, frequency))
    small, large, budget = [], [], MAX_BLOCK_ENTRIES
    for size in sorted(by_size):
        budget -= size * size * len(by_size[size])
        if budget >= 0:
            small.append(by_size[size])
        else:
            large.extend(by_size[size])
    return small, large


def assemble_blocks(
    spectrum: Spectrum, redfield: RedfieldGenerator, groups: list[list[BohrBlock]]
) -> tuple[NDArray[np.intp], NDArray[np.intp], Real, sp.csr_array]:
    """Dissipator between the coherences of all small blocks as one sparse matrix.

    (l, n) ← (k, m): γ(E_k − E_l) Σ_j A^j_lk A^j_mn − K_lk δ_mn − K*_nm δ_lk, K = Σ_j A_jΛ_j.
    """
    if not groups:
        empty = np.empty(0, dtype=np.intp)
        return empty, empty, np.empty(0), sp.csr_array((0, 0), dtype=np.complex128)
    vectors = spectrum.vectors[0]
    decay = vectors.conj().T @ redfield.decay[0] @ vectors
    all_rows, all_columns, all_frequencies = [], [], []
    entries, partners, row_lengths = [], [], [np.zeros(1, dtype=np.int64)]
    offset = 0
    for group in groups:
        size = group[0].rows.size
        chunk = max(1, 2_000_000 // (size * max(size, spectrum.couplings.n_baths)))
        for first in range(0, len(group), chunk):
            blocks = group[first : first + chunk]
            left = np.stack([block.rows for block in blocks])
            right = np.stack([block.columns for block in blocks])
            to_l, from_k = left[:, :, None], left[:, None, :]
            to_n, from_m = right[:, :, None], right[:, None, :]
            block_entries = gains_between(spectrum, redfield, left, right)
            block_entries = block_entries - decay[to_l, from_k] * (to_n == from_m)
            block_entries -= decay[to_n, from_m].conj() * (to_l == from_k)
            index = offset + np.arange(left.size).reshape(left.shape)
            offset += left.size
            # CSR at once: a row's columns are its block, one contiguous range.
            entries.append(block_entries.astype(np.complex128).ravel())
            partners.append(np.repeat(index.astype(np.int32), size, axis=0).ravel())
            row_lengths.append(np.full(left.size, size))
            all_rows.append(left.ravel())
            all_columns.append(right.ravel())
            all_frequencies.append(np.repeat([block.frequency for block in blocks], size))
    parts = (
        np.concatenate(entries),
        np.concatenate(partners),
        np.concatenate(row_lengths).cumsum(),
    )
    matrix = sp.csr_array(parts, shape=(offset, offset))
    return (
        np.concatenate(all_rows),
        np.concatenate(all_columns),
        np.concatenate(all_frequencies),
        matrix,
    )


def gains_between(
    spectrum: Spectrum,
    redfield: RedfieldGenerator,
    left: NDArray[np.intp],
    right: NDArray[np.intp],
) -> NDArray[Any]:
    """(blocks, s, s) Σ_j γ_j(E_k − E_l) A^j_lk A^j_mn of coherences (l, n) and (k, m)."""
    to_l, from_k = left[:, :, None], left[:, None, :]
    total, *others = (
        2.0 * group.rates[0][to_l, from_k].real * _overlap(spectrum, group.couplings, left, right)
        for group in redfield.groups
    )
    for other in others:
        total = total + other
    gains: NDArray[Any] = total
    return gains


def _overlap(
    spectrum: Spectrum, couplings: Couplings, left: NDArray[np.intp], right: NDArray[np.intp]
) -> NDArray[Any]:
    """(blocks, s, s) Σ_j A^j_lk A^j_mn of coherences (l, n), (k, m); left, right: (blocks, s)."""
    if isinstance(couplings, SiteProjectors):
        # u_ln[j] = ⟨l|j⟩⟨j|n⟩, so that Σ_j A^j_lk A^j_mn = Σ_j u_ln[j] u_km[j]*.
        rows_of_sites = spectrum.vectors[0][couplings.coupled]
        if couplings.strengths is not None:
            rows_of_sites = (
                rows_of_sites * np.sqrt(couplings.strengths[couplings.coupled])[:, None]
            )
        u = rows_of_sites.conj().T[left] * rows_of_sites.T[right]
        found: NDArray[Any] = u @ np.swapaxes(u.conj(), 1, 2)
        return found
    to_l, from_k = left[:, :, None], left[:, None, :]
    to_n, from_m = right[:, :, None], right[:, None, :]
    total = np.zeros((*left.shape, left.shape[1]), dtype=spectrum.vectors.dtype)
    for (turned,) in couplings.turned(spectrum.vectors):
        total = total + turned[to_l, from_k] * turned[from_m, to_n]
    return total


def fill(
    states: Complex,
    times: Real,
    values: Complex,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    frequencies: Real,
) -> None:
    """Write coherences and their conjugates, with the phase e^{−iωt} that a block shares."""
    turned = np.exp(-1j * frequencies * times[:, None]) * values
    states[:, columns, rows] = turned.conj()
    states[:, rows, columns] = turned
