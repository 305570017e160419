"""Local figures of a point: averages over samples of what blocks keep of sites and pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.report.analysis.statistics import Summary, summarise

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class LocalFigure:
    """A local figure of two equations as a report shows it.

    name: its dataset; words: in lines of text; label: of an axis, LaTeX; is_signed: whether the
    dataset has a sign, of which averages take the absolute value; is_judged: whether its
    maximum gets a verdict.
    """

    name: str
    words: str
    label: str
    is_signed: bool = False
    is_judged: bool = False


ONE_SITE = LocalFigure(
    "one_site_largest", "one site", r"$\max_j \|\delta\rho_j(t)\|_1$", is_judged=True
)
TWO_SITES = LocalFigure(
    "two_site_largest", "two sites", r"$\max_{ij} \|\delta\rho_{ij}(t)\|_1$", is_judged=True
)
DENSITY = LocalFigure(
    "density_largest", "density", r"$\max_j |\delta\langle n_j \rangle|$", is_judged=True
)
ENERGY = LocalFigure(
    "energy_difference",
    "energy a site",
    r"$|\delta\langle H \rangle| / N\;\;[J]$",
    is_signed=True,
    is_judged=True,
)
FIGURES = (
    ONE_SITE,
    LocalFigure("one_site_mean", "one site, mean", r"mean $\|\delta\rho_j(t)\|_1$"),
    TWO_SITES,
    LocalFigure("two_site_mean", "two sites, mean", r"mean $\|\delta\rho_{ij}(t)\|_1$"),
    DENSITY,
    ENERGY,
)
JUDGED = tuple(figure for figure in FIGURES if figure.is_judged)
# Its dataset in every block that has any of the others.
_MARK = ONE_SITE.name


def has_local(arrays: Arrays) -> bool:
    """Whether the arrays of a point have local figures."""
    return _MARK in arrays


def local_curves(arrays: Arrays, figure: LocalFigure, pair: int = 0) -> Real:
    """(samples, T) of a local figure of one pair of equations; absolute values of a signed one."""
    values: Real = arrays[figure.name][:, pair]
    return np.abs(values) if figure.is_signed else values


def local_summaries(arrays: Arrays, times: Real, seed: int) -> dict[str, Summary]:
    """Averages of the local figures of the first two equations, by dataset.

    As those of the trace distance: max over t of the mean over samples, and its bootstrap.
    Empty without local figures; one that is not defined (pairs of sites where there is one
    site) is left out.
    """
    if not has_local(arrays):
        return {}
    curves = {figure.name: local_curves(arrays, figure) for figure in FIGURES}
    return {
        name: summarise(values, times, seed)
        for name, values in curves.items()
        if np.isfinite(values).all()
    }
