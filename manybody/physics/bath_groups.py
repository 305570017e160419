"""Couplings by their bath: every equation is a sum over what differs between baths."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.physics.baths.protocol import Bath
from manybody.physics.baths.several import AnyBaths, SeveralBaths, unit_of
from manybody.physics.couplings import Couplings
from manybody.physics.spectra import Spectrum, carry_cached


@dataclass(frozen=True, eq=False)
class BathGroup:
    """The couplings of a stack of samples that share a bath, up to its strength.

    spectrum: eigensystems; bath: the strongest of theirs; couplings: f_j A_j of the group alone,
    f_j² the strength of the bath of A_j in units of that; members: (n,) their numbers among all
    couplings of the spectrum; factors: (n,) f_j; rates: (samples, D, D) G_lk = Γ(E_k − E_l) of
    `bath`, see `bath_groups`.
    """

    spectrum: Spectrum
    bath: Bath
    couplings: Couplings
    members: NDArray[np.intp]
    factors: Real
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
        group = replace(self, spectrum=chosen, couplings=couplings, rates=self.rates[samples])
        carry_cached(self, group, samples)
        return group


def bath_groups(spectrum: Spectrum, baths: AnyBaths, lamb_shift: bool) -> tuple[BathGroup, ...]:
    """A group for every distinct bath, Γ(E_k − E_l) real without Lamb shift.

    With it less iη(0) where Σ_j f_j² A_j² of a group is a number, as of equal baths on every
    site: η(0)ΣA_j² is then no part of any equation, but large numbers to round.
    """
    groups = []
    for bath, couplings, members, factors in couplings_by_bath(spectrum.couplings, baths):
        rates = bath.one_sided(frequencies_for(bath, spectrum), lamb_shift)
        if lamb_shift and couplings.sum_of_squares_is_constant:
            rates = rates - 1j * bath.eta(0.0)
        groups.append(BathGroup(spectrum, bath, couplings, members, factors, rates))
    return tuple(groups)


def frequencies_for(bath: Bath, spectrum: Spectrum) -> Real:
    """(samples, D, D) ω_lk at which γ and η of a bath are taken.

    At T = 0, and where γ keeps no detailed balance, they need not be smooth at ω = 0: what only
    rounding keeps from 0 is 0 there.
    """
    omega = spectrum.bohr_frequencies
    if math.isfinite(bath.beta):
        return omega
    kept: Real = np.where(np.abs(omega) <= spectrum.level_rounding[:, None, None], 0.0, omega)
    return kept


def couplings_by_bath(
    couplings: Couplings, baths: AnyBaths
) -> list[tuple[Bath, Couplings, NDArray[np.intp], Real]]:
    """The first fields of every group: baths that differ in strength alone are one."""
    if not isinstance(baths, SeveralBaths):
        count = couplings.n_baths
        return [(baths, couplings, np.arange(count), np.ones(count))]
    units = [unit_of(bath) for bath in baths.each]
    kinds = list(dict.fromkeys(kind for kind, _ in units))
    strengths = np.array([strength for _, strength in units])
    owners = np.array([kinds.index(kind) for kind, _ in units])
    found = []
    for index in range(len(kinds)):
        members = np.flatnonzero(owners == index)
        strongest = int(members[np.argmax(strengths[members])])
        factors = np.ones(len(members))
        own = couplings.some(members)
        if np.ptp(strengths[members]) > 0.0:
            factors = np.sqrt(strengths[members] / strengths[strongest])
            own = own.scaled(factors)
        found.append((baths.each[strongest], own, members, factors))
    return found


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


def strengths_of_sites(groups: Sequence[BathGroup], coupled: NDArray[np.bool_]) -> Real:
    """(N,) f_j² of every site of one particle, 1 where there is no bath."""
    strengths = np.ones(len(coupled))
    sites = np.flatnonzero(coupled)
    for group in groups:
        strengths[sites[group.members]] = group.factors**2
    return strengths


def _as_slice(indices: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Ascending indices as a range where they are one, with any step: it needs no copy."""
    if not indices.size:
        return slice(0, 0)
    first, last = int(indices[0]), int(indices[-1])
    step = int(indices[1]) - first if indices.size > 1 else 1
    regular = np.array_equal(indices, np.arange(first, last + 1, step))
    return slice(first, last + 1, step) if regular else indices
