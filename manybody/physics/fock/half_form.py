"""The Redfield equation of many particles, by definition.

On any (D, D) matrix σ: L[σ] = X(σ) + X(σ†)† with the half form X(σ) = Mσ + Σ Λ σ A†,
M = −iH − Σ A†Λ, Λ = Σ Γ(E_k − E_l) |l⟩⟨l|A|k⟩⟨k| (SNM eqs. (9) and (18), docs/physics.md
section 3; A need not be Hermitian).  For a quadratic H and a coupling written in the a_j, Λ
follows from h alone and stays sparse; for any other it takes the D eigenvectors of H.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis, one_body_operator
from manybody.physics.fock.couplings import Coupling, one_sided_rates
from manybody.physics.models.single_particle import (
    HERMITICITY_TOLERANCE,
    SingleParticleModel,
    data_uncertainty,
)

# Λ, A
Term = tuple[Any, sp.csr_array]

# A dense Liouvillian of that many states has 16 D⁴ bytes, 268 MB.
MAX_STATES = 64


@dataclass(frozen=True, eq=False)
class FockModel:
    """H = Σ h_jk a_j†a_k + an interaction, in an occupation basis.

    basis: of one particle number or of every; one_body: (N, N) Hermitian h, energies in J.
    interaction: (D, D) Hermitian, array or SciPy sparse array; None for none.
    uncertainties: ‖δ·‖₂ of both in J, or None for what their numbers leave open, see
        `SingleParticleModel`.  Raises TypeError or ValueError.
    """

    basis: FockBasis
    one_body: Any
    interaction: Any = None
    uncertainties: Any = None

    def __post_init__(self) -> None:
        arguments.instance("basis", self.basis, FockBasis)
        single = SingleParticleModel(self.one_body)
        matrix, uncertainties = single.dense_hamiltonian(), (single.uncertainty, 0.0)
        if len(matrix) != self.basis.n_modes:
            raise InputError(f"one_body is of {len(matrix)} modes, basis of {self.basis.n_modes}")
        object.__setattr__(self, "one_body", matrix)
        if self.interaction is not None:
            uncertainties = (single.uncertainty, self._check_interaction())
        if self.uncertainties is not None:
            uncertainties = _checked_uncertainties(self.uncertainties)
        object.__setattr__(self, "uncertainties", uncertainties)

    def _check_interaction(self) -> float:
        """‖δV‖₂ that the numbers of the interaction leave open; stores it as CSR."""
        interaction = sp.csr_array(self.interaction)
        if interaction.shape != (self.basis.dimension,) * 2:
            raise InputError(
                f"interaction has shape {interaction.shape}: must be "
                f"({self.basis.dimension}, {self.basis.dimension})"
            )
        asymmetry = abs(interaction - interaction.conj().T)
        deviation = float(asymmetry.max())
        if not deviation <= HERMITICITY_TOLERANCE * float(abs(interaction).max()):
            raise InputError(f"interaction is not Hermitian: max |V - V†| = {deviation:.3g}")
        object.__setattr__(self, "interaction", interaction)
        return data_uncertainty(interaction, interaction.astype(np.complex128), asymmetry)

    @property
    def uncertainty(self) -> float:
        """‖δH‖₂ of the whole H: one-body terms act on every particle."""
        of_one, of_two = self.uncertainties
        if of_one == 0.0:
            return float(of_two)
        return float(of_one * self.basis.occupations.sum(axis=1).max() + of_two)

    @property
    def is_quadratic(self) -> bool:
        """Whether h alone gives the spectrum: no interaction, and no sector cut."""
        return self.interaction is None and self.basis.is_complete

    @cached_property
    def hamiltonian(self) -> sp.csr_array:
        """H as CSR, (D, D)."""
        result = one_body_operator(self.basis, self.one_body)
        return result if self.interaction is None else sp.csr_array(result + self.interaction)

    @cached_property
    def modes(self) -> tuple[Real, NDArray[Any]]:
        """ω (N,) and V (N, N) of h = V diag(ω) V†, SNM eqs. (1) and (2)."""
        energies, orbitals = np.linalg.eigh(self.one_body)
        return energies, orbitals

    @cached_property
    def eigensystem(self) -> tuple[Real, NDArray[Any]]:
        """Energies (D,) and eigenvectors (D, D) of H."""
        energies, vectors = np.linalg.eigh(self.hamiltonian.toarray())
        return energies, vectors


@dataclass(frozen=True, eq=False)
class HalfFormGenerator:
    """L[σ] = X(σ) + X(σ†)†, X(σ) = Mσ + Σ Λ σ A†, with all Λ and A as matrices.

    model: gives H; terms: for every coupling the pairs (Λ, A) that belong to it.
    """

    model: FockModel
    terms: tuple[tuple[Term, ...], ...]

    @property
    def energies(self) -> Real:
        """(D,) E of H = W diag(E) W†."""
        return self.model.eigensystem[0]

    @property
    def vectors(self) -> NDArray[Any]:
        """(D, D) W."""
        return self.model.eigensystem[1]

    @cached_property
    def local(self) -> Any:
        """(D, D) M = −iH − Σ A†Λ."""
        return sum(map(_decay, self.terms), start=-1j * self.model.hamiltonian)

    def apply(self, sigma: NDArray[Any]) -> Complex:
        """L[σ] of any (D, D) matrix; complex-linear."""
        turned = np.ascontiguousarray(np.asarray(sigma).conj().T)
        everything = [term for terms in self.terms for term in terms]
        return self._whole(self.local, everything, np.asarray(sigma), turned)

    def dissipate(self, coupling: int, sigma: NDArray[Any]) -> Complex:
        """D_j[σ] = Λ σ A† − A†Λ σ + h.c. of one coupling, with its Lamb shift if there is one."""
        terms = self.terms[coupling]
        turned = np.ascontiguousarray(np.asarray(sigma).conj().T)
        return self._whole(_decay(terms), terms, np.asarray(sigma), turned)

    def dissipator(self) -> Complex:
        """(D², D²) L + i[H, ·] on the row-major vec in the eigenbasis of H; at most 64 states."""
        dimension, vectors = self.model.basis.dimension, self.vectors
        decay = sum(map(_decay, self.terms), start=np.zeros((dimension,) * 2))
        whole = self._matrix(decay).reshape((dimension,) * 4)
        # Site by site index: a D⁴ array takes no product of D² x D² matrices.
        for turn in (vectors.conj(), vectors, vectors, vectors.conj()):
            whole = np.tensordot(whole, turn, axes=(0, 0))
        return whole.reshape((dimension**2,) * 2)

    def toarray(self) -> Complex:
        """(D², D²) on the row-major vec, index a D + b.  Raises ValueError above 64 states."""
        return self._matrix(self.local)

    def _matrix(self, local: Any) -> Complex:
        """`toarray` with any matrix in place of M."""
        dimension = self.model.basis.dimension
        check_dense(dimension)
        identity, local = sp.identity(dimension), sp.csr_array(local)
        # AρB is kron(A, Bᵀ).
        result = sp.kron(local, identity) + sp.kron(identity, local.conj())
        for terms in self.terms:
            for dense, operator in terms:
                filtered = sp.csr_array(dense)
                result = result + sp.kron(filtered, operator.conj())
                result = result + sp.kron(operator, filtered.conj())
        return np.asarray(result.toarray(), dtype=np.complex128)

    def _whole(
        self, local: Any, terms: Sequence[Term], sigma: NDArray[Any], turned: NDArray[Any]
    ) -> Complex:
        """X(σ) + X(σ†)†, turned = σ†."""
        here, there = local @ sigma, local @ turned
        for filtered, operator in terms:
            # σA† = (Aσ†)†: the sparse factor stays on the left.
            here = here + filtered @ (operator @ turned).conj().T
            there = there + filtered @ (operator @ sigma).conj().T
        return np.asarray(here + there.conj().T, dtype=np.complex128)


def build_redfield_equation(
    model: FockModel, couplings: Sequence[Coupling], lamb_shift: bool = False
) -> HalfFormGenerator:
    """The Redfield equation of any couplings; SNM eqs. (9) and (18), docs/physics.md section 3.

    Raises TypeError or ValueError for couplings that do not fit the basis or whose bath has
    an infinite rate where it is needed.
    """
    couplings = check_couplings(model, couplings, lamb_shift)
    return HalfFormGenerator(
        model, tuple((_filtered(model, each, lamb_shift),) for each in couplings)
    )


def check_couplings(
    model: object, couplings: Sequence[Coupling], lamb_shift: object
) -> list[Coupling]:
    """`couplings` as a list that fits the model.  Raises TypeError or ValueError."""
    arguments.instance("model", model, FockModel)
    assert isinstance(model, FockModel)
    arguments.boolean("lamb_shift", lamb_shift)
    checked = list(couplings)
    for coupling in checked:
        arguments.instance("coupling", coupling, Coupling)
        coupling.matrix(model.basis)
    return checked


def _checked_uncertainties(value: Any) -> tuple[float, float]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise InputTypeError(f"uncertainties = {value!r}: two real numbers are needed")
    of_one, of_two = (arguments.real("uncertainties entry", v, minimum=0.0) for v in value)
    return of_one, of_two


def check_dense(dimension: int) -> None:
    """ValueError when a dense Liouvillian of that many states would not fit."""
    if dimension > MAX_STATES:
        raise InputError(
            f"{dimension} states: a dense Liouvillian has 16 D⁴ bytes, "
            f"allowed are at most {MAX_STATES} states"
        )


def _decay(terms: Sequence[Term]) -> Any:
    """(D, D) −Σ A†Λ."""
    return sum(-(operator.conj().T @ filtered) for filtered, operator in terms)


def _filtered(model: FockModel, coupling: Coupling, lamb_shift: bool) -> Term:
    """Λ and A of one coupling."""
    matrix = coupling.matrix(model.basis)
    if coupling.is_field and model.is_quadratic:
        energies, orbitals = model.modes
        field = coupling.operator.to_modes(orbitals)
        rates = one_sided_rates(
            coupling.bath, field.amplitudes, field.frequencies(energies), lamb_shift
        )
        return field.times(rates).to_sites(orbitals).operator(model.basis), matrix
    energies, vectors = model.eigensystem
    elements = vectors.conj().T @ (matrix @ vectors)
    rates = one_sided_rates(
        coupling.bath, elements, energies[None, :] - energies[:, None], lamb_shift
    )
    return vectors @ (rates * elements) @ vectors.conj().T, matrix
