"""The Davies equation of many particles, by definition, in an eigenbasis of H.

dρ/dt = −i[H, ρ] + Σ_{j,ω} (Γ_j(ω) [A_j(ω) ρ A_j(ω)† − A_j(ω)†A_j(ω) ρ] + h.c.) with
A_j(ω) = Σ_{E_k − E_l = ω} |l⟩⟨l|A_j|k⟩⟨k|: the part (l, n) ← (k, m) with E_k − E_l = E_m − E_n of
the Redfield equation (docs/physics.md section 4; any A_j).  Which frequencies are equal is said by
labels.  For a quadratic H and couplings in the a_j they are those of the modes: c_m takes ω_m
whatever the D levels, so N numbers are compared and not D².
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.couplings import SiteProjectors
from manybody.physics.fock.basis import fock_rotation
from manybody.physics.fock.couplings import Coupling, one_sided_rates
from manybody.physics.fock.half_form import FockModel, check_couplings, check_dense
from manybody.physics.spectra import (
    AMBIGUOUS,
    EPSILON,
    SIMPLE,
    Clustering,
    Spectrum,
    cluster_bohr_frequencies,
    cluster_levels,
    give_cached,
    linked,
)
from manybody.physics.undecided import APART, MERGED, checked, warn_undecided

Index = NDArray[np.int64]

# Pairs of transitions of equal frequency, of all couplings together: 20 bytes each, and four
# times that while those of one coupling are sorted.
MAX_PAIRS = 40_000_000


@dataclass(frozen=True, eq=False)
class SecularGenerator:
    """Davies generator in the eigenbasis H = W diag(E) W†.

    energies: (D,) E; vectors: (D, D) W; gains: for every coupling the (D², D²) matrix of
    Σ_ω γ(ω) A(ω) ρ A(ω)† on the row-major vec in the eigenbasis; losses: for every coupling
    the (D, D) matrix K = Σ_ω Γ(ω) A(ω)†A(ω), of which K + K† decays and (K − K†)/2i shifts.
    clustering: verdict on the frequencies that labels compare, "ambiguous" where it cannot be
    decided which of them are equal (docs/physics.md sections 4 and 12).
    """

    model: FockModel
    energies: Real
    vectors: NDArray[Any]
    gains: tuple[sp.csr_array, ...]
    losses: tuple[sp.csr_array, ...]
    clustering: str = SIMPLE

    def apply(self, sigma: NDArray[Any]) -> Complex:
        """L[σ] of any (D, D) matrix in the occupation basis; complex-linear."""
        turned = self._to_energy(sigma)
        result = -1j * (self.energies[:, None] - self.energies) * turned
        return self._to_sites(result + _dissipated(self._gain, self._loss, turned))

    def dissipate(self, coupling: int, sigma: NDArray[Any]) -> Complex:
        """D_j[σ] of one coupling, with its Lamb shift if there is one."""
        turned = self._to_energy(sigma)
        return self._to_sites(_dissipated(self.gains[coupling], self.losses[coupling], turned))

    def toarray(self) -> Complex:
        """(D², D²) on the row-major vec, index a D + b.  Raises ValueError above 64 states."""
        matrix = self.dissipator()
        differences = self.energies[:, None] - self.energies
        matrix[np.diag_indices_from(matrix)] -= 1j * differences.ravel()
        turn = np.kron(self.vectors, self.vectors.conj())
        return np.asarray(turn @ matrix @ turn.conj().T)

    def dissipator(self) -> Complex:
        """(D², D²) L + i[H, ·] on the row-major vec in the eigenbasis of H; at most 64 states."""
        dimension = len(self.energies)
        check_dense(dimension)
        identity = sp.identity(dimension)
        matrix = self._gain - sp.kron(self._loss, identity) - sp.kron(identity, self._loss.conj())
        return np.asarray(matrix.toarray(), dtype=np.complex128)

    @cached_property
    def _gain(self) -> sp.csr_array:
        dimension = len(self.energies)
        return sum(self.gains, start=sp.csr_array((dimension**2,) * 2))

    @cached_property
    def _loss(self) -> sp.csr_array:
        dimension = len(self.energies)
        return sum(self.losses, start=sp.csr_array((dimension,) * 2))

    def _to_energy(self, sigma: NDArray[Any]) -> NDArray[Any]:
        turned: NDArray[Any] = self.vectors.conj().T @ np.asarray(sigma) @ self.vectors
        return turned

    def _to_sites(self, sigma: NDArray[Any]) -> Complex:
        return np.asarray(self.vectors @ sigma @ self.vectors.conj().T, dtype=np.complex128)


def _dissipated(gain: sp.csr_array, loss: sp.csr_array, sigma: NDArray[Any]) -> NDArray[Any]:
    """Σ γ A σ A† − Kσ − σK† in the eigenbasis."""
    gained = (gain @ sigma.ravel()).reshape(sigma.shape)
    change: NDArray[Any] = gained - loss @ sigma - (loss @ sigma.conj().T).conj().T
    return change


@dataclass(frozen=True, eq=False)
class Elements:
    """Elements ⟨l|A|k⟩ of one coupling, the label of each, and the frequency of each label.

    targets, sources, values, labels: (n,) l, k, ⟨l|A|k⟩ and label; frequencies: of every label.
    """

    targets: Index
    sources: Index
    values: NDArray[Any]
    labels: Index
    frequencies: Real


def build_davies_equation(
    model: FockModel,
    couplings: Sequence[Coupling],
    lamb_shift: bool = False,
    distinct: bool = False,
    undecided: str | None = None,
) -> SecularGenerator:
    """The Davies equation of any couplings; SNM eq. (11), below (18); docs/physics.md section 4.

    Which Bohr frequencies are equal is said by the modes of a quadratic H where all couplings are
    written in the a_j, else by the clustering rule of `spectra` on all differences of the D
    energies.
    distinct: keep all transitions between levels apart, which is wrong for every quadratic H of
        more than one particle: it shows what the secular approximation taken literally does.
    undecided: what to do with frequencies of which it cannot be decided whether they
        coincide: "apart" or "merged"; None keeps them apart with a warning.
    Raises ValueError when more than 40 million pairs of transitions coincide.
    """
    checked(undecided)
    couplings = check_couplings(model, couplings, lamb_shift)
    arguments.boolean("distinct", distinct)
    if model.is_quadratic and all(coupling.is_field for coupling in couplings):
        mode_energies, orbitals = model.modes
        energies = model.basis.occupations @ mode_energies
        vectors = fock_rotation(model.basis, orbitals)
        answer = APART if distinct else undecided
        elements, verdict = _label_by_modes(model, couplings, lamb_shift, answer)
        if distinct:
            elements, verdict = [_separate(each, energies) for each in elements], SIMPLE
    else:
        energies, vectors = model.eigensystem
        turned = [
            vectors.conj().T @ (coupling.matrix(model.basis) @ vectors) for coupling in couplings
        ]
        elements, verdict = label_by_energies(model, energies, turned, distinct, undecided)
    _check_pairs(elements)
    pairs = [
        secular_parts(each, label_rates(each, coupling.bath, lamb_shift), model.basis.dimension)
        for each, coupling in zip(elements, couplings)
    ]
    gains, losses = zip(*pairs) if pairs else ((), ())
    return SecularGenerator(model, energies, vectors, tuple(gains), tuple(losses), verdict)


def _label_by_modes(
    model: FockModel, couplings: Sequence[Coupling], lamb_shift: bool, undecided: str | None
) -> tuple[list[Elements], str]:
    """Elements in the basis of modes, labelled by the mode that they move, and the verdict of the
    clustering rule for levels.
    """
    energies, orbitals = model.modes
    fields = [coupling.operator.to_modes(orbitals) for coupling in couplings]
    spectrum = _spectrum_of(energies, np.zeros((len(energies),) * 2), model.uncertainties[0])
    clustering = cluster_levels(spectrum)
    verdict = clustering.verdict
    if verdict == AMBIGUOUS:
        merged = linked(energies, clustering.merging_tolerance)
        apart = linked(energies, clustering.tolerance)
        if not _modes_meet(fields, couplings, energies, apart, merged, lamb_shift):
            verdict = SIMPLE
        elif undecided is None:
            warn_undecided(clustering.undecided("levels"))
    tolerance = _chosen_tolerance(clustering, undecided)
    result = []
    for field in fields:
        groups, centres = _group(field.frequencies(energies), tolerance)
        targets, sources, values, indices = field.transitions(model.basis)
        result.append(Elements(targets, sources, values, groups[indices], centres))
    return result, verdict


def _modes_meet(
    fields: Sequence[Any],
    couplings: Sequence[Coupling],
    energies: Real,
    apart: NDArray[np.intp],
    merged: NDArray[np.intp],
    lamb_shift: bool,
) -> bool:
    """Whether Σ_j Γ_j v*_jm v_jn joins modes of one level that are of two when kept apart.

    With equal contacts on all sites it does not, the v_j being a unitary matrix.
    """
    between = (apart[:, None] != apart) & (merged[:, None] == merged)
    for creates in (False, True):
        joined, size = np.zeros((len(energies),) * 2, dtype=np.complex128), 0.0
        for field, coupling in zip(fields, couplings):
            if field.creates == creates:
                v = field.amplitudes
                rates = one_sided_rates(coupling.bath, v, field.frequencies(energies), lamb_shift)
                joined += v.conj()[:, None] * (v * rates)
                size = max(size, float((np.abs(v) ** 2 * np.abs(rates)).max()))
        if np.any(np.abs(joined[between]) > 64.0 * EPSILON * size):
            return True
    return False


def label_by_energies(
    model: FockModel,
    energies: Real,
    turned: Sequence[NDArray[Any]],
    distinct: bool,
    undecided: str | None = None,
) -> tuple[list[Elements], str]:
    """Elements in the eigenbasis of H, labelled by the clustering rule for all differences.

    Beside them the verdict of the rule.
    """
    dimension = len(energies)
    norms = [max(float(np.linalg.norm(matrix, 2)), 1e-300) for matrix in turned]
    # In units of the norm, as the rule for what is rounding has it.
    squares = sum((np.abs(m) / norm) ** 2 for m, norm in zip(turned, norms))
    weights = np.asarray(squares + np.zeros((dimension, dimension)))
    weights = weights + weights.T
    present = weights > dimension * (8.0 * EPSILON) ** 2
    np.fill_diagonal(present, True)
    targets, sources = np.nonzero(present)
    frequencies = energies[sources] - energies[targets]
    tolerance, verdict = 0.0, SIMPLE
    if not distinct:
        spectrum = _spectrum_of(energies, weights, model.uncertainty)
        clustering = cluster_bohr_frequencies(spectrum)[0]
        if clustering.verdict == AMBIGUOUS and undecided is None:
            warn_undecided(clustering.undecided())
        tolerance, verdict = _chosen_tolerance(clustering, undecided), clustering.verdict
    groups, merged = _group(frequencies, tolerance)
    elements = [
        Elements(targets, sources, matrix[targets, sources], groups, merged) for matrix in turned
    ]
    if distinct:
        elements = [_separate(each, energies) for each in elements]
    return elements, verdict


def _chosen_tolerance(clustering: Clustering, undecided: str | None) -> float:
    """Distance up to which frequencies are linked; what rounding alone separates always is."""
    return clustering.merging_tolerance if undecided == MERGED else clustering.tolerance


def _spectrum_of(energies: Real, weights: Real, uncertainty: float) -> Spectrum:
    """Levels whose jumps l ← k carry the weights (n, n) Σ_j |⟨l|A_j|k⟩|², for the rule."""
    n = len(energies)
    vectors = np.eye(n)
    norms, open_ = np.array([np.abs(energies).max()]), np.array([uncertainty])
    everywhere = SiteProjectors(np.ones(n, dtype=bool))
    spectrum = Spectrum(energies[None], vectors[None], norms, everywhere, open_)
    give_cached(spectrum, weights=weights[None])
    return spectrum


def _separate(elements: Elements, energies: Real) -> Elements:
    """The same elements, a label of its own for each but those of the diagonal, which share 0."""
    targets, sources = elements.targets, elements.sources
    keys = np.where(targets == sources, 0, 1 + targets * len(energies) + sources)
    unique, labels = np.unique(keys, return_inverse=True)
    frequencies = np.zeros(len(unique))
    frequencies[labels] = energies[sources] - energies[targets]
    return Elements(targets, sources, elements.values, labels, frequencies)


def _group(frequencies: Real, tolerance: float) -> tuple[Index, Real]:
    """Label of every frequency and the frequency of every label; the one that holds 0 is 0."""
    order = np.argsort(frequencies, kind="stable")
    ordered = frequencies[order]
    groups = np.empty(len(frequencies), dtype=np.int64)
    groups[order] = linked(ordered, tolerance)
    counts = np.bincount(groups)
    merged = np.bincount(groups, weights=frequencies) / counts
    merged[groups[frequencies == 0.0]] = 0.0
    return groups, merged


def _check_pairs(elements: Sequence[Elements]) -> None:
    """ValueError when the pairs of elements of one label do not fit into memory."""
    count = sum(
        int(np.sum(np.bincount(each.labels[each.values != 0]).astype(np.int64) ** 2))
        for each in elements
    )
    if count > MAX_PAIRS:
        raise InputError(
            f"{count} pairs of transitions share a Bohr frequency: at most {MAX_PAIRS} are allowed"
        )


def label_rates(elements: Elements, bath: Any, lamb_shift: bool) -> NDArray[Any]:
    """Γ(ω) of every label that has an element of A, see `one_sided_rates`."""
    largest = np.zeros(len(elements.frequencies))
    np.maximum.at(largest, elements.labels, np.abs(elements.values))
    return one_sided_rates(bath, largest, elements.frequencies, lamb_shift)


def secular_parts(
    elements: Elements, rates: NDArray[Any], dimension: int
) -> tuple[sp.csr_array, sp.csr_array]:
    """Σ_ω γ(ω) A(ω) ρ A(ω)† on the row-major vec, and K = Σ_ω Γ(ω) A(ω)†A(ω).

    rates: Γ of every label.  Both from the same pairs of elements, so that the trace is kept
    to rounding.
    """
    present = np.flatnonzero(elements.values)
    order = present[np.argsort(elements.labels[present], kind="stable")]
    targets, sources = elements.targets[order], elements.sources[order]
    values, labels = elements.values[order], elements.labels[order]
    if len(order) == 0:
        return sp.csr_array((dimension**2,) * 2), sp.csr_array((dimension,) * 2)
    sizes = np.bincount(labels, minlength=len(elements.frequencies))
    starts = np.cumsum(sizes) - sizes
    # Every element p with every element q of its label.
    partners = sizes[labels]
    p = np.repeat(np.arange(len(order)), partners)
    q = np.arange(len(p)) - np.repeat(np.cumsum(partners) - partners, partners)
    q += starts[labels[p]]
    products = values[p] * values[q].conj()
    gain = sp.csr_array(
        (
            2.0 * rates.real[labels[p]] * products,
            (targets[p] * dimension + targets[q], sources[p] * dimension + sources[q]),
        ),
        shape=(dimension**2,) * 2,
    )
    same = targets[p] == targets[q]
    p, q, products = p[same], q[same], products[same]
    loss = sp.csr_array(
        (rates[labels[p]] * products, (sources[q], sources[p])), shape=(dimension,) * 2
    )
    return gain, loss
