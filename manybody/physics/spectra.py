"""Eigensystems and the classification of their Bohr frequencies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics.couplings import Couplings, SiteProjectors
from manybody.physics.models.protocol import Model
from manybody.physics.undecided import undecided_words

EPSILON = float(np.finfo(np.float64).eps)

# A separation that chance would make fewer than this many times is taken for a coincidence
# that something has disturbed: so many simple spectra are called ambiguous by mistake.
CHANCE = 1e-4

# Verdicts of the clustering rule, in the order of their codes in the store.
SIMPLE, STRUCTURAL, AMBIGUOUS = "simple", "structural", "ambiguous"
# Of a Hamiltonian that nobody has diagonalised.
UNEXAMINED = "unexamined"
VERDICTS = (SIMPLE, STRUCTURAL, AMBIGUOUS, UNEXAMINED)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigensystems of a stack of samples of one kind (same D, real or complex, couplings).

    Attributes
    ----------
    energies : (samples, D) array
        Ascending, in J, relative to the middle of the band: only differences enter any equation,
        and a large offset would only cost digits.
    vectors : (samples, D, D) array
        V[s, a, k] = ⟨a|k⟩, real for real H.
    norms : (samples,) array
        ‖H‖₂ in J with its offset: what rounding is relative to.
    couplings : Couplings
        What the baths couple to, the same operators in every sample.
    uncertainties : (samples,) array or None, default None
        ‖δH‖₂ in J that the data leave open beyond double precision, see `SingleParticleModel`;
        None for none.
    centres : (samples,) array or None, default None
        What `energies` are relative to, in J; None for 0.

    Notes
    -----
    For one particle D = N.

    Examples
    --------
    >>> import manybody as mb
    >>> from manybody.physics.spectra import build_spectrum
    >>> spectrum = build_spectrum([mb.dirac_syk2(n_sites=4)])
    >>> spectrum.n_samples, spectrum.dimension, spectrum.bohr_frequencies.shape
    (1, 4, (1, 4, 4))
    """

    energies: Real
    vectors: NDArray[Any]
    norms: Real
    couplings: Couplings
    uncertainties: Real | None = None
    centres: Real | None = None

    @property
    def n_samples(self) -> int:
        """Number of samples in the stack."""
        return len(self.energies)

    @property
    def dimension(self) -> int:
        """Number of states D."""
        return int(self.energies.shape[1])

    @property
    def level_rounding(self) -> Real:
        """Several times the rounding of a level difference, 8 √D ε ‖H‖₂, (samples,), in J."""
        return 8.0 * math.sqrt(self.dimension) * EPSILON * self.norms

    @property
    def coupled(self) -> NDArray[np.bool_]:
        """Mask of the sites of one particle with a bath, (N,).

        Raises InputError for other couplings.
        """
        if not isinstance(self.couplings, SiteProjectors):
            raise InputError(
                "couplings are not the site densities of one particle: this is had for one "
                "particle alone"
            )
        return self.couplings.coupled

    @property
    def is_real(self) -> bool:
        """True when all eigenvectors are real."""
        return not np.iscomplexobj(self.vectors)

    @property
    def hamiltonian(self) -> NDArray[Any]:
        """Hamiltonian V diag(E) V† in the working basis, (samples, D, D), centred on its band."""
        bra = np.swapaxes(self.vectors.conj(), 1, 2)
        half = (self.vectors * (0.5 * self.energies)[:, None, :]) @ bra
        # Hermitian to the last bit, or the trace would drift.
        whole: NDArray[Any] = half + np.swapaxes(half.conj(), 1, 2)
        return whole

    @cached_property
    def bohr_frequencies(self) -> Real:
        """Frequencies ω_lk = E_k − E_l, (samples, D, D), energy lost in the jump l ← k, in J."""
        return self.energies[:, None, :] - self.energies[:, :, None]

    @cached_property
    def coupled_probabilities(self) -> Real:
        """Probabilities P_jl = |⟨j|l⟩|² of one particle, (samples, N, N), on sites with a bath."""
        return SiteProjectors(self.coupled).probabilities(self.vectors)

    @cached_property
    def weights(self) -> Real:
        """Weights O_lk = Σ_j |⟨l|A_j|k⟩|², (samples, D, D)."""
        if isinstance(self.couplings, SiteProjectors):
            p = self.coupled_probabilities
            weights: Real = np.swapaxes(p, 1, 2) @ p
            return weights
        weights, dephasing = self.couplings.overlaps(self.vectors)
        # Both come from the same products.
        give_cached(self, dephasing=dephasing)
        return weights

    @cached_property
    def dephasing(self) -> Real:
        """Overlaps Σ_j ⟨k|A_j|k⟩⟨k'|A_j|k'⟩, (samples, D, D); the weights for one particle."""
        if isinstance(self.couplings, SiteProjectors):
            return self.weights
        return self.couplings.overlaps(self.vectors)[1]

    def gibbs_populations(self, beta: float) -> Real:
        """Populations e^{−βE_k} / Z.

        Parameters
        ----------
        beta : float
            In 1/J; ∞: equal ones of all levels that rounding of H cannot tell from the lowest;
            nan, where a bath has no temperature: nan.

        Returns
        -------
        (samples, D) array
            Of the levels.
        """
        if beta == math.inf:
            steps = np.diff(self.energies, axis=1, prepend=self.energies[:, :1])
            apart = np.cumsum(steps > self.level_rounding[:, None], axis=1)
            lowest: Real = (apart == 0) / np.count_nonzero(apart == 0, axis=1, keepdims=True)
            return lowest
        exponent = -beta * (self.energies - self.energies[:, :1])
        with np.errstate(under="ignore"):
            boltzmann = np.exp(exponent)
            populations: Real = boltzmann / boltzmann.sum(axis=1, keepdims=True)
            return populations

    def select(self, samples: NDArray[np.intp] | slice) -> "Spectrum":
        """The stack of some samples, in the given order; what was derived is not lost.

        Parameters
        ----------
        samples : array of int or slice
            Their indices.

        Returns
        -------
        Spectrum
            With as many samples.
        """
        open_ = None if self.uncertainties is None else self.uncertainties[samples]
        centres = None if self.centres is None else self.centres[samples]
        chosen = Spectrum(
            self.energies[samples],
            self.vectors[samples],
            self.norms[samples],
            self.couplings,
            open_,
            centres,
        )
        carry_cached(self, chosen, samples)
        return chosen

    def sample(self, index: int) -> "Spectrum":
        """The stack of one sample.

        Parameters
        ----------
        index : int
            Its place.

        Returns
        -------
        Spectrum
            With one sample.
        """
        if self.n_samples == 1:
            return self
        return self.select(slice(index, index + 1))


