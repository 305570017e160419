"""Baths that differ from coupling to coupling."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.errors import InputError, InputTypeError, shown
from manybody.physics.baths.protocol import Bath, check_bath, has_temperature
from manybody.physics.couplings import Couplings, SiteProjectors
from manybody.physics.models.protocol import Model


@dataclass(frozen=True)
class SeveralBaths:
    """Independent baths, not all equal: that of every coupling A_j, in their order.

    What has a meaning for all of them at once is here; γ and η are those of each.
    """

    each: tuple[Bath, ...]

    @cached_property
    def distinct(self) -> tuple[Bath, ...]:
        """Every bath once, in the order of its first coupling."""
        found: list[Bath] = []
        for bath in self.each:
            if bath not in found:
                found.append(bath)
        return tuple(found)

    @property
    def beta(self) -> float:
        """Inverse temperature in 1/J that all have; nan where they differ: no Gibbs state is
        stationary."""
        betas = {bath.beta for bath in self.distinct}
        return betas.pop() if len(betas) == 1 else math.nan

    @property
    def vanishes(self) -> bool:
        """Whether γ = 0 everywhere, of all."""
        return all(bath.vanishes for bath in self.distinct)

    def kms_residual(self, omega: ArrayLike) -> float:
        """Largest relative violation of γ(−ω) = e^{−βω} γ(ω) by any bath at its own β.

        nan where none has a β.
        """
        known = (bath for bath in self.distinct if has_temperature(bath.beta))
        return max((bath.kms_residual(omega) for bath in known), default=math.nan)


def unit_of(bath: Bath) -> tuple[Bath, float]:
    """A bath of strength one, and γ of this one in units of that: 1 where it knows no unit."""
    unit = getattr(bath, "unit", None)
    return (bath, 1.0) if unit is None else unit()


AnyBaths = Bath | SeveralBaths
# What users may give.
GivenBaths = Bath | Sequence[Bath] | Mapping[int, Bath]


def distinct_baths(baths: AnyBaths) -> tuple[Bath, ...]:
    """Every bath once."""
    return baths.distinct if isinstance(baths, SeveralBaths) else (baths,)


def each_bath(baths: AnyBaths, count: int) -> tuple[Bath, ...]:
    """The bath of every one of `count` couplings."""
    return baths.each if isinstance(baths, SeveralBaths) else (baths,) * count


def some_beta(baths: AnyBaths) -> float:
    """A finite β for a state that is near nothing in particular: the mean of those there are."""
    betas = [bath.beta for bath in distinct_baths(baths) if math.isfinite(bath.beta)]
    return sum(betas) / len(betas) if betas else 0.0


def without_temperature(baths: AnyBaths) -> str:
    """Why there is no Gibbs state for baths of β = nan, in words."""
    if all(has_temperature(bath.beta) for bath in distinct_baths(baths)):
        return "the baths have no temperature in common"
    return "the bath has no temperature (kms=False)"


def baths_of(value: Any, models: Sequence[Model], lamb_shift: object = False) -> AnyBaths:
    """`check_baths` for every one of these models, where they agree; without models one bath."""
    if not models:
        return value if isinstance(value, SeveralBaths) else check_bath(value, lamb_shift)
    first, *others = (check_baths(value, model.couplings, lamb_shift) for model in models)
    if any(other != first for other in others):
        raise InputError("bath means other baths for models of other couplings")
    return first


def check_baths(value: Any, couplings: Couplings, lamb_shift: object = False) -> AnyBaths:
    """The baths of these couplings, from one bath, a sequence or a mapping.

    value: one bath for all; a sequence, one for each coupling in its order, which for one
    particle is that of ascending coupled sites; or a mapping, site (coupling of many particles)
    -> bath, of all of them.  Equal baths are one.  Raises InputTypeError or InputError.
    """
    if isinstance(value, SeveralBaths):
        each: list[Any] = list(value.each)
    elif isinstance(value, Mapping):
        each = list(_of_mapping(value, _labels(couplings)))
    elif isinstance(value, np.ndarray) and value.ndim == 1:
        each = value.tolist()
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        each = list(value)
    else:
        return check_bath(value, lamb_shift)
    if len(each) != couplings.n_baths:
        raise InputError(
            f"bath is a sequence of {len(each)} baths: there are {couplings.n_baths} couplings, "
            "each needs one"
        )
    checked = tuple(check_bath(bath, lamb_shift) for bath in each)
    several = SeveralBaths(checked)
    return checked[0] if len(several.distinct) == 1 else several


def _labels(couplings: Couplings) -> list[int]:
    """What users call the couplings: coupled sites of one particle, else their numbers."""
    if isinstance(couplings, SiteProjectors):
        return [int(site) for site in np.flatnonzero(couplings.coupled)]
    return list(range(couplings.n_baths))


def _of_mapping(value: Mapping[Any, Any], labels: list[int]) -> Iterator[Any]:
    for key in value:
        if isinstance(key, bool) or not isinstance(key, (int, np.integer)):
            raise InputTypeError(f"bath has the key {shown(key)}: sites are integers")
    unknown = sorted({int(key) for key in value} - set(labels))
    if unknown:
        raise InputError(f"bath of site {unknown[0]}: it is not coupled, allowed are {labels}")
    missing = sorted(set(labels) - {int(key) for key in value})
    if missing:
        raise InputError(
            f"bath: site {missing[0]} is coupled and has none, allowed is one for all"
        )
    by_label = {int(key): bath for key, bath in value.items()}
    return (by_label[label] for label in labels)
