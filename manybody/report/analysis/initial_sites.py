"""The mean over initial sites of a distance: systems that differ in their start alone.

It is the mean of ‖ρ_a − ρ_b‖₁ over starts |j⟩⟨j|, sample by sample, not the distance from a mixed
start: norms of differences do not average to the norm of the averaged difference.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.report.read import PointResult, StudyResult
from manybody.study.blocks import OF_PAIRS
from manybody.study.configuration import Point

_KEY = "initial_site"


@dataclass(frozen=True, eq=False)
class SiteMean:
    """One size of several systems that differ in their initial site.

    point: without the site; sites: ascending; values: (samples, sites, pairs, T) distances of
    the samples that all of them have.
    """

    point: Point
    sites: tuple[int, ...]
    values: Real

    def curves(self, pair: int = 0) -> Real:
        """(samples, T) means over sites of the distance of a pair of equations."""
        curves: Real = self.values[:, :, pair].mean(axis=1)
        return curves

    def spread_of_sites(self, pair: int, place: int) -> float:
        """Standard deviation over sites at a time, of the means over samples."""
        return float(self.values[:, :, pair, place].mean(axis=0).std(ddof=1))


def site_means(results: StudyResult) -> list[SiteMean]:
    """Every size with two initial sites and more, in the order of the study."""
    if not results.study.evolves:
        return []
    groups: dict[Point, dict[int, PointResult]] = {}
    for result in results.points:
        changes = dict(result.point.changes)
        if _is_elsewhere(results, changes):
            continue
        site = int(changes.pop(_KEY, results.study.initial_site))
        bare = replace(result.point, changes=tuple(sorted(changes.items())))
        groups.setdefault(bare, {})[site] = result
    found = [_mean(point, own) for point, own in groups.items() if len(own) > 1]
    return [each for each in found if len(each.values)]


def _is_elsewhere(results: StudyResult, changes: dict[str, Any]) -> bool:
    """Whether a system starts on no site at all."""
    study = results.study
    others = {"initial_beta": study.initial_beta, "initial_state": study.initial_state}
    return any(changes.get(key, own) is not None for key, own in others.items())


def _mean(point: Point, by_site: dict[int, PointResult]) -> SiteMean:
    sites = tuple(sorted(by_site))
    common = sorted(set.intersection(*(set(map(int, own.samples)) for own in by_site.values())))
    chosen = [
        by_site[site].arrays[OF_PAIRS][np.searchsorted(by_site[site].samples, common)]
        for site in sites
    ]
    return SiteMean(point, sites, np.stack(chosen, axis=1))
