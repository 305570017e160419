"""All eigenvalues of the Davies generator, from its parts."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import NumericalError
from manybody.physics.couplings import SiteProjectors
from manybody.physics.equations.davies import DaviesGenerator
from manybody.physics.spectra import EPSILON, degeneracy_tolerance
from manybody.physics.stationary import Decomposition

# Coherences of one Bohr block that may be made dense: a few minutes, two gigabytes.
_MOST_IN_BLOCK = 6000


def davies_eigenvalues(
    davies: DaviesGenerator, levels: NDArray[np.bool_] | None = None
) -> Complex:
    """Those of L_D on matrices between some levels, −Re ascending.

    Populations obey the rate equation and a coherence its closed form, but for those in
    Bohr blocks, which are diagonalised one by one (docs/physics.md section 4).

    davies: generator; levels: (N,) True for those meant, which no bath connects with the
    others; None for all.  Returns (n²,) in J, n the number of levels.
    Raises RuntimeError for a Bohr block too large to be diagonalised.
    """
    n = davies.spectrum.dimension
    inside = np.ones(n, dtype=bool) if levels is None else levels
    closed = inside[:, None] & inside
    values = []
    for rows, columns, frequency, matrix in _blocks(davies, inside):
        own = np.linalg.eigvals(matrix) - 1j * frequency
        values.append(own)
        closed[rows, columns] = False
        # At zero frequency a block holds both coherences of each pair.
        if frequency > 0.0:
            values.append(own.conj())
            closed[columns, rows] = False
    if not davies.populations_in_block:
        rates = davies.rates[np.ix_(inside, inside)]
        np.fill_diagonal(rates, rates.diagonal() - rates.sum(axis=0))
        values.append(np.linalg.eigvals(rates).astype(np.complex128))
        np.fill_diagonal(closed, False)
    rows, columns = np.nonzero(closed)
    phases = davies.phases
    values.append(davies.damping[rows, columns] + 1j * (phases[rows] - phases[columns]))
    result: Complex = np.concatenate(values)
    return result[np.argsort(-result.real, kind="stable")]


def davies_undamped(davies: DaviesGenerator, parts: Decomposition) -> Real:
    """(U,) frequencies in J of coherences that turn and never decay, ascending.

    davies: generator on the spectrum of `parts`, which is the decomposition by its rates.
    A coherence outside Bohr blocks is undamped where neither of its levels is left and
    dephasing is zero: no difference of rates is formed, so that none is lost to rounding.
    Within a block it is undamped to rounding of the rates.
    Many particles: none where `parts` is complete.  Raises ValueError where it is not.
    """
    if not isinstance(davies.spectrum.couplings, SiteProjectors):
        if not parts.is_complete:
            raise ValueError("coherences last that this decomposition does not know")
        return np.empty(0)
    n = davies.spectrum.dimension
    seen = davies.spectrum.coupled_probabilities[0]
    # Amplitudes and differences of probabilities are known to rounding of the eigenvectors.
    invisible = 100.0 * np.sqrt(n) * EPSILON
    seen = np.where(seen > invisible**2, seen, 0.0)
    groups = davies.redfield.groups
    with np.errstate(under="ignore"):
        jumps: Real = np.zeros((n, n))
        for group in groups:
            own = seen[np.flatnonzero(davies.spectrum.coupled)[group.members]]
            own = own * group.factors[:, None]
            jumps += 2.0 * group.rates[0].real * (own.T @ own)
    np.fill_diagonal(jumps, 0.0)
    is_left: NDArray[np.bool_] = np.any(jumps, axis=0)
    energies = davies.spectrum.energies[0]
    closed = ~is_left[:, None] & ~is_left & (energies[:, None] != energies)
    every = np.ones(n, dtype=bool)
    found = []
    for rows, columns, frequency, matrix in _blocks(davies, every):
        closed[rows, columns] = closed[columns, rows] = False
        if frequency > 0.0:
            values = np.linalg.eigvals(matrix)
            rounding = 8.0 * len(values) * EPSILON * float(np.abs(matrix).sum(axis=0).max())
            still = values[np.abs(values.real) <= rounding]
            found += [frequency - still.imag, still.imag - frequency]
    rows, columns = np.nonzero(closed)
    # What a bath without γ(0) sees dephases nothing.
    dephasing = [
        site
        for group in groups
        if group.rates[0, 0, 0].real > 0.0
        for site in np.flatnonzero(davies.spectrum.coupled)[group.members[group.factors > 0.0]]
    ]
    if dephasing:
        alike = [
            np.all(np.abs(seen[dephasing, k] - seen[dephasing, other]) <= invisible)
            for k, other in zip(rows, columns)
        ]
        rows, columns = rows[alike], columns[alike]
    phases = davies.phases
    found.append(phases[columns] - phases[rows])
    # In the zero block dark levels may turn by their Lamb shifts.
    left, right, frequencies = parts.dark_pairs()
    equal = (energies[left] == energies[right]) & (frequencies != 0.0)
    found.append(frequencies[equal])
    every_frequency: Real = np.sort(np.concatenate(found))
    # Those that do not turn are part of the null space.
    return every_frequency[np.abs(every_frequency) > degeneracy_tolerance(davies.spectrum)]


def _blocks(
    davies: DaviesGenerator, inside: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], float, Complex]]:
    """(rows, columns, frequency, dissipator) of each Bohr block between some levels."""
    # A row's entries are its block: as many rows follow one another.
    sizes = np.diff(davies.block_matrix.indptr)
    first = 0
    while first < len(sizes):
        block = slice(first, first + int(sizes[first]))
        first = block.stop
        rows, columns = davies.block_rows[block], davies.block_columns[block]
        kept = np.flatnonzero(inside[rows] & inside[columns])
        if kept.size:
            matrix = davies.block_matrix[block, block].toarray()[np.ix_(kept, kept)]
            frequency = float(davies.block_frequencies[block.start])
            yield rows[kept], columns[kept], frequency, matrix
    for large in davies.large_blocks:
        kept = np.flatnonzero(inside[large.rows] & inside[large.columns])
        if kept.size > _MOST_IN_BLOCK:
            raise NumericalError(
                f"{kept.size} coherences share the Bohr frequency {large.frequency:.6g} J: the "
                f"eigenvalues of Davies are had for at most {_MOST_IN_BLOCK}"
            )
        matrix = np.empty((kept.size, kept.size), dtype=np.complex128)
        for column, member in enumerate(kept):
            unit = np.zeros(large.rows.size, dtype=np.complex128)
            unit[member] = 1.0
            matrix[:, column] = davies.apply_block(large, unit)[kept]
        if kept.size:
            yield large.rows[kept], large.columns[kept], large.frequency, matrix