def carry_cached(stack: Any, chosen: Any, samples: NDArray[np.intp] | slice) -> None:
    """Give the selection `chosen` of a stack the cached arrays that the stack has."""
    for name, value in vars(stack).items():
        if isinstance(getattr(type(stack), name, None), cached_property):
            several = isinstance(value, tuple)
            own = tuple(one[samples] for one in value) if several else value[samples]
            vars(chosen)[name] = own


def give_cached(owner: Any, **values: Any) -> None:
    """Let `owner` have derived these: its cached properties by name.  Raises AttributeError."""
    for name, value in values.items():
        if not isinstance(getattr(type(owner), name, None), cached_property):
            raise AttributeError(f"{type(owner).__name__} derives no {name!r}")
        vars(owner)[name] = value


def build_spectrum(models: Sequence[Model]) -> Spectrum:
    """Diagonalise every H = V diag(E) V† of a stack of models of one kind.

    Raises ValueError when sizes, couplings or realness differ.
    """
    first = models[0]
    for model in models[1:]:
        same = (
            model.dimension == first.dimension
            and model.is_real == first.is_real
            and model.couplings.same(first.couplings)
        )
        if not same:
            raise InputError("models of one stack must agree in size, realness and couplings")
    # One by one: the bits of a sample must not depend on its stack.
    systems = [_diagonalise(model.dense_hamiltonian()) for model in models]
    energies, vectors, norms, centres = (np.stack(parts) for parts in zip(*systems))
    uncertainties = np.array([model.uncertainty for model in models])
    return Spectrum(energies, vectors, norms, first.couplings, uncertainties, centres)


def _diagonalise(hamiltonian: NDArray[Any]) -> tuple[Real, NDArray[Any], Real, float]:
    """Energies from the middle of the band, eigenvectors, ‖H‖₂ and that middle."""
    centre = float(np.mean(np.diagonal(hamiltonian)).real)
    energies, vectors = np.linalg.eigh(hamiltonian - centre * np.eye(len(hamiltonian)))
    norm = np.max(np.abs(energies + centre))
    middle = 0.5 * (energies[0] + energies[-1])
    return energies - middle, np.ascontiguousarray(vectors), norm, centre + float(middle)


