"""One sample from Hamiltonian to level statistics, by all its levels or by those of a window."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.errors import InputError, shown
from manybody.parallel.collective import together
from manybody.physics import arguments
from manybody.physics.couplings import Couplings, SiteProjectors
from manybody.physics.models.given import Matrix, model_from
from manybody.physics.models.protocol import Model
from manybody.physics.quantities.spacing import (
    LevelStatistics,
    build_statistics,
    bulk_window,
    eth_moments,
    eth_of,
    eth_ratio,
    participation_ratios,
)
from manybody.physics.spectra import EPSILON, Spectrum, build_spectrum
from manybody.system.blas import blas_threads
from manybody.system.communicator import Communicator, check_communicator

_WINDOW = 0.5


def level_statistics(
    model: Model | Matrix,
    n_levels: int | None = None,
    target: float | None = None,
    window: float = _WINDOW,
    eth: bool = False,
    comm: Communicator | None = None,
) -> LevelStatistics:
    """Spacing ratios, participation ratios and, on request, the ETH indicator of one sample.

    Parameters
    ----------
    model : Model or (N, N) array
        D states, one particle (D = N sites) or many, or a bare Hamiltonian as in `compare`; H in
        one sector of all that it conserves, since levels of different sectors do not repel.
    n_levels : int or None, default None
        None diagonalises H densely and counts the middle `window` of the D levels; a number from 3
        to D // 2 takes those levels nearest `target` by shift-and-invert on the sparse H, proves
        that none is missing, and counts them all.
    target : float or None, default None
        An energy in J that is no level; None means tr H / D, the mean of all levels, which is the
        middle of the band for `anderson3d` and `dirac_syk2`.
    window : float, default 0.5
        Share of the levels that is counted, by number, in (0, 1].
    eth : bool, default False
        Also compare the elements of n_j, or of the A_j of many particles (`LevelStatistics.eth`):
        the hypothesis of eigenstate thermalisation.
    comm : mpi4py communicator or None, default None
        Its ranks all call this; every rank returns the same.  Dense diagonalisation is left to
        rank 0, the sparse one is shared (it needs PETSc and SLEPc, pays with MUMPS, and each end
        of the window is checked by one rank alone).

    Returns
    -------
    LevelStatistics
        Of the levels counted.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too), before any work
        and on every rank.
    Unavailable
        PETSc is needed and missing.
    NumericalError
        The levels of the window cannot be proved complete (a degenerate spectrum: diagonalise
        densely).

    Notes
    -----
    Oganesyan and Huse, Phys. Rev. B 75, 155111 (2007), for the ratios r of neighbouring spacings.

    Levels closer than 8 √D ε ‖H‖ are degenerate: they count as r = 0 and are numbered in
    `n_degenerate`.

    Dense: about 4 D² numbers (16 bytes each for complex H) and 10 D³ operations; eth of b
    couplings of many particles 4 b D² times the levels counted.  Sparse: see
    `manybody.numerics.petsc.interior`; there eth of many particles needs whole vectors on every
    rank.

    Examples
    --------
    >>> import manybody as mb
    >>> found = mb.level_statistics(mb.dirac_syk2(n_sites=200, seed=7))
    >>> bool(abs(found.mean_ratio - 0.600) < 4 * found.ratio_error)  # unitary ensemble
    True
    """
    system = model_from(model)
    if system.dimension < 3:
        raise InputError(f"model has {system.dimension} state(s): a spacing ratio needs three")
    bulk_window(system.dimension, window)
    arguments.boolean("eth", eth)
    check_communicator(comm)
    if n_levels is None:
        if target is not None:
            raise InputError(f"target = {shown(target)}: has a meaning only with n_levels")
        with blas_threads():
            return together(comm, lambda: _of_all_levels(system, window, eth))
    n_levels = arguments.integer("n_levels", n_levels, 3)
    if n_levels > system.dimension // 2:
        raise InputError(
            f"n_levels = {n_levels}: at most half of the {system.dimension} levels; "
            "None diagonalises densely and gives all"
        )
    if window != _WINDOW:
        raise InputError(
            f"window = {shown(window)}: has a meaning only without n_levels, all of which count"
        )
    if target is None:
        target = float(np.real(system.hamiltonian.trace())) / system.dimension
    target = arguments.real("target", target)
    with blas_threads():
        return _by_interior_levels(system, n_levels, target, eth, comm)


def _of_all_levels(model: Model, window: float, eth: bool) -> LevelStatistics:
    return levels_of(build_spectrum([model]), window, eth, model.n_sites)


def levels_of(
    spectrum: Spectrum, window: float = _WINDOW, eth: bool = False, n_sites: int | None = None
) -> LevelStatistics:
    """`level_statistics` of all levels of a known spectrum of one sample.

    n_sites: N of its model, D unless told.
    """
    bulk = bulk_window(spectrum.dimension, window)
    energies, inside = spectrum.energies[0], spectrum.vectors[0][:, bulk]
    if spectrum.centres is not None:
        energies = energies + spectrum.centres[0]
    open_ = 0.0 if spectrum.uncertainties is None else float(spectrum.uncertainties[0])
    return build_statistics(
        energies[bulk].copy(),
        participation_ratios(inside),
        spectrum.dimension if n_sites is None else n_sites,
        _tolerance(spectrum.dimension, open_, float(spectrum.norms[0])),
        eth_of(spectrum.couplings, inside) if eth else None,
        spectrum.dimension,
    )


def _by_interior_levels(
    model: Model, n_levels: int, target: float, eth: bool, comm: Communicator | None
) -> LevelStatistics:
    # Without PETSc the package imports and this raises.
    from manybody.numerics.petsc.interior import interior_eigenpairs

    matrix = sp.csr_array(model.hamiltonian)
    found = interior_eigenpairs(matrix, target, n_levels, comm)
    own = participation_ratios(found.vectors)
    # Added in the order of the ranks, so that all have the same bits.
    participation = np.sum([own] if comm is None else comm.allgather(own), axis=0)
    ratio = _eth_of_rows(model.couplings, found.vectors, comm) if eth else None
    # The largest sum of a row is no less than ‖H‖₂.
    norm = float(abs(matrix).sum(axis=1).max())
    tolerance = _tolerance(model.dimension, float(model.uncertainty), norm)
    return build_statistics(
        found.energies, participation, model.n_sites, tolerance, ratio, model.dimension
    )


def _eth_of_rows(couplings: Couplings, vectors: NDArray[Any], comm: Communicator | None) -> float:
    """`eth_of` from (m, M) rows on each rank, in the order of the ranks.

    The moments of a site follow from its own row; any other coupling needs whole vectors.
    """
    if isinstance(couplings, SiteProjectors):
        own = eth_moments(vectors)
        parts = [own] if comm is None else comm.allgather(own)
        return eth_ratio(*(np.concatenate(each) for each in zip(*parts)))
    rows = [vectors] if comm is None else comm.allgather(vectors)
    found = eth_of(couplings, np.concatenate(rows))
    # Ranks on unlike processors may round differently.
    return found if comm is None else float(comm.bcast(found))


def _tolerance(dimension: int, uncertainty: float, norm: float) -> float:
    """What `degeneracy_tolerance` of a whole spectrum would be, or what the data leave open."""
    rounding = 8.0 * float(np.sqrt(dimension)) * EPSILON * norm
    return max(rounding, 2.0 * uncertainty)
