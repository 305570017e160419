"""How far the coherences that single baths make cancel each other.

SNM, End Matter, made precise by docs/physics.md section 6; no Lamb shift throughout.  In the
energy basis an element of the dissipator R = Σ_j R_j of Redfield is

    (l, n) ← (k, m):  (g_lk + g_nm) S − K_lk δ_mn − K*_nm δ_lk,  S = Σ_j A^j_lk A^j_mn,

g_lk = γ(E_k − E_l)/2, K = Σ_j A_jΛ_j, and its detuning is δ = (E_k − E_l) − (E_m − E_n).
The secular elements, δ = 0, are the dissipator D of Davies, so that ‖R‖² = ‖D‖² + ‖R − D‖²
in Frobenius norms.  For one particle, A_j = |j⟩⟨j|, nearly everything in ‖R‖² is a sum over N²
or N³ terms; what is left is the matrix t_ij = ⟨i|Λ_j|i⟩, whose norm random vectors tell.  Any
other couplings, fewer of them than states, are summed in full by `many_body_cancellation`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.protocol import Bath, check_bath
from manybody.physics.couplings import SiteProjectors
from manybody.physics.equations.redfield import RedfieldGenerator
from manybody.physics.models.given import Matrix, model_from
from manybody.physics.models.protocol import Model
from manybody.physics.models.single_particle import Seed
from manybody.physics.problem import Problem
from manybody.physics.quantities.many_body_cancellation import ManyBodyParts
from manybody.physics.quantities.sampled_sums import squares, standard_error, sum_by_size
from manybody.physics.spectra import AMBIGUOUS, EPSILON, SIMPLE

# Times N: what a difference of two sums of squares is known to, relative to the larger.
_ROUNDING = 16.0 * EPSILON
# Energies of a jump at which levels are counted.
_JUMPS = 128


@dataclass(frozen=True)
class Cancellation:
    """How far Redfield and Davies differ as generators, and why.

    Attributes
    ----------
    generator_ratio : float
        c_F = ‖R − D‖ / ‖D‖, R and D the dissipators of Redfield and Davies; a pure number, as all
        ratios.
    generator_ratio_error : float
        Its Monte-Carlo standard error; 0 where the sum was done in full.
    weighted_ratio : float
        κ, the same with every |element|² of R − D times 1/(1 + (δ/ν)²), δ its detuning: what a
        detuned element does while the state lives averages out.
    weighted_ratio_error : float
        Its Monte-Carlo standard error; 0 where the sum was done in full.
    nonsecular_ratio : float
        a_ns = ‖Σ_j X_j‖² / Σ_j ‖X_j‖² of the non-secular parts X_j = R_j − D_j: 1 when baths add
        up like independent random numbers, less when they cancel; nan where no bath has such a
        part.
    nonsecular_ratio_error : float
        Its Monte-Carlo standard error; 0 where the sum was done in full.
    secular_ratio : float
        a_sec, the same for D_j; the number of baths when all do the same.
    secular_ratio_error : float
        Always 0: the sum is done in full.
    out_rate : float
        ν, mean over levels k of Σ_l≠k γ(E_k − E_l) Σ_j |⟨l|A_j|k⟩|², in J; with l = k it would
        depend on c in A_j + c.
    n_sites : int
        Number of sites N of the model; of baths where the model is not known.

    Notes
    -----
    In localised systems accidental coincidences of four levels make κ² a sum of few large terms:
    its error is then itself uncertain by a factor of some.

    Examples
    --------
    >>> import manybody as mb
    >>> found = mb.cancellation_measures(mb.dirac_syk2(8, seed=1), mb.OhmicBath(0.2, 10.0, 5.0))
    >>> found.n_sites, 0.0 < found.generator_ratio < 1.0
    (8, True)
    """

    generator_ratio: float
    generator_ratio_error: float
    weighted_ratio: float
    weighted_ratio_error: float
    nonsecular_ratio: float
    nonsecular_ratio_error: float
    secular_ratio: float
    secular_ratio_error: float
    out_rate: float
    n_sites: int


def cancellation_measures(
    model: Model | Matrix, bath: Bath, n_vectors: int = 8, seed: Seed = 0, n_rows: int = 512
) -> Cancellation:
    """Measures c_F, a_ns, a_sec and κ of how Redfield and Davies differ, without Lamb shift.

    Parameters
    ----------
    model : Model or (N, N) array
        Of one particle or many, with any couplings, D states (one particle: D = N).
    bath : Bath
        The same for all couplings.
    n_vectors : int, default 8
        >= 2, random vectors for the one part of ‖R‖² of one particle that is not summed in full;
        it is, too, when n_vectors >= number of coupled sites, and always for a `ManyBodyModel`.
    seed : int, sequence of ints or Generator, default 0
        Of both draws.
    n_rows : int, default 512
        >= 2, about how many rows of R are drawn for κ; all when there are no more, D(D + 1)/2 of
        them.

    Returns
    -------
    Cancellation
        The measures and their errors.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too), or Bohr
        frequencies coincide or nearly so, where the Davies equation has more secular elements than
        are counted here.

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), End Matter; docs/physics.md section 6.

    All is invariant under A_j → A_j + c_j and under phases and order of sites and levels.
    Where both generators vanish or agree, as with one site, no hopping or a bath of coupling
    0, c_F = κ = 0, and a ratio of nothing to nothing is nan.  Dark levels, which no coupled
    site sees, count in the mean ν with 0 and are otherwise nothing special; ν = 0, where no
    level is ever left, makes κ = 0.  c_F below about 1e-7 √D is rounding and given as 0.

    One particle: O(N³) time a vector or row, about 22 N² reals of memory.  Many: O(b D³) time
    and b D² numbers of memory for b baths, O(b D²) time a row.

    Examples
    --------
    >>> import manybody as mb
    >>> bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)
    >>> few, many = (mb.cancellation_measures(mb.dirac_syk2(n, seed=1), bath) for n in (8, 32))
    >>> many.generator_ratio < few.generator_ratio < 1.0
    True
    """
    system = model_from(model)
    check_bath(bath)
    n_vectors = arguments.integer("n_vectors", n_vectors, 2)
    n_rows = arguments.integer("n_rows", n_rows, 2)
    rng = arguments.seed(seed)
    problem = Problem([system], bath)
    clustering = problem.clustering
    if clustering.verdict == AMBIGUOUS:
        raise InputError(
            f"model {system.name!r}: {clustering.undecided()}, and the measures are defined here "
            "for distinct ones"
        )
    if clustering.verdict != SIMPLE:
        raise InputError(
            f"model {system.name!r} has {clustering.merged_neighbours} coinciding Bohr "
            f"frequencies within {clustering.tolerance:.3g} ({clustering.verdict}): the measures "
            "are defined here for distinct ones"
        )
    return cancellation_of(problem, n_vectors, rng, n_rows)


def cancellation_of(
    problem: Problem, n_vectors: int, rng: np.random.Generator, n_rows: int
) -> Cancellation:
    """`cancellation_measures` of a problem whose Bohr frequencies are distinct."""
    parts = _parts_of(problem)
    redfield, redfield_error = parts.squared_norm(n_vectors, rng)
    davies = parts.secular_squared_norm()
    single, single_davies = parts.squared_norms_of_baths()
    resolution = _ROUNDING * problem.spectrum.dimension
    nonsecular = _difference(redfield, davies, resolution)
    single_nonsecular = _difference(single, single_davies, resolution)
    weighted, weighted_error = 0.0, 0.0
    # Where no level is ever left ν = 0, and so is the weight of anything detuned.
    if parts.out_rate > 0.0:
        weighted, weighted_error = parts.weighted_squared_norm(n_rows, rng)
    c_f, kappa = _root_ratio(nonsecular, davies), _root_ratio(weighted, davies)
    return Cancellation(
        generator_ratio=c_f,
        generator_ratio_error=_root_error(c_f, redfield_error, davies),
        weighted_ratio=kappa,
        weighted_ratio_error=_root_error(kappa, weighted_error, davies),
        nonsecular_ratio=_ratio(nonsecular, single_nonsecular),
        nonsecular_ratio_error=_ratio(redfield_error, single_nonsecular),
        secular_ratio=_ratio(davies, single_davies),
        secular_ratio_error=0.0,
        out_rate=parts.out_rate,
        n_sites=problem.model.n_sites if problem.models else problem.couplings.n_baths,
    )


def _parts_of(problem: Problem) -> "_Parts | ManyBodyParts":
    """The sums of the dissipators alone: without what a Lamb shift adds."""
    spectrum, rates = problem.spectrum, problem.rates.real
    (group,) = problem.groups
    if isinstance(spectrum.couplings, SiteProjectors):
        return _Parts(RedfieldGenerator(spectrum, (replace(group, rates=rates),)), group.bath)
    return ManyBodyParts(spectrum, rates[0])


class _Parts:
    """Sums over the elements of R and D of one particle, in the energy basis."""

    def __init__(self, generator: RedfieldGenerator, bath: Bath) -> None:
        self._bath = bath
        spectrum = generator.spectrum
        self.energies = spectrum.energies[0]
        # Rows of coupled sites: ⟨l|A_j|k⟩ = V*_jl V_jk.
        self.vectors = spectrum.vectors[0][spectrum.coupled]
        self.probabilities = spectrum.coupled_probabilities[0][spectrum.coupled]
        self.overlaps: Real = spectrum.weights[0]
        self.rates = generator.rates[0]
        full = spectrum.vectors[0]
        self.decay = full.conj().T @ generator.decay[0] @ full
        self.n_sites = len(self.energies)
        self.at_zero = float(self.rates[0, 0])
        # (j, k) h_jk = Σ_m P_jm g_mk, so that ⟨l|A_jΛ_j|k⟩ = V*_jl V_jk h_jk.
        self._gains = self.probabilities @ self.rates

    @cached_property
    def out_rate(self) -> float:
        """ν, without jumps from a level to itself: A_j → A_j + c would change those."""
        rates = 2.0 * self.rates * self.overlaps
        np.fill_diagonal(rates, 0.0)
        return float(rates.sum()) / self.n_sites

    # ---- sums over all elements

    def squared_norm(self, n_vectors: int, rng: np.random.Generator) -> tuple[float, float]:
        """‖R‖² and its standard error.

        Σ|S|²(g_lk + g_nm)² = 2 Σ_j Σ_lk g²_lk P_jl P_jk + 2 ‖t‖²; with K the sums run over
        m = n or l = k alone, where S becomes Σ_j A^j_lk tr A_j.
        """
        own, others, error = self._sandwich_norm(n_vectors, rng)
        sandwich = 2.0 * float(np.sum(self.rates**2 * self.overlaps)) + 2.0 * (own + others)
        presence = self.vectors.conj().T @ self.vectors
        mixed = (self.rates + self.at_zero) * presence.conj() * self.decay
        local = self.n_sites * squares(self.decay) + abs(np.trace(self.decay)) ** 2
        total = sandwich - 4.0 * float(mixed.real.sum()) + 2.0 * local
        return total, 2.0 * error

    def _sandwich_norm(
        self, n_vectors: int, rng: np.random.Generator
    ) -> tuple[float, float, float]:
        """‖t‖² of t_ij = ⟨i|Λ_j|i⟩: of its diagonal, of the rest, and the error of the latter.

        Random phases z: E‖tz‖² = ‖t‖², exact where columns of t do not overlap, as those of
        localised levels hardly do.
        """
        diagonal = np.einsum("jk,jk->j", self._gains, self.probabilities)
        n_baths = len(diagonal)
        exact = n_vectors >= n_baths
        found = np.empty(n_baths if exact else n_vectors)
        for index in range(len(found)):
            if exact:
                z = np.zeros(n_baths)
                z[index] = 1.0
            else:
                z = np.exp(2j * np.pi * rng.random(n_baths))
            filtered = self.rates * ((self.vectors.conj().T * z) @ self.vectors)
            image = np.einsum("jk,jk->j", self.vectors @ filtered, self.vectors.conj())
            found[index] = squares(image - diagonal * z)
        own = squares(diagonal)
        if exact:
            return own, float(found.sum()), 0.0
        return own, float(found.mean()), standard_error(found)

    def secular_squared_norm(self) -> float:
        """‖D‖²: the decay of every coherence, and jumps between levels."""
        losses = np.einsum("lk,lk->k", self.rates, self.overlaps)
        decay = 2.0 * self.at_zero * self.overlaps - losses[:, None] - losses
        jumps = 2.0 * self.rates * self.overlaps
        # The element of a population with itself is there already, less its jump.
        return squares(decay) + squares(jumps) - squares(np.diagonal(jumps))

    def squared_norms_of_baths(self) -> tuple[float, float]:
        """Σ_j ‖R_j‖² and Σ_j ‖D_j‖²: for one bath every sum factorises."""
        p, h, g = self.probabilities, self._gains, self.rates
        n = self.n_sites
        first = np.einsum("jk,jk->j", p, h)
        second = np.einsum("jk,jk->j", p, h**2)
        squared_rates = np.einsum("jk,jk->j", p @ g**2, p)
        redfield = 2.0 * (squared_rates + first**2)
        redfield += -4.0 * (second + self.at_zero * first) + 2.0 * (n * second + first**2)
        # D_j: coherence (k, m) decays by loss_k + loss_m − 2 g_0 P_jk P_jm.
        loss = p * h
        squares = p**2
        total, total_squares = loss.sum(axis=1), np.sum(loss**2, axis=1)
        overlap, crossed = squares.sum(axis=1), np.sum(loss * p, axis=1)
        davies = 2.0 * n * total_squares + 2.0 * total**2
        davies += 4.0 * self.at_zero**2 * overlap**2
        davies -= 8.0 * self.at_zero * crossed * p.sum(axis=1)
        jumps = 4.0 * np.einsum("jk,jk->j", squares @ g**2, squares)
        davies += jumps - 4.0 * self.at_zero**2 * np.sum(squares**2, axis=1)
        return float(redfield.sum()), float(davies.sum())

    # ---- weighted by detuning

    def weighted_squared_norm(self, n_rows: int, rng: np.random.Generator) -> tuple[float, float]:
        """Σ |R − D|² / (1 + (δ/ν)²) and its standard error.

        What K contributes is summed in full, the square of the sandwich terms by rows (l, n)
        of R.  Rows (l, n) and (n, l) have the same sum.
        """
        left, right = np.triu_indices(self.n_sites)
        multiplicity = np.where(left == right, 1.0, 2.0)
        sizes = multiplicity * self._row_sizes()[left, right]
        row = self._row_sums()
        rows, error = sum_by_size(
            lambda index: multiplicity[index] * row(left[index], right[index]), sizes, n_rows, rng
        )
        return rows + self._weighted_decay(), error

    def _weights(self, detuning: Real) -> Real:
        """1 / (1 + (δ/ν)²)."""
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + (detuning / self.out_rate) ** 2)

    def _weighted_decay(self) -> float:
        """What elements with m = n or l = k, k ≠ l or m ≠ n, have beyond the square of S."""
        presence = self.vectors.conj().T @ self.vectors
        added = self.n_sites * np.abs(self.decay) ** 2
        added -= 2.0 * (self.rates + self.at_zero) * (self.decay.conj() * presence).real
        np.fill_diagonal(added, 0.0)
        added *= self._weights(self.energies - self.energies[:, None])
        return 2.0 * float(added.sum())

    def _row_sizes(self) -> Real:
        """(N, N) what rows should sum to if phases were random, roughly.

        In a localised system a row may owe nearly all to one level that happens to be close
        to l or n: these pairs are looked at one by one.  All others count by the density of
        levels, and by a share that holds where it says too little.
        """
        p = self.probabilities
        near = self._weights(self.energies - self.energies[:, None])
        np.fill_diagonal(near, 0.0)
        near *= (self.rates + self.at_zero) ** 2
        close: Real = p.T @ (p * (p @ near.T))
        crowd = self._crowd()
        return close + close.T + self.overlaps * (crowd + 0.2 * float(crowd.mean()))

    def _crowd(self) -> Real:
        """(N, N) mean over all (k, m) of (g_lk + g_nm)² / (1 + (δ/ν)²), by the density of levels.

        With δ = 0 all but enforced both jumps spend the same energy x: a sum over x.
        """
        n, energies = self.n_sites, self.energies
        width = float(energies[-1] - energies[0])
        step = 2.0 * width / _JUMPS
        jumps = step * (np.arange(_JUMPS) - 0.5 * (_JUMPS - 1))
        ends = energies + jumps[:, None]
        above, below = (np.searchsorted(energies, ends + sign * step) for sign in (1.0, -1.0))
        density: Real = (above - below) / (2.0 * step * n)
        rates: Real = self._bath.gamma(jumps)[:, None]
        return np.pi * self.out_rate * step * (density * rates**2).T @ density

    def _row_sums(self) -> Callable[[int, int], float]:
        levels = np.arange(self.n_sites)
        frequencies = self.energies[:, None] - self.energies
        to_levels = self.vectors.conj()

        def row(left: int, right: int) -> float:
            """Σ over (k, m) of the weighted squares of the sandwich in row (left, right)."""
            meeting = to_levels[:, left] * self.vectors[:, right]
            elements: Any = (self.vectors.T * meeting) @ to_levels
            squares = elements.real**2
            if np.iscomplexobj(elements):
                squares += elements.imag**2
            squares *= (self.rates[left][:, None] + self.rates[right]) ** 2
            if left == right:
                squares[levels, levels] = 0.0
            squares[left, right] = 0.0
            return float(np.sum(squares * self._weights(frequencies - frequencies[left, right])))

        return row


def _difference(whole: float, part: float, resolution: float) -> float:
    """whole − part >= 0, 0 when rounding could be all of it."""
    difference = whole - part
    return difference if difference > resolution * abs(whole) else 0.0


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0.0 else math.nan


def _root_ratio(numerator: float, denominator: float) -> float:
    """√(numerator / denominator), 0 for no numerator."""
    return math.sqrt(numerator / denominator) if numerator > 0.0 else 0.0


def _root_error(root: float, error: float, denominator: float) -> float:
    """Standard error of √(x / denominator) = root from that of x."""
    if error == 0.0:
        return 0.0
    relative = error / denominator
    # Where the error exceeds the value the root of the error is all there is to say.
    return min(relative / (2.0 * root), math.sqrt(relative)) if root > 0.0 else math.sqrt(relative)
