"""One sample from Hamiltonian to level statistics, by all its levels or by those of a window."""

import numpy as np
import scipy.sparse as sp

from manybody.errors import InputError, InputTypeError
from manybody.parallel.collective import together
from manybody.physics import arguments
from manybody.physics.models.single_particle import SingleParticleModel
from manybody.physics.quantities.spacing import (
    LevelStatistics,
    build_statistics,
    bulk_window,
    eth_indicator,
    eth_moments,
    eth_ratio,
    participation_ratios,
)
from manybody.physics.spectra import EPSILON, Spectrum, build_spectrum
from manybody.system.blas import blas_threads
from manybody.system.communicator import Communicator

_WINDOW = 0.5


def level_statistics(
    model: SingleParticleModel,
    n_levels: int | None = None,
    target: float | None = None,
    window: float = _WINDOW,
    eth: bool = False,
    comm: Communicator | None = None,
) -> LevelStatistics:
    """Spacing ratios, participation ratios and, on request, the ETH indicator of one sample.

    model: N sites.  n_levels: None diagonalises H densely and counts the middle
    `window` (0 to 1, by number: the middle half unless told) of the N levels; a number
    from 3 to N // 2 takes those levels nearest `target` by shift-and-invert on the sparse
    H, proves that none is missing, and counts them all.  target: an energy in J that is
    no level; None means tr H / N, the mean of all levels, which is the middle of the band
    for `anderson3d` and `dirac_syk2`.  eth: also compare the elements of n_j
    (`LevelStatistics.eth`).  comm: an mpi4py communicator whose ranks all call this, or
    None; every rank returns the same.  Dense diagonalisation is left to rank 0, the
    sparse one is shared (it needs PETSc and SLEPc, pays with MUMPS, and each end of the
    window is checked by one rank alone).

    Levels closer than 8 √N ε ‖H‖ are degenerate: they count as r = 0 and are numbered in
    `n_degenerate`.

    Dense: about 4 N² numbers (16 bytes each for complex H) and 10 N³ operations.  Sparse:
    see `manybody.numerics.petsc.interior`.

    Raises TypeError or ValueError for arguments out of range, before any work and on
    every rank; RuntimeError when PETSc is needed and missing, or when the levels of the
    window cannot be proved complete (a degenerate spectrum: diagonalise densely).
    """
    arguments.instance("model", model, SingleParticleModel)
    if model.n_sites < 3:
        raise InputError(f"model has {model.n_sites} site(s): a spacing ratio needs three levels")
    bulk_window(model.n_sites, window)
    arguments.boolean("eth", eth)
    if comm is not None and not hasattr(comm, "Get_rank"):
        raise InputTypeError(f"comm = {comm!r}: an mpi4py communicator or None is needed")
    if n_levels is None:
        if target is not None:
            raise InputError(f"target = {target!r}: has a meaning only with n_levels")
        with blas_threads():
            return together(comm, lambda: levels_of(build_spectrum([model]), window, eth))
    n_levels = arguments.integer("n_levels", n_levels, 3)
    if n_levels > model.n_sites // 2:
        raise InputError(
            f"n_levels = {n_levels}: at most half of the {model.n_sites} levels; "
            "None diagonalises densely and gives all"
        )
    if window != _WINDOW:
        raise InputError(
            f"window = {window!r}: has a meaning only without n_levels, all of which count"
        )
    if target is None:
        target = float(np.real(model.hamiltonian.trace())) / model.n_sites
    target = arguments.real("target", target)
    with blas_threads():
        return _by_interior_levels(model, n_levels, target, eth, comm)


def levels_of(spectrum: Spectrum, window: float = _WINDOW, eth: bool = False) -> LevelStatistics:
    """`level_statistics` of all levels of a known spectrum of one sample."""
    bulk = bulk_window(spectrum.dimension, window)
    energies, inside = spectrum.energies[0], spectrum.vectors[0][:, bulk]
    if spectrum.centres is not None:
        energies = energies + spectrum.centres[0]
    open_ = 0.0 if spectrum.uncertainties is None else float(spectrum.uncertainties[0])
    return build_statistics(
        energies[bulk].copy(),
        participation_ratios(inside),
        spectrum.dimension,
        _tolerance(spectrum.dimension, open_, float(spectrum.norms[0])),
        eth_indicator(inside) if eth else None,
    )


def _by_interior_levels(
    model: SingleParticleModel, n_levels: int, target: float, eth: bool, comm: Communicator | None
) -> LevelStatistics:
    # Without PETSc the package imports and this raises.
    from manybody.numerics.petsc.interior import interior_eigenpairs

    matrix = sp.csr_array(model.hamiltonian)
    found = interior_eigenpairs(matrix, target, n_levels, comm)
    own = participation_ratios(found.vectors), eth_moments(found.vectors) if eth else None
    parts = [own] if comm is None else comm.allgather(own)
    # Added in the order of the ranks, so that all have the same bits.
    participation = np.sum([part[0] for part in parts], axis=0)
    moments = [part[1] for part in parts if part[1] is not None]
    ratio = eth_ratio(*(np.concatenate(each) for each in zip(*moments))) if eth else None
    # The largest sum of a row is no less than ‖H‖₂.
    norm = float(abs(matrix).sum(axis=1).max())
    tolerance = _tolerance(model.n_sites, float(model.uncertainty), norm)
    return build_statistics(found.energies, participation, model.n_sites, tolerance, ratio)


def _tolerance(n_sites: int, uncertainty: float, norm: float) -> float:
    """What `degeneracy_tolerance` of a whole spectrum would be, or what the data leave open."""
    rounding = 8.0 * float(np.sqrt(n_sites)) * EPSILON * norm
    return max(rounding, 2.0 * uncertainty)
