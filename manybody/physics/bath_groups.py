"""Couplings by their bath: every equation is a sum over what differs between baths."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.physics.baths.protocol import Bath
from manybody.physics.baths.several import AnyBaths, SeveralBaths
from manybody.physics.couplings import Couplings
from manybody.physics.spectra import Spectrum, carry_cached


@dataclass(frozen=True, eq=False)
class BathGroup:
    """The couplings of a stack of samples that share a bath.

    spectrum: eigensystems; bath: what they share, β of its own; couplings: those of the group
    alone; members: (n,) their numbers among all couplings of the spectrum; rates:
    (samples, D, D) G_lk = Γ(E_k − E_l) of the bath, see `bath_groups`.
    """

    spectrum: Spectrum
    bath: Bath
    couplings: Couplings
    members: NDArray[np.intp]
    rates: NDArray[Any]

    @property
    def is_alone(self) -> bool:
        """Whether all couplings are in it."""
        return self.couplings is self.spectrum.couplings

    @property
    def weights(self) -> Real:
        """(samples, D, D) O_lk = Σ_j |⟨l|A_j|k⟩|² over the group."""
        return self.spectrum.weights if self.is_alone else self._overlaps[0]

    @property
    def dephasing(self) -> Real:
        """(samples, D, D) Σ_j ⟨k|A_j|k⟩⟨k'|A_j|k'⟩ over the group."""
        return self.spectrum.dephasing if self.is_alone else self._overlaps[1]

    @cached_property
    def _overlaps(self) -> tuple[Real, Real]:
        return self.couplings.overlaps(self.spectrum.vectors)

    def select(self, chosen: Spectrum, samples: NDArray[np.intp] | slice) -> "BathGroup":
        """The same of some samples of the stack, whose spectrum is `chosen`."""
        couplings = chosen.couplings if self.is_alone else self.couplings
        group = BathGroup(chosen, self.bath, couplings, self.members, self.rates[samples])
        carry_cached(self, group, samples)
        return group


def bath_groups(spectrum: Spectrum, baths: AnyBaths, lamb_shift: bool) -> tuple[BathGroup, ...]:
    """A group for every distinct bath, Γ(E_k − E_l) real without Lamb shift.

    With it less iη(0) of the first bath where Σ_j A_j² is a number, as with a bath on every
    site: that part of η(0)ΣA_j² is then no part of any equation, but large numbers to round.
    """
    shared = couplings_by_bath(spectrum.couplings, baths)
    shifted = lamb_shift and spectrum.couplings.sum_of_squares_is_constant
    offset = 1j * shared[0][0].eta(0.0) if shifted else 0.0
    groups = []
    for bath, couplings, members in shared:
        rates = bath.one_sided(spectrum.bohr_frequencies, lamb_shift)
        if shifted:
            rates = rates - offset
        groups.append(BathGroup(spectrum, bath, couplings, members, rates))
    return tuple(groups)


def couplings_by_bath(
    couplings: Couplings, baths: AnyBaths
) -> list[tuple[Bath, Couplings, NDArray[np.intp]]]:
    """Every distinct bath with its couplings, and their numbers among all."""
    if not isinstance(baths, SeveralBaths):
        return [(baths, couplings, np.arange(couplings.n_baths))]
    members = [np.flatnonzero(baths.owners == index) for index in range(len(baths.distinct))]
    return [(bath, couplings.some(own), own) for bath, own in zip(baths.distinct, members)]


def mean_rates(groups: Sequence[BathGroup]) -> NDArray[Any]:
    """(samples, D, D) Σ_g G_g ∘ O_g / Σ_g O_g: of one bath that acts between levels as all do.

    Where no coupling has an element the mean over the couplings stands.
    """
    if len(groups) == 1:
        return groups[0].rates
    weights = np.sum([group.weights for group in groups], axis=0)
    total = np.sum([group.rates * group.weights for group in groups], axis=0)
    count = sum(len(group.members) for group in groups)
    plain = np.sum([group.rates * (len(group.members) / count) for group in groups], axis=0)
    mean: NDArray[Any] = np.where(
        weights > 0.0, total / np.where(weights > 0.0, weights, 1.0), plain
    )
    return mean


def columns_of_groups(
    groups: Sequence[BathGroup], coupled: NDArray[np.bool_], columns: slice
) -> list[slice | NDArray[np.intp]]:
    """Which of these columns meet the rates of each group: those of its sites.

    Sites without a bath, whose columns are zero, go with the first.
    """
    owners = np.zeros(len(coupled), dtype=np.intp)
    sites = np.flatnonzero(coupled)
    for index, group in enumerate(groups):
        owners[sites[group.members]] = index
    return [_as_slice(np.flatnonzero(owners[columns] == index)) for index in range(len(groups))]


def _as_slice(indices: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Ascending indices as a range where they are one, which is no copy."""
    first = int(indices[0]) if indices.size else 0
    if np.array_equal(indices, np.arange(first, first + indices.size)):
        return slice(first, first + indices.size)
    return indices
