"""First-order change of a generator under a Hamiltonian perturbation H_0 + δV; LRL section III.

L_1 = −i[V, ·] + Σ_j D_1^j, (20) and (23): the baths follow the perturbed eigenvectors (section
III A), and the rates the perturbed Bohr frequencies (section III C).

Redfield: Λ is a smooth function of H, Λ_lk = Γ(E_k − E_l) A_lk, and its derivative is made of
divided differences of Γ, with degenerate levels as without.

Davies: with G_mn = V_mn/(E_n − E_m) the eigenvectors turn as e^{δG}, and a transition operator
becomes A(ω) + δ([G, A(ω)] − [G, A]_ω), (16).  Which frequencies are equal is taken from H_0: a
perturbation that splits them at first order makes the dissipator jump (III C) and is refused,
one that splits them at higher orders, δ²/ν, is what the expansion in δ neglects.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.fock.couplings import Coupling, one_sided_rates
from manybody.physics.fock.half_form import (
    FockModel,
    HalfFormGenerator,
    build_redfield_equation,
    check_couplings,
)
from manybody.physics.fock.secular import (
    Elements,
    SecularGenerator,
    label_by_energies,
    label_rates,
    secular_parts,
)
from manybody.physics.models.matrices import dense_from
from manybody.physics.models.single_particle import HERMITICITY_TOLERANCE
from manybody.physics.response.rate_derivatives import rate_derivative
from manybody.physics.spectra import EPSILON, linked

EQUATIONS = ("redfield", "davies")
# First-order shifts below this share of ‖V‖ are rounding.
_SHIFT = 1e-10
# Shares of the width of the spectrum below which levels are equal, and below which divided
# differences of Γ lose more digits than derivatives half-way between.
_EQUAL = 1e-12
_CLOSE = 1e-5
# |⟨l|A|k⟩| below this share of the largest is rounding.
_ELEMENT = 1e-13


@dataclass(frozen=True, eq=False)
class RotatedDissipator:
    """D_1 of a Davies equation: [G, D_0ρ] − D_0[G, ρ] + D̃_1ρ.

    generator: D_0; rotation: (D, D) G, anti-Hermitian, in the occupation basis; changed: D̃_1,
    the change of rates and of the transition operators in the turned basis.
    """

    generator: SecularGenerator
    rotation: Complex
    changed: SecularGenerator

    def dissipate(self, coupling: int, sigma: NDArray[Any]) -> Complex:
        """D_1^j[σ] of one coupling."""
        inner = self.generator.dissipate(coupling, commutator(self.rotation, sigma))
        outer = commutator(self.rotation, self.generator.dissipate(coupling, sigma))
        return outer - inner + self.changed.dissipate(coupling, sigma)


@dataclass(frozen=True, eq=False)
class PerturbedGenerator:
    """L_0 and L_1 of L(δ) = L_0 + δL_1 + O(δ²).

    generator: L_0; perturbation: (D, D) V in the occupation basis, in J; change: D_1, None
    where the dissipator stays as it is; n_couplings: number of dissipators.
    """

    generator: HalfFormGenerator | SecularGenerator
    perturbation: Complex
    change: HalfFormGenerator | RotatedDissipator | None
    n_couplings: int

    def commute(self, sigma: NDArray[Any]) -> Complex:
        """−i[V, σ], what is left of L_1 without the baths."""
        return -1j * commutator(self.perturbation, sigma)

    def dissipate(self, coupling: int, sigma: NDArray[Any]) -> Complex:
        """D_1^j[σ] of one coupling, (17)."""
        if self.change is None:
            return np.zeros(np.shape(sigma), dtype=np.complex128)
        return self.change.dissipate(coupling, sigma)


def build_perturbed_generator(
    model: FockModel,
    couplings: Sequence[Coupling],
    perturbation: Any,
    equation: str = "davies",
    lamb_shift: bool = False,
    fixed_dissipator: bool = False,
) -> PerturbedGenerator:
    """L_0 and L_1 for H_0 + δV, by perturbation theory.

    model: H_0; perturbation: (D, D) Hermitian V, array or SciPy sparse array, in J.
    equation: "redfield" or "davies".
    fixed_dissipator: D_1 = 0, (36), when δV is small compared to the
        relaxation rates and leaves the eigenvectors alone.
    Raises TypeError or ValueError; the latter for a Davies equation whose Bohr frequencies or
    degenerate levels V splits, and where a rate has no derivative.
    """
    couplings = check_couplings(model, couplings, lamb_shift)
    arguments.choice("equation", equation, EQUATIONS)
    fixed = arguments.boolean("fixed_dissipator", fixed_dissipator)
    matrix = _checked_perturbation(perturbation, model.basis.dimension)
    if equation == "davies":
        generator, change = _davies(model, couplings, matrix, lamb_shift, fixed)
        return PerturbedGenerator(generator, matrix, change, len(couplings))
    half_form = build_redfield_equation(model, couplings, lamb_shift)
    terms = None if fixed else _redfield_change(model, couplings, matrix, lamb_shift)
    return PerturbedGenerator(half_form, matrix, terms, len(couplings))


def _checked_perturbation(value: Any, dimension: int) -> Complex:
    """`value` as a dense Hermitian matrix; TypeError or ValueError."""
    matrix = dense_from(value, "perturbation")
    if matrix.dtype.kind not in "iufc":
        raise InputTypeError(f"perturbation has dtype {matrix.dtype}: must be numeric")
    if matrix.shape != (dimension, dimension):
        raise InputError(
            f"perturbation has shape {matrix.shape}: must be ({dimension}, {dimension})"
        )
    size = np.abs(matrix).max()
    if not size <= arguments.LARGEST:
        raise InputError(f"perturbation contains {size:g}: all entries must be finite")
    deviation = np.abs(matrix - matrix.conj().T).max()
    if deviation > HERMITICITY_TOLERANCE * size:
        raise InputError(f"perturbation is not Hermitian: max |V - V†| = {deviation:.3g}")
    return np.asarray(0.5 * (matrix + matrix.conj().T), dtype=np.complex128)


def commutator(left: NDArray[Any], right: NDArray[Any]) -> Complex:
    """left · right − right · left."""
    return np.asarray(left @ right - right @ left, dtype=np.complex128)


# ---- Davies


def _davies(
    model: FockModel,
    couplings: Sequence[Coupling],
    perturbation: Complex,
    lamb_shift: bool,
    fixed: bool,
) -> tuple[SecularGenerator, RotatedDissipator | None]:
    """L_0 and D_1, both with the same labels of Bohr frequencies."""
    energies, vectors = model.eigensystem
    dimension = len(energies)
    turned = [
        vectors.conj().T @ (coupling.matrix(model.basis) @ vectors) for coupling in couplings
    ]
    elements = vectors.conj().T @ perturbation @ vectors
    rotation = np.zeros((dimension,) * 2) if fixed else _rotation(energies, elements)
    changes = [-commutator(rotation, matrix) for matrix in turned]
    # What V lets couple may fall on a frequency that is there already.
    labelled, verdict = label_by_energies(model, energies, [*turned, *changes], distinct=False)
    before, after = labelled[: len(turned)], labelled[len(turned) :]
    rates = [label_rates(e, c.bath, lamb_shift) for e, c in zip(before, couplings)]
    parts = [secular_parts(e, r, dimension) for e, r in zip(before, rates)]
    generator = _secular_generator(model, parts, verdict)
    if fixed:
        return generator, None
    shifts = np.diagonal(elements).real
    limit = _SHIFT * float(np.linalg.norm(elements, 2))
    changed = [
        _changed_parts(
            old, new, rate, _slopes(old, shifts, limit, coupling, lamb_shift), dimension
        )
        for old, new, rate, coupling in zip(before, after, rates, couplings)
    ]
    in_sites = vectors @ rotation @ vectors.conj().T
    return generator, RotatedDissipator(
        generator, in_sites, _secular_generator(model, changed, verdict)
    )


def _secular_generator(model: FockModel, parts: Sequence[Any], verdict: str) -> SecularGenerator:
    gains, losses = zip(*parts) if parts else ((), ())
    return SecularGenerator(model, *model.eigensystem, tuple(gains), tuple(losses), verdict)


def _rotation(energies: Real, elements: Complex) -> Complex:
    """(D, D) G_mn = V_mn/(E_n − E_m) between levels, zero within, in the eigenbasis.

    Raises ValueError when V splits a degenerate level.
    """
    size = float(np.linalg.norm(elements, 2))
    norm = float(np.abs(energies).max())
    levels = linked(energies, 8.0 * np.sqrt(len(energies)) * EPSILON * norm)
    same = levels[:, None] == levels[None, :]
    centres = np.bincount(levels, np.diagonal(elements).real) / np.bincount(levels)
    within = np.abs(np.where(same, elements, 0.0) - np.diag(centres[levels]))
    if within.max() > _SHIFT * size:
        worst = energies[np.unravel_index(within.argmax(), within.shape)[0]]
        raise InputError(
            f"the perturbation splits the degenerate level at E = {worst:g}: the Davies equation "
            "is not continuous there and has no linear response (LRL section III C)"
        )
    gaps = np.where(same, 1.0, energies[None, :] - energies[:, None])
    return np.where(same, 0.0, elements / gaps)


def _slopes(
    elements: Elements, shifts: Real, limit: float, coupling: Coupling, lamb_shift: bool
) -> NDArray[Any]:
    """dΓ/dδ = Γ'(ω) ω⁽¹⁾ of every label; ValueError when its frequencies move apart.

    shifts: (D,) E⁽¹⁾; limit: differences of them below it are rounding.
    """
    sizes = np.abs(elements.values)
    present = np.flatnonzero(sizes > _ELEMENT * sizes.max(initial=0.0))
    labels = elements.labels[present]
    moved = shifts[elements.sources[present]] - shifts[elements.targets[present]]
    slopes = np.zeros(len(elements.frequencies), dtype=np.complex128)
    scale = float(np.ptp(elements.frequencies)) or 1.0
    for label in np.unique(labels):
        own = moved[labels == label]
        omega = float(elements.frequencies[label])
        if np.ptp(own) > limit:
            raise InputError(
                f"the perturbation splits the Bohr frequency ω = {omega:g}, which {len(own)} "
                f"transitions share, by {np.ptp(own):.3g} δ: the Davies equation is not "
                "continuous at δ = 0 and has no linear response (LRL section III C)"
            )
        if np.abs(own).max() > limit:
            slopes[label] = own.mean() * rate_derivative(coupling.bath, omega, lamb_shift, scale)
    return slopes if lamb_shift else slopes.real


def _changed_parts(
    old: Elements, new: Elements, rates: NDArray[Any], slopes: NDArray[Any], dimension: int
) -> tuple[Any, Any]:
    """Gain and loss of D̃_1: the change A → A + δA_1 of the elements, and that of the rates.

    Both are quadratic in A: what is linear in A_1 is half of D(A + A_1) − D(A − A_1).
    """
    gain, loss = secular_parts(old, slopes, dimension)
    largest = float(np.abs(new.values).max(initial=0.0))
    if largest == 0.0:
        return gain, loss
    # Steps of the size of A itself: nothing is lost in the difference.
    step = float(np.abs(old.values).max(initial=0.0)) / largest
    if step == 0.0:
        return gain, loss
    for sign in (1.0, -1.0):
        stepped = replace(old, values=old.values + sign * step * new.values)
        more_gain, more_loss = secular_parts(stepped, rates, dimension)
        gain = gain + (0.5 * sign / step) * more_gain
        loss = loss + (0.5 * sign / step) * more_loss
    return gain, loss


# ---- Redfield


def _redfield_change(
    model: FockModel, couplings: Sequence[Coupling], perturbation: Complex, lamb_shift: bool
) -> HalfFormGenerator:
    """D_1ρ = Λ_1ρA† − A†Λ_1ρ + h.c."""
    energies, vectors = model.eigensystem
    elements = vectors.conj().T @ perturbation @ vectors
    terms = []
    for coupling in couplings:
        matrix = coupling.matrix(model.basis)
        turned = vectors.conj().T @ (matrix @ vectors)
        change = _filtered_change(energies, elements, turned, coupling, lamb_shift)
        terms.append(((vectors @ change @ vectors.conj().T, matrix),))
    return HalfFormGenerator(model, tuple(terms))


def _filtered_change(
    energies: Real, elements: Complex, turned: Complex, coupling: Coupling, lamb_shift: bool
) -> Complex:
    """(D, D) dΛ/dδ = Σ_m (V_lm Γ[l, m; k] A_mk + A_lm Γ[l; m, k] V_mk) in the eigenbasis.

    Γ[l, m; k] = (Γ(E_k − E_l) − Γ(E_k − E_m))/(E_l − E_m) and Γ[l; m, k] =
    (Γ(E_k − E_l) − Γ(E_m − E_l))/(E_k − E_m), ∓Γ' between levels that agree.
    """
    scale = float(energies[-1] - energies[0]) or 1.0
    rates = _Rates(coupling.bath, lamb_shift, scale)
    omega = energies[None, :] - energies[:, None]
    equal = np.abs(omega) <= _EQUAL * scale
    acting = np.abs(elements) > _ELEMENT * np.abs(elements).max(initial=0.0)
    seen = np.abs(turned) > _ELEMENT * np.abs(turned).max(initial=0.0)
    # Together, since what is needed of Γ' at ω = 0, where it may not exist, often cancels.
    inner = np.where(equal, elements, 0.0)
    moved = turned @ inner - inner @ turned
    limit = _SHIFT * np.abs(elements).max(initial=0.0) * np.abs(turned).max(initial=0.0)
    rows, columns = np.nonzero(np.abs(moved) > limit)
    change = np.zeros(turned.shape, dtype=np.complex128)
    change[rows, columns] = moved[rows, columns] * rates.slope(omega[rows, columns])
    others = acting & ~equal
    left, middle, right = np.nonzero(others[:, :, None] & seen[None, :, :])
    factor = -rates.divided_difference(omega[left, right], omega[middle, right])
    np.add.at(change, (left, right), elements[left, middle] * factor * turned[middle, right])
    left, middle, right = np.nonzero(seen[:, :, None] & others[None, :, :])
    factor = rates.divided_difference(omega[left, right], omega[left, middle])
    np.add.at(change, (left, right), turned[left, middle] * factor * elements[middle, right])
    return change


@dataclass(frozen=True, eq=False)
class _Rates:
    """Γ of one bath with its slopes and divided differences; scale: the width of the spectrum."""

    bath: Any
    lamb_shift: bool
    scale: float

    def slope(self, omega: Real) -> NDArray[Any]:
        """Γ'(ω) of (n,) frequencies."""
        unique, place = np.unique(omega, return_inverse=True)
        values = [rate_derivative(self.bath, w, self.lamb_shift, self.scale) for w in unique]
        return np.array(values, dtype=np.complex128)[place]

    def divided_difference(self, first: Real, second: Real) -> NDArray[Any]:
        """(Γ(ω) − Γ(ω'))/(ω − ω') of (n,) pairs, Γ' half-way between close ones."""
        gap = first - second
        close = np.abs(gap) <= _CLOSE * self.scale
        result = np.empty(len(gap), dtype=np.complex128)
        result[close] = self.slope(0.5 * (first + second)[close])
        apart = ~close
        values = [
            one_sided_rates(self.bath, np.ones(omega.shape), omega, self.lamb_shift)
            for omega in (first[apart], second[apart])
        ]
        result[apart] = (values[0] - values[1]) / gap[apart]
        return result
