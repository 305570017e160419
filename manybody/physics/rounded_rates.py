"""What rounding of H leaves open of the rates that decide the long run of a sample."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics.bath_groups import BathGroup
from manybody.physics.commutant import find_commutant
from manybody.physics.couplings import SiteProjectors
from manybody.physics.equations.redfield import RedfieldGenerator
from manybody.physics.fock.rate_equations import stationary_populations
from manybody.physics.spectra import EPSILON, Spectrum, degeneracy_tolerance
from manybody.physics.stationary import Decomposition, by_rates, decompose, same_levels

# Numbers below have lost digits to gradual underflow, or are about to.
_UNDERFLOW = 1e-290
# Error in trace norm up to which Gibbs stands for the stationary state of Davies.
_GIBBS = 1e-6


def by_rates_at(parts: Decomposition, generator: RedfieldGenerator, beta: float) -> Decomposition:
    """`by_rates` of baths of inverse temperature β.

    parts: by H alone; generator: on its spectrum.  What commutes with all jumps tells what does
    not decay where every jump has its reverse.  At T = 0 none has: the decomposition then is
    complete only where all ends in one ground state (`empties`).  Nor is it where one bath jumps
    between levels at which γ of another vanishes: which bath sees what is not looked at.
    """
    found = by_rates(parts, generator.rates[0])
    if beta == math.inf:
        is_complete = empties(found.spectrum, generator.groups)
    else:
        is_complete = _vanish_alike(found.spectrum, generator.groups)
        if math.isnan(beta) and is_complete and _is_one_way(generator.groups):
            is_complete = _returns(found, generator)
    return found if is_complete else replace(found, is_complete=False)


def _vanish_alike(spectrum: Spectrum, groups: Sequence[BathGroup]) -> bool:
    """Whether all baths that are coupled have jumps, one way or the other, between the same
    levels.

    Where none coincide γ(0) tells nothing: every level keeps its own.
    """
    energies = spectrum.energies[0]
    asked = np.ones((len(energies),) * 2, dtype=bool)
    if len(np.unique(energies)) == len(energies):
        np.fill_diagonal(asked, False)
    first, *others = (
        (np.maximum(group.rates[0].real, group.rates[0].real.T) > 0.0)[asked]
        for group in groups
        if group.factors.any()
    )
    return all(np.array_equal(own, first) for own in others)


def _is_one_way(groups: Sequence[BathGroup]) -> bool:
    """Whether a bath jumps between two levels in one direction alone, as at T = 0."""
    found = (group.rates[0].real > 0.0 for group in groups if group.factors.any())
    return any(not np.array_equal(own, own.T) for own in found)


def _returns(parts: Decomposition, generator: RedfieldGenerator) -> bool:
    """Whether jumps of all baths lead from every level of a component to every other.

    No levels coincide then: the stationary state has all populations, and what commutes with
    the jumps and their adjoints is all that does not decay (Frigerio 1978).
    """
    energies = parts.spectrum.energies[0]
    if len(np.unique(energies)) < len(energies) or parts.dark.any():
        return False
    if parts.spectrum is not generator.spectrum:
        return False
    count, labels = connected_components(
        csr_array(generator.jumps[0] > 0.0), directed=True, connection="strong"
    )
    return bool(count == parts.n_components and len(np.unique(labels)) == count)


def empties(spectrum: Spectrum, groups: Sequence[BathGroup]) -> bool:
    """Whether jumps that give energy away leave every state but one, the lowest level.

    Then that level is the only stationary state of Davies where no jump takes energy up, and
    nothing else lasts: R_E = Σ_{j, E' < E} γ_j(E − E') Π_E A_j Π_E' A_j Π_E, the rates at which
    the states of a level E are left, has no eigenvalue 0 but for the lowest E.  Where it has one,
    its state is stationary too.

    spectrum: of a `Decomposition` of one sample, equal energies equal to the last bit; groups:
    the couplings by their bath, on these energies.  Single levels are left by sums of positive
    terms, seen however small; degenerate ones to rounding.
    """
    energies, vectors = spectrum.energies[0], spectrum.vectors
    falls = spectrum.bohr_frequencies[0] > 0.0
    leaving = np.zeros(len(energies))
    decay = np.zeros(vectors.shape[1:], dtype=vectors.dtype)
    _, first, sizes = np.unique(energies, return_index=True, return_counts=True)
    for group in groups:
        down = np.where(falls, group.rates[0].real, 0.0)
        weights = _weights_on(spectrum, group)
        with np.errstate(under="ignore"):
            visible = np.where(weights > _invisible(spectrum), weights, 0.0)
            leaving += np.einsum("lk,lk->k", down, visible)
            if sizes.max() > 1:
                decay = decay + group.couplings.decay(vectors, down[None])[0]
    # Energies ascend.
    if sizes[0] > 1 or np.any(leaving[first[sizes == 1][1:]] == 0.0):
        return False
    rounding = 8.0 * spectrum.dimension * EPSILON * float(np.abs(decay).max())
    for start, size in zip(first[sizes > 1], sizes[sizes > 1]):
        level = vectors[0][:, start : start + size]
        rates = level.conj().T @ decay @ level
        if not np.linalg.eigvalsh(0.5 * (rates + rates.conj().T))[0] > rounding:
            return False
    return True


def _weights_on(spectrum: Spectrum, group: BathGroup) -> Real:
    """(D, D) O_lk of a group in these eigenvectors, which need not be its own."""
    every = spectrum.weights if group.is_alone else group.couplings.overlaps(spectrum.vectors)[0]
    weights: Real = every[0]
    return weights


def hangs_on_hidden_rates(parts: Decomposition, groups: Sequence[BathGroup]) -> bool:
    """Whether Davies relaxes within components only by rates that rounding hides.

    parts: by rates; groups: the couplings by their bath, on its energies.  Left without rates
    below 8ε‖H‖, a component has several sets of levels that are never left, or a degenerate
    level with states that no jump touches: nobody waits for what t → ∞ brings.  False where
    parts are not complete.
    """
    if not parts.is_complete:
        return False
    spectrum = parts.spectrum
    energies = spectrum.energies[0]
    with np.errstate(under="ignore"):
        each = [group.rates[0].real * _weights_on(spectrum, group) for group in groups]
        moves: Real = 2.0 * np.sum(each, axis=0)
    floor = 8.0 * EPSILON * max(float(moves.max()), float(spectrum.norms[0]))
    bright = np.flatnonzero(~parts.dark)
    keys = np.stack([energies[bright], parts.components[bright]])
    _, units = np.unique(keys, axis=1, return_inverse=True)
    units = units.ravel()
    several = np.flatnonzero(np.bincount(units, minlength=1) > 1)
    if not isinstance(spectrum.couplings, SiteProjectors):
        if several.size and not _relaxes_visibly(parts, moves, units, floor):
            return True
    else:
        seen = spectrum.vectors[0][spectrum.coupled]
        for unit in several:
            members = bright[units == unit]
            leaving = np.empty(len(seen))
            visible = np.abs(seen) ** 2
            for group in groups:
                sums = visible[group.members] @ group.rates[0].real[:, members[0]]
                leaving[group.members] = group.factors**2 * sums
            if not _is_left(seen[:, members], 2.0 * leaving, floor, spectrum):
                return True
    rows, columns = np.nonzero(moves[np.ix_(bright, bright)] > floor)
    size = int(units.max(initial=-1)) + 1
    if size == 0:
        return False
    graph = csr_array((np.ones(len(rows)), (units[columns], units[rows])), shape=(size, size))
    count, labels = connected_components(graph, directed=True, connection="strong")
    is_left = np.zeros(count, dtype=bool)
    crossing = labels[units[columns]] != labels[units[rows]]
    is_left[labels[units[columns[crossing]]]] = True
    return bool(np.count_nonzero(~is_left) > parts.n_components)


def _relaxes_visibly(
    parts: Decomposition, moves: Real, units: NDArray[np.intp], floor: float
) -> bool:
    """Whether jumps between levels above `floor` alone take no more apart than all of them.

    moves: (D, D) rates in J; units: (D,) index of the level in its component.
    """
    spectrum = parts.spectrum
    place = np.zeros((int(units.max()) + 1, len(units)))
    place[units, np.arange(len(units))] = 1.0
    visible = (place @ moves @ place.T > floor)[np.ix_(units, units)]
    found = find_commutant(spectrum, spectrum.energies[0], visible | visible.T)
    return found.is_commutative and found.count == parts.n_components


def _is_left(seen: NDArray[Any], leaving: Real, floor: float, spectrum: Spectrum) -> bool:
    """Whether jumps that are seen lead out of, or dephase, every state of a degenerate level.

    seen: (n, m) ⟨j|k⟩ of the sites on the bright part of a level; leaving: (n,) Σ_l γ P_jl in J.
    """
    invisible = 100.0 * np.sqrt(spectrum.dimension) * EPSILON
    rows = seen[np.sum(np.abs(seen) ** 2, axis=1) * leaving > floor]
    sizes = np.linalg.svd(rows, compute_uv=False)
    return bool(np.count_nonzero(sizes > invisible) == seen.shape[1])


def lies_on_edge(spectrum: Spectrum, edges: tuple[float, ...]) -> float | None:
    """A Bohr frequency that rounding of H could move across one of `edges`, or None."""
    omega = np.abs(spectrum.bohr_frequencies[0])
    visible = spectrum.weights[0] > _invisible(spectrum)
    for edge in edges:
        near = visible & (np.abs(omega - edge) <= degeneracy_tolerance(spectrum))
        if edge > 0.0 and near.any():
            return float(omega[near][0])
    return None


def has_hidden_splitting(parts: Decomposition, rates: NDArray[Any]) -> bool:
    """Whether levels are told apart by less than Redfield makes visible.

    Levels δ ≪ γ apart hold a near-dark combination, which decays as δ²/γ: below rounding of L
    for δ < √(γ ε‖H‖).  rates: (N, N) Γ(E_k − E_l).
    """
    spectrum = parts.spectrum
    largest = 2.0 * float(np.max(rates.real * spectrum.weights[0]))
    reach = float(np.sqrt(largest * EPSILON * float(spectrum.norms[0])))
    if largest == 0.0 or not parts.is_complete or np.all(np.diff(spectrum.energies[0]) > reach):
        return False
    # What is seen of a level with the amplitude a relaxes as γa².
    resolution = max(reach, degeneracy_tolerance(spectrum)), reach / largest
    return not same_levels(decompose(spectrum, resolution=resolution), parts)


def detailed_balance_error(spectrum: Spectrum, rates: NDArray[Any], beta: float) -> float:
    """Largest |γ(ω) e^{−βω} − γ(−ω)| / γ(ω) over the jumps of a sample; inf for γ(ω) = 0 alone,
    and for β = nan, where the bath has no temperature.

    rates: (N, N) Γ(E_k − E_l) of a stack of one.  Populations in a chain of N levels are
    wrong by at most N times that, relative to their size.
    """
    if math.isnan(beta):
        return math.inf
    omega = spectrum.bohr_frequencies[0]
    falls = (omega > 0.0) & (spectrum.weights[0] > _invisible(spectrum))
    emission, absorption = 2.0 * rates.real[falls], 2.0 * rates.real.T[falls]
    with np.errstate(under="ignore", divide="ignore", invalid="ignore"):
        wrong = np.abs(emission * np.exp(-beta * omega[falls]) - absorption)
        # What is next to underflow has no digits.
        relative = np.where(wrong <= _UNDERFLOW, 0.0, wrong / emission)
    return float(relative.max(initial=0.0))


def _invisible(spectrum: Spectrum) -> float:
    """Weights up to this are rounding of the eigenvectors."""
    rounding = (100.0 * EPSILON) ** 2 * spectrum.dimension
    if isinstance(spectrum.couplings, SiteProjectors):
        return rounding
    return rounding * float(spectrum.weights[0].max())


def is_balanced(generator: RedfieldGenerator) -> bool:
    """Whether every bath at its own β leaves its Gibbs alone, to 1e-6 in trace norm.

    No jump is then without its reverse.
    """
    spectrum = generator.spectrum
    errors = [
        detailed_balance_error(spectrum, group.rates[0], group.bath.beta)
        for group in generator.groups
    ]
    return spectrum.dimension * max(errors) <= _GIBBS


def is_known_from_h(
    parts: Decomposition, by_rate: Decomposition, generator: RedfieldGenerator
) -> bool:
    """Whether rates leave alone what H leaves alone, and nothing flows one way only.

    generator: on the spectrum of `parts`.
    """
    return same_levels(parts, by_rate) and is_balanced(generator)


def balance_of_rates(generator: RedfieldGenerator, parts: Decomposition) -> list[Real] | None:
    """(D,) stationary populations of every component by the rate equation; None where unknown.

    generator: on the spectrum of `parts`, the decomposition by its rates.  For baths of several
    temperatures, or without one.  Sums of positive terms only, so that each population has all
    digits that the rates have.  Unknown where levels coincide, which coherences then may tie
    together, and where a level has no way down.
    """
    energies = parts.spectrum.energies[0]
    if not parts.is_complete or len(np.unique(energies)) < len(energies):
        return None
    jumps, found = generator.jumps[0], []
    np.fill_diagonal(jumps, 0.0)
    for index in range(parts.n_components):
        own = np.flatnonzero(parts.components == index)
        populations = np.zeros(len(energies))
        try:
            populations[own] = stationary_populations(jumps[np.ix_(own, own)])
        except InputError:
            return None
        found.append(populations)
    return found
