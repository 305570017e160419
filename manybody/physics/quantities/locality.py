"""How local a bath acts: the decay of Λ_j with the distance from its site j.

Λ_j = Σ_lk Γ(E_k − E_l) |l⟩⟨l|A_j|k⟩⟨k|, A_j = |j⟩⟨j|, is what Redfield makes of A_j
(docs/physics.md section 3).  Its elements fall off with distance, though not exponentially: γ(ω)
has a cusp at ω = 0 (SNM: the Redfield equation is quasi-local).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.protocol import Bath, check_bath
from manybody.physics.models.given import Matrix, one_particle
from manybody.physics.models.single_particle import Seed, SingleParticleModel
from manybody.physics.problem import Problem


@dataclass(frozen=True, eq=False)
class LocalityProfile:
    """Sizes of filtered couplings ⟨a|Λ_j|b⟩ against the larger distance of a and b from j.

    Attributes
    ----------
    distances : (B,) array
        Ascending, 0 first; only distances that occur.
    rms : (B,) array
        Root mean square of |⟨a|Λ_j|b⟩| over all elements at that distance and all j looked at,
        relative to `largest`.
    rms_error : (B,) array
        Standard error of rms over the j, nan for one; it knows of one sample only.
    maximum : (B,) array
        The largest of them, relative to `largest`: what is lost when every Λ_j is cut to the sites
        nearer to j than this.
    n_elements : (B,) array of int
        How many elements that is.
    outside : (B,) array
        Share of Σ_j ‖Λ_j‖² in elements at that distance or further.
    thresholds : (C,) array
        Shares of the largest entry of a Λ_j.
    row_counts : (C,) array
        Mean number of entries of row ⟨j|Λ_j above each of them: what an assembled row would keep.
    largest : float
        Largest |⟨a|Λ_j|b⟩| of all, in J.
    centres : array of int
        The sites j, ascending.

    Examples
    --------
    >>> import manybody as mb
    >>> cube = mb.anderson3d(length=3, disorder=5.0, seed=1)
    >>> mb.locality_profile(cube, mb.OhmicBath(0.2, 10.0, 5.0), n_centres=2).distances
    array([0., 1., 2., 3.])
    """

    distances: Real
    rms: Real
    rms_error: Real
    maximum: Real
    n_elements: NDArray[np.int64]
    outside: Real
    thresholds: Real
    row_counts: Real
    largest: float
    centres: NDArray[np.intp]


def locality_profile(
    model: SingleParticleModel | Matrix,
    bath: Bath,
    distances: Any = None,
    *,
    n_centres: int | None = 32,
    seed: Seed = 0,
    lamb_shift: bool = False,
    thresholds: Sequence[float] = (1e-2, 1e-3, 1e-4),
) -> LocalityProfile:
    """Decay of the filtered couplings Λ_j with distance, in one sample.

    Parameters
    ----------
    model : SingleParticleModel
        Whose Λ_j, the A_j filtered by the bath, are looked at.
    bath : Bath
        The same for all couplings.
    distances : (N, N) array, Lattice or None, default None
        Symmetric, >= 0, zero on the diagonal, in any unit; rounded to whole numbers (halves up) to
        be told apart.  None for the lattice of the model.
    n_centres : int or None, default 32
        >= 1, how many coupled sites j are drawn at random, all if there are no more; None means
        all.
    seed : int, sequence of ints or Generator, default 0
        Of that draw.
    lamb_shift : bool, default False
        With the imaginary part η(ω) − η(0) of Γ; η(0) only multiplies A_j.
    thresholds : sequence of float, default (0.01, 0.001, 0.0001)
        Shares in (0, 1) for row_counts.

    Returns
    -------
    LocalityProfile
        By distance.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too), the lattice is not
        known, its size is not that of the model, or γ = 0 everywhere, where all Λ_j vanish.

    Notes
    -----
    See docs/physics.md section 3.  Two products of N x N matrices per centre; about 15 N² reals of
    memory.

    Examples
    --------
    >>> import manybody as mb
    >>> cube = mb.anderson3d(length=4, disorder=5.0, seed=1)
    >>> profile = mb.locality_profile(cube, mb.OhmicBath(0.2, 10.0, 5.0), n_centres=4)
    >>> bool(profile.rms[0] > 10.0 * profile.rms[2])
    True
    """
    system = one_particle(model)
    lamb_shift = arguments.boolean("lamb_shift", lamb_shift)
    check_bath(bath, lamb_shift)
    given = arguments.entries("thresholds", thresholds, "a sequence of numbers in (0, 1)")
    shares = np.array([_share(value) for value in given])
    if bath.vanishes:
        raise InputError("bath: γ = 0 everywhere, Λ_j vanishes, and its decay says nothing")
    apart = site_distances(system, distances)
    centres = drawn_centres(np.flatnonzero(system.coupled), n_centres, seed)
    return locality_of(Problem([system], bath, lamb_shift), apart, centres, shares)


def locality_of(
    problem: Problem, apart: Real, centres: NDArray[np.intp], shares: Real
) -> LocalityProfile:
    """`locality_profile` of a problem.

    apart: (N, N) whole distances; centres: sites j; shares: thresholds of row_counts.
    """
    spectrum = problem.spectrum
    vectors, rates = spectrum.vectors[0], problem.rates[0]
    (group,) = problem.groups
    if problem.lamb_shift and not spectrum.coupled.all():
        # Where all are coupled it is gone already.
        rates = rates - 1j * group.bath.eta(0.0)

    values = np.unique(apart[centres])
    squares = np.zeros((len(centres), len(values)))
    maximum, counts = np.zeros(len(values)), np.zeros_like(squares, dtype=np.int64)
    kept = np.zeros(len(shares))
    for index, site in enumerate(centres):
        order = np.argsort(apart[site], kind="stable")
        ends = np.searchsorted(apart[site][order], values, side="right")
        own = rates * vectors[site].conj()[:, None] * vectors[site]
        sizes = np.abs((vectors @ own) @ vectors.conj().T)
        kept += np.count_nonzero(sizes[site] > shares[:, None] * sizes.max(), axis=1)
        sizes = sizes[np.ix_(order, order)]
        start = 0
        for shell, end in enumerate(ends):
            # The elements with one site in the shell and the other no further out.
            for part in (sizes[start:end, :end], sizes[:start, start:end]):
                squares[index, shell] += float(np.sum(part**2))
                counts[index, shell] += part.size
                maximum[shell] = max(maximum[shell], float(part.max(initial=0.0)))
            start = end
    largest = float(maximum.max())
    total = counts.sum(axis=0)
    mean_square = squares.sum(axis=0) / total
    rms = np.sqrt(mean_square)
    return LocalityProfile(
        distances=values,
        rms=rms / largest,
        rms_error=_rms_error(squares, counts, mean_square) / largest,
        maximum=maximum / largest,
        n_elements=total,
        outside=np.cumsum(squares.sum(axis=0)[::-1])[::-1] / squares.sum(),
        thresholds=shares,
        row_counts=kept / len(centres),
        largest=largest,
        centres=centres,
    )


def _rms_error(squares: Real, counts: NDArray[np.int64], mean_square: Real) -> Real:
    """Standard error over centres of the ratio Σ squares / Σ counts, carried to its root."""
    n_centres = len(squares)
    if n_centres == 1:
        return np.full(squares.shape[1], np.nan)
    scatter = np.sum((squares - mean_square * counts) ** 2, axis=0)
    error: Real = np.sqrt(scatter * n_centres / (n_centres - 1)) / counts.sum(axis=0)
    root: Real = np.sqrt(mean_square)
    return np.divide(error, 2.0 * root, out=np.zeros_like(error), where=root > 0.0)


def _share(value: object) -> float:
    share = arguments.real("thresholds entry", value, above=0.0)
    if share >= 1.0:
        raise InputError(f"thresholds entry = {value!r}: must be > 0 and < 1")
    return share


def drawn_centres(sites: NDArray[np.intp], n_centres: int | None, seed: Seed) -> NDArray[np.intp]:
    """All sites, or n_centres of them at random, ascending."""
    rng = arguments.seed(seed)
    if n_centres is None:
        return sites
    n_centres = arguments.integer("n_centres", n_centres, 1)
    if n_centres >= len(sites):
        return sites
    return np.sort(rng.choice(sites, size=n_centres, replace=False))


def site_distances(model: SingleParticleModel, distances: Any = None) -> Real:
    """(N, N) whole distances, given or those of a lattice."""
    n = model.n_sites
    lattice = model.lattice if distances is None else distances
    if lattice is None:
        raise InputError(
            f"model {model.name!r} does not say which lattice its sites form: give `distances`"
        )
    given = lattice.distances() if hasattr(lattice, "distances") else lattice
    matrix = arguments.reals("distances", given, "(N, N)")
    if matrix.shape != (n, n):
        raise InputError(f"distances has shape {matrix.shape}: must be ({n}, {n})")
    if matrix.min() < 0.0:
        raise InputError(f"distances contains {matrix.min():g}: all must be >= 0")
    if np.diagonal(matrix).any() or not np.array_equal(matrix, matrix.T):
        raise InputError("distances must be symmetric and zero on the diagonal")
    whole: Real = np.floor(matrix + 0.5)
    return whole