@dataclass(frozen=True)
class Clustering:
    """Which Bohr frequencies of one sample coincide (docs/physics.md sections 4 and 12).

    verdict: "simple" (no two frequencies with weight coincide: the closed form
    of the Davies equation is exact), "structural" (coincidences by symmetry:
    Bohr blocks), "ambiguous" (coincidences that rounding, the precision of the data,
    chance and symmetry could each explain: both answers are wanted), "unexamined" (no equation
    needed the frequencies, see `unexamined`).

    Frequencies within `tolerance` of a neighbour differ by rounding alone.  Two further
    apart are undecided, and the verdict ambiguous, when their separation is
      * within 4‖δH‖₂, what the data leave open: to first order δH moves a level by at most
        ‖δH‖₂ and the distance of two differences of levels by four times that.  ‖δH‖₂ is
        the `uncertainty` of the model: the precision of the numbers that H came in, and the
        half of the asymmetry that was forgiven;
      * or so small that chance makes n̂(s) = s ∫ρ(ω)²dω < 1e-4 as small, ρ the density of
        distinct frequencies.  Without level repulsion the smallest separation of a random
        spectrum lies there with probability 1e-4, with it less often: this is the share of
        false alarms.  H may well be known better; then its two levels of structure, one
        some 1e5 times finer than the other, are there by intention, and both answers stand.

    tolerance: frequencies closer than this count as equal.
    merging_tolerance: the same, but for ambiguous spectra the first scale that holds all
        undecided separations and on which the number of coincidences is stable: what the
        second answer merges.
    answers: what to merge for every answer that the Davies equation has, None for nothing:
        of two the first keeps what is undecided apart, the second merges it.
    merged_neighbours: number n of neighbouring frequencies closer than tolerance.
    expected_by_chance: the number n̂ of such neighbours without level repulsion.
    merged_at_hundredfold: n at 100 times the tolerance.
    widest_cluster: extent of the widest cluster, in energy.
    smallest_separation: smallest distance of two frequencies kept apart.
    level_conditioning: ε ‖H‖₂, or ‖δH‖₂ where it is larger, / smallest spacing of levels
        kept apart, about how far the rounding of H turns eigenvectors, and with them the
        Davies equation.
    """

    verdict: str
    tolerance: float
    merging_tolerance: float
    answers: tuple[float | None, ...]
    merged_neighbours: int
    expected_by_chance: float
    merged_at_hundredfold: int
    widest_cluster: float
    smallest_separation: float
    level_conditioning: float

    def undecided(self, what: str = "Bohr frequencies") -> str:
        """What cannot be decided, for the sentences of warnings."""
        return undecided_words(
            self.merged_neighbours, self.tolerance, self.smallest_separation, what
        )


def unexamined() -> Clustering:
    """The clustering of a Hamiltonian that was not diagonalised: figures are nan, counts 0."""
    nan = math.nan
    return Clustering(UNEXAMINED, nan, nan, (None,), 0, nan, 0, nan, nan, nan)


def cluster_bohr_frequencies(spectrum: Spectrum) -> list[Clustering]:
    """Apply the clustering rule to every sample of a stack."""
    return [_cluster(spectrum.sample(index)) for index in range(spectrum.n_samples)]


def cluster_levels(spectrum: Spectrum) -> Clustering:
    """The same rule for the levels of one sample, of which δH moves two apart by 2‖δH‖₂.

    For equations in which no other coincidences count (SNM eq. (11)).
    """
    energies = spectrum.energies[0]
    return _judge(energies, spectrum, 2.0 * _uncertainty(spectrum))


def degeneracy_tolerance(spectrum: Spectrum) -> float:
    """`Spectrum.level_rounding` of one sample."""
    return float(spectrum.level_rounding[0])


def linked(values: Real, tolerance: float) -> NDArray[np.intp]:
    """Single-linkage cluster index of each of the ascending `values`."""
    return np.concatenate([[0], np.cumsum(np.diff(values) > tolerance)])


def _uncertainty(spectrum: Spectrum) -> float:
    return 0.0 if spectrum.uncertainties is None else float(spectrum.uncertainties[0])


