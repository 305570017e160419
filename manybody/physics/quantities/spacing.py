"""Chaotic or localised, as levels and eigenvectors tell: spacing ratios, participation, ETH.

Levels of different symmetry sectors do not repel.  Spacing ratios tell something only of a
Hamiltonian in one sector of all that the model conserves: of particles of one number, say, and of
a clean chain at one momentum and parity.  Disorder on every site leaves the number alone.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.couplings import Couplings, SiteProjectors
from manybody.physics.traceless import traceless

# Mean spacing ratios of uncorrelated levels (exact) and of large random matrices
# (numerical; Atas et al., PRL 110, 084101, table I).
POISSON = 2.0 * math.log(2.0) - 1.0
GOE = 0.5307
GUE = 0.5996

# Ratios that share a spacing are correlated, and so are a few further apart in
# random matrices: blocks of this many count as independent.
_BLOCK = 10
_UNITARITY = 1e-6


@dataclass(frozen=True, eq=False)
class LevelStatistics:
    """What the levels of a window and their eigenvectors say of one sample.

    Attributes
    ----------
    mean_ratio : float
        ⟨r⟩ over the window; 0.386 without level repulsion, 0.531 for real (GOE) and 0.600 for
        complex (GUE) random matrices.
    ratio_error : float
        Standard error of ⟨r⟩, by blocks of neighbours (`mean_spacing_ratio`); nan for fewer than
        two ratios.  It knows of one sample only: fluctuations from sample to sample need several.
    participation : float
        Mean of Σ_a |V_ak|⁴ over the window: 1 for one state of the basis, 3/(D+2) for real and
        2/(D+1) for complex random vectors.
    n_levels : int
        Levels in the window.
    n_sites : int
        Number of sites N.
    dimension : int
        Number of states D, for one particle N.
    window : (float, float)
        Lowest and highest level in it, in J.
    n_degenerate : int
        Neighbouring levels in it closer than rounding or the data can tell; where there are any,
        participation and eth depend on the basis LAPACK or SLEPc happened to choose, and ⟨r⟩
        counts zeros.
    eth : float or None
        Eigenstate thermalisation: variance of diagonal over mean square of off-diagonal elements
        of n_j (`eth_indicator`), of the A_j for many particles (`operator_moments`); None when not
        asked for.
    energies : (n_levels,) array
        Of the levels in the window, ascending, in J.
    participation_ratios : (n_levels,) array
        Of the same levels.

    Examples
    --------
    >>> import manybody as mb
    >>> found = mb.level_statistics(mb.dirac_syk2(n_sites=32, seed=7))
    >>> found.n_levels, found.dimension, found.n_degenerate
    (16, 32, 0)
    """

    mean_ratio: float
    ratio_error: float
    participation: float
    n_levels: int
    n_sites: int
    dimension: int
    window: tuple[float, float]
    n_degenerate: int
    eth: float | None
    energies: Real
    participation_ratios: Real


def bulk_window(n_levels: int, window: float = 0.5) -> slice:
    """The middle `window` of `n_levels` ascending levels, by number: the middle half unless told.

    round(window · n) levels, at least three (fewer have no ratio) where there are as
    many; what is left out is halved, the odd one at the lower end.  n_levels: >= 1;
    window: in (0, 1].  Raises TypeError or ValueError.
    """
    n_levels = arguments.integer("n_levels", n_levels, 1)
    share = arguments.real("window", window, above=0.0)
    if share > 1.0:
        raise InputError(f"window = {window!r}: must be > 0 and at most 1")
    kept = min(n_levels, max(3, round(share * n_levels)))
    start = (n_levels - kept + 1) // 2
    return slice(start, start + kept)


def spacing_ratios(energies: Any, tolerance: float = 0.0) -> Real:
    """r_n = min(s_n, s_n+1) / max(s_n, s_n+1) of the spacings s_n = E_n+1 − E_n.

    energies: (M,) ascending, any unit; tolerance: >= 0 in the same unit.  Returns
    (M − 2,) in [0, 1]; empty below three levels.  A spacing <= tolerance is a
    degeneracy, which counts as zero: its ratios are 0, also next to another
    degeneracy, where the formula says 0/0 (levels that coincide do not repel).
    Raises TypeError or ValueError.
    Source: Oganesyan and Huse, PRB 75, 155111 (2007); the density of levels drops out.
    """
    spacings = _spacings(energies)
    tolerance = arguments.real("tolerance", tolerance, minimum=0.0)
    spacings = np.where(spacings <= tolerance, 0.0, spacings)
    below, above = spacings[:-1], spacings[1:]
    smaller, larger = np.minimum(below, above), np.maximum(below, above)
    return np.divide(smaller, larger, out=np.zeros_like(smaller), where=smaller > 0.0)


def degeneracies(energies: Any, tolerance: float = 0.0) -> int:
    """Number of spacings <= tolerance of ascending energies.  Raises like `spacing_ratios`."""
    tolerance = arguments.real("tolerance", tolerance, minimum=0.0)
    return int(np.count_nonzero(_spacings(energies) <= tolerance))


def mean_spacing_ratio(ratios: Any) -> tuple[float, float]:
    """⟨r⟩ and its standard error from (R,) successive ratios of one spectrum, R >= 1.

    Neighbouring ratios share a spacing and are not independent.  The error is that of
    the mean of B blocks of b successive ratios, s / √B with s² = Σ (mean of block −
    mean of blocks)² / (B − 1), where b = 10, or R // 10 (at least 1) for short
    sequences, and the last R mod b ratios have no part in it; nan for R = 1.
    Raises ValueError.
    """
    values = np.asarray(ratios, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise InputError(f"ratios has shape {values.shape}: must be (R,) with R >= 1")
    block = max(1, min(_BLOCK, values.size // 10))
    n_blocks = values.size // block
    mean = float(values.mean())
    if n_blocks < 2:
        return mean, math.nan
    means = values[: n_blocks * block].reshape(n_blocks, block).mean(axis=1)
    return mean, float(means.std(ddof=1) / math.sqrt(n_blocks))


def participation_ratios(vectors: NDArray[Any]) -> Real:
    """Σ_a |V_ak|⁴ of every column k: 1/N when spread evenly, 1 on one site.

    vectors: (m, M) amplitudes ⟨a|k⟩ on all sites a, or on some: the sums of parts add up.
    Returns (M,).  Raises ValueError.  Source: Evers and Mirlin, RMP 80, 1355 (2008), P_2.
    """
    probabilities = _probabilities(vectors)
    ratios: Real = np.einsum("ak,ak->k", probabilities, probabilities)
    return ratios


def eth_moments(vectors: NDArray[Any]) -> tuple[Real, Real]:
    """Both moments of n_j = |j⟩⟨j| in the window, for every site j: what `eth_indicator` divides.

    vectors: (m, M) amplitudes V_jk = ⟨j|k⟩ on m sites, M >= 2 levels of the window.
    Returns (m,) and (m,): with p_k = ⟨k|n_j|k⟩ = |V_jk|², the variance of the diagonal
    elements, Σ_k (p_k − p̄)² / (M − 1), and the mean square of the off-diagonal ones,
    Σ_k≠l |⟨k|n_j|l⟩|² / M(M − 1) = Σ_k≠l p_k p_l / M(M − 1).  Raises ValueError.
    """
    probabilities = _probabilities(vectors)
    n_levels = probabilities.shape[1]
    if n_levels < 2:
        raise InputError(f"vectors has {n_levels} column(s): ETH needs at least two levels")
    variance = probabilities.var(axis=1, ddof=1)
    # (Σp)² − Σp² would cancel for localised states: Σ_k<l p_k p_l by running sums does not.
    before = np.cumsum(probabilities[:, :-1], axis=1)
    pairs = 2.0 * np.einsum("jk,jk->j", before, probabilities[:, 1:])
    return variance, pairs / (n_levels * (n_levels - 1.0))


def operator_moments(couplings: Couplings, vectors: NDArray[Any]) -> tuple[Real, Real]:
    """Both moments of every A_j in the window, as `eth_moments` has them of n_j.

    couplings: b operators of D states; vectors: (D, M) amplitudes ⟨a|k⟩ of the M >= 2 levels of
    the window.  Returns (b,) Σ_k (A_kk − Ā)² / (M − 1) and (b,) Σ_k≠l |A_kl|² / M(M − 1);
    A_j + c has the same.  Raises ValueError.
    """
    _probabilities(vectors)
    n_levels = vectors.shape[1]
    if n_levels < 2:
        raise InputError(f"vectors has {n_levels} column(s): ETH needs at least two levels")
    moments = [_moments(turned) for (turned,) in couplings.turned(vectors[None])]
    variance, squares = np.array(moments).T
    return variance, squares / (n_levels * (n_levels - 1.0))


def _moments(elements: NDArray[Any]) -> tuple[float, float]:
    """Variance of the diagonal, sum of squares off it, of (M, M) elements."""
    sizes = elements.real**2 + elements.imag**2
    np.fill_diagonal(sizes, 0.0)
    return float(np.diagonal(elements).real.var(ddof=1)), float(sizes.sum())


def eth_of(couplings: Couplings, vectors: NDArray[Any]) -> float:
    """ETH indicator of (D, M) vectors of a window: of n_j for one particle, else of the A_j.

    One particle: of all sites, coupled or not.  inf where nothing is off the diagonal, nan where
    every A_j is a number.  Raises ValueError.
    """
    if isinstance(couplings, SiteProjectors):
        return eth_indicator(vectors)
    return eth_ratio(*operator_moments(traceless(couplings), vectors))


def eth_indicator(vectors: NDArray[Any]) -> float:
    """Var_k ⟨k|n_j|k⟩ over the mean of |⟨k|n_j|l⟩|², k ≠ l, both averaged over sites j first.

    vectors: (N, M) amplitudes ⟨j|k⟩ of the M >= 2 levels of a window.  ETH with the
    statistics of random matrices says 2 (real H) or 1 (complex H); localised states give
    more, inf when no site is shared.  Exactly: for Haar-random columns of a real matrix
    E p_k² = 3/N(N+2) and E p_k p_l = 1/N(N+2), of a complex one 2/N(N+1) and 1/N(N+1); the
    variance above has the mean E p_k² − E p_k p_l, so the ratio of means is 2, or 1, for
    every N and M.  Energies matter through the window alone: where ⟨k|n_j|k⟩ drifts
    within it, as it does with on-site energies ε_j, the drift adds to the variance.
    Raises ValueError.  Source: the ratio of Hamazaki and Ueda, arXiv 1901.02119 (of
    standard deviations there); the mean above is derived here and tested.
    """
    return eth_ratio(*eth_moments(vectors))


def eth_ratio(variance: Real, off_diagonal: Real) -> float:
    """`eth_indicator` from the moments (N,), (N,) of all sites, or those of all A_j."""
    own, shared = float(np.sum(variance)), float(np.sum(off_diagonal))
    if shared > 0.0:
        return own / shared
    return math.inf if own > 0.0 else math.nan


def build_statistics(
    energies: Real,
    participation: Real,
    n_sites: int,
    tolerance: float,
    eth: float | None = None,
    dimension: int | None = None,
) -> LevelStatistics:
    """LevelStatistics of the levels of one window, M >= 3 of them.

    energies, participation: (M,), ascending in energy; n_sites: N; tolerance: levels
    closer than this are degenerate; eth: as `eth_of` gave it; dimension: D, None for N.
    Raises ValueError.
    """
    if len(energies) < 3:
        raise InputError(f"{len(energies)} level(s) in the window: a spacing ratio needs three")
    mean, error = mean_spacing_ratio(spacing_ratios(energies, tolerance))
    return LevelStatistics(
        mean_ratio=mean,
        ratio_error=error,
        participation=float(np.mean(participation)),
        n_levels=len(energies),
        n_sites=n_sites,
        dimension=n_sites if dimension is None else dimension,
        window=(float(energies[0]), float(energies[-1])),
        n_degenerate=degeneracies(energies, tolerance),
        eth=eth,
        energies=energies,
        participation_ratios=participation,
    )


def _spacings(energies: Any) -> Real:
    values = np.asarray(energies)
    if values.dtype.kind not in "iuf":
        raise InputTypeError(f"energies has dtype {values.dtype}: real numbers are needed")
    if values.ndim != 1 or values.size == 0:
        raise InputError(f"energies has shape {values.shape}: must be (M,) with M >= 1")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        bad = values[~np.isfinite(values)][0]
        raise InputError(f"energies contains {bad}: all must be finite")
    spacings = np.diff(values)
    late = np.flatnonzero(spacings < 0.0)
    if late.size:
        first, second = values[late[0]], values[late[0] + 1]
        raise InputError(f"energies must ascend, but {second:g} follows {first:g}")
    return spacings


def _probabilities(vectors: NDArray[Any]) -> Real:
    """|V_ak|², checked."""
    values = np.asarray(vectors)
    if values.ndim != 2 or values.shape[1] == 0:
        raise InputError(f"vectors has shape {values.shape}: must be (sites, levels >= 1)")
    if values.dtype.kind not in "iufc":
        raise InputTypeError(f"vectors has dtype {values.dtype}: numbers are needed")
    probabilities = values.real.astype(np.float64) ** 2
    if np.iscomplexobj(values):
        probabilities += values.imag**2
    if not np.isfinite(probabilities).all():
        raise InputError("vectors contains entries that are not finite")
    too_large = probabilities.sum(axis=0).max(initial=0.0)
    if too_large > 1.0 + _UNITARITY:
        raise InputError(f"vectors has a column of norm² {too_large:.6g}: at most 1 is allowed")
    return probabilities
