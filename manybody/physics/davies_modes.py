"""All eigenvalues of the Davies generator, from its parts."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from manybody.physics.davies import DaviesGenerator

Complex = NDArray[np.complex128]

# Coherences of one Bohr block that may be made dense: a few minutes, two gigabytes.
_MOST_IN_BLOCK = 6000


def davies_eigenvalues(
    davies: DaviesGenerator, levels: NDArray[np.bool_] | None = None
) -> Complex:
    """Those of L_D on matrices between some levels, −Re ascending.

    Populations obey the rate equation and a coherence its closed form, but for those in
    Bohr blocks, which are diagonalised one by one (PHYSICS.md section 4).

    davies: generator; levels: (N,) True for those meant, which no bath connects with the
    others; None for all.  Returns (n²,) in J, n the number of levels.
    Raises RuntimeError for a Bohr block too large to be diagonalised.
    """
    n = davies.spectrum.n_sites
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
    result = np.concatenate(values)
    return result[np.argsort(-result.real, kind="stable")]


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
            raise RuntimeError(
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