def _cluster(spectrum: Spectrum) -> Clustering:
    n = spectrum.dimension
    upper, weights = np.triu_indices(n, k=1), spectrum.weights[0]
    # |⟨l|A_j|k⟩| below rounding contributes nothing to any generator.  Projectors have size one,
    # other A_j any: only their product with the strength of the bath means something.
    size = 1.0 if isinstance(spectrum.couplings, SiteProjectors) else float(weights.max())
    has_weight = weights[upper] > size * n * (8.0 * EPSILON) ** 2
    # The N diagonal frequencies are exactly zero and part of the closed form;
    # one zero stands for them so that a degenerate level is seen to join it.
    omega = np.sort(np.concatenate([[0.0], spectrum.bohr_frequencies[0][upper][has_weight]]))
    return _judge(omega, spectrum, 4.0 * _uncertainty(spectrum))


def _judge(omega: Real, spectrum: Spectrum, uncertainty: float) -> Clustering:
    """The rule for ascending frequencies whose separations the data leave open by so much."""
    tolerance = degeneracy_tolerance(spectrum)
    conditioning = _level_conditioning(spectrum, tolerance)
    gaps = np.diff(omega)
    if gaps.size == 0:
        return Clustering(
            SIMPLE, tolerance, tolerance, (None,), 0, 0.0, 0, 0.0, np.inf, conditioning
        )
    merged, merged_wide = _count(gaps, tolerance), _count(gaps, 100.0 * tolerance)
    kept = gaps[gaps > tolerance]
    smallest = float(kept.min()) if kept.size else np.inf
    labels = linked(omega, tolerance)
    # Where all coincide there is no crowd that they could be part of by chance.
    chance = tolerance * _squared_density(omega) if labels[-1] > 0 else 0.0
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    ends = np.append(starts[1:], omega.size) - 1
    widest = float(np.max(omega[ends] - omega[starts]))
    # What coincides is one frequency, or a symmetry would pass for a crowd.
    density = _squared_density(omega[starts])
    limit = max(uncertainty, CHANCE / density if density > 0.0 else 0.0)
    undecided = kept[kept <= limit]
    by_symmetry = merged > 10.0 * chance and widest <= 3.0 * tolerance
    explained = merged == 0 or (by_symmetry and merged_wide == merged)
    if undecided.size or not explained:
        verdict = AMBIGUOUS
        # Coincidences that stand alone are none of the undecided ones.
        alone = merged > 0 and by_symmetry and _count(gaps, 10.0 * tolerance) == merged
        first = float(undecided.max(initial=0.0)) + tolerance
        first = first if explained else max(first, 10.0 * tolerance)
        merging = _next_plateau(gaps, first, density)
        answers: tuple[float | None, ...] = (tolerance if alone else None, merging)
    else:
        verdict, merging = STRUCTURAL if merged else SIMPLE, tolerance
        answers = (tolerance if merged else None,)
    return Clustering(
        verdict,
        tolerance,
        merging,
        answers,
        merged,
        chance,
        merged_wide,
        widest,
        smallest,
        conditioning,
    )


def _level_conditioning(spectrum: Spectrum, tolerance: float) -> float:
    spacings = np.diff(spectrum.energies[0])
    spacings = spacings[spacings > tolerance]
    if not spacings.size:
        return 0.0
    known = max(EPSILON * float(spectrum.norms[0]), _uncertainty(spectrum))
    return float(known / spacings.min())


def _count(gaps: Real, tolerance: float) -> int:
    return int(np.count_nonzero(gaps <= tolerance))


def _next_plateau(gaps: Real, first: float, density: float) -> float:
    """Smallest 10^k first, k >= 0, that merges what a hundred times it merges.

    But for ten times what chance adds, 100 · 10^k first · density.
    """
    for k in range(9):
        wide = 10.0**k * first
        added = _count(gaps, 100.0 * wide) - _count(gaps, wide)
        if added <= 10.0 * (100.0 * wide * density):
            return wide
    return 10.0**8 * first


def _squared_density(omega: Real) -> float:
    """∫ ρ(ω)² dω of the density of ascending ω, in √n bins; too large where values coincide."""
    span = float(omega[-1] - omega[0])
    if span == 0.0:
        return 0.0
    bins = max(4, int(np.sqrt(omega.size)))
    edges = np.linspace(omega[0], omega[-1], bins + 1)
    below = np.append(np.searchsorted(omega, edges[:-1]), omega.size)
    return float(np.sum(np.diff(below).astype(np.float64) ** 2)) * bins / span
