"""Hamiltonian and couplings of many particles, in a basis of D states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import scipy.sparse as sp

from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.couplings import Couplings, checked_couplings
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.lattices import Lattice
from manybody.physics.models.matrices import matrix_from
from manybody.physics.models.single_particle import StoredHamiltonian


@dataclass(frozen=True, eq=False)
class Term:
    """A part of a Hamiltonian on a few sites.

    Attributes
    ----------
    sites : tuple of int
        The sites that it acts on.
    matrix : (D, D) SciPy CSR array
        The operator, in J.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.ising_chain(n_sites=4).terms[0].sites
    (0, 1)
    """

    sites: tuple[int, ...]
    matrix: sp.csr_array


@dataclass(frozen=True, eq=False)
class ManyBodyModel(StoredHamiltonian):
    """Any system of D states, each of its couplings A_j in contact with a bath of its own.

    Parameters
    ----------
    hamiltonian : (D, D) array
        Hermitian, energies in J: an array, a SciPy sparse array or an operator of another package
        such as a QuTiP `Qobj`.  Stored read-only, real if it has no imaginary part.
    couplings : (baths, D) array or sequence of (D, D) arrays
        Real diagonals of A_j in the basis of the Hamiltonian, or Hermitian A_j, what a Hamiltonian
        may be.  Diagonal ones are much cheaper: turn the basis so that they are.
    basis : FockBasis or None, default None
        Which occupations the states have, for what looks at sites (local observables, starts by
        pattern); None where they have none.
    name : str, default "many-body"
        What a report calls this model; no influence on the numbers.
    parameters : mapping, default {}
        What a report says of it; no influence on the numbers.
    uncertainty : float or None, default None
        ‖δH‖₂ in J, as of `SingleParticleModel`.
    lattice : Lattice or None, default None
        Where the sites lie, for what measures distances; no influence on the equations.
    terms : sequence of Term or None, default None
        The Hamiltonian as a sum, for what cuts patches out of it; None where not known.

    Raises
    ------
    InputError
        A matrix is not square, not finite or not Hermitian to 1e-12 of its largest entry, or
        sizes do not agree.

    Notes
    -----
    H_int = Σ_j A_j ⊗ B_j; docs/physics.md sections 3 and 10.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> h = np.diag([0.0, 1.0, 3.0]) + 0.2
    >>> model = mb.ManyBodyModel(h, couplings=[[1.0, 0.0, -1.0]])
    >>> model.dimension, model.couplings.n_baths
    (3, 1)
    """

    hamiltonian: Any
    couplings: Any
    basis: FockBasis | None = None
    name: str = "many-body"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    uncertainty: Any = None
    lattice: Lattice | None = None
    terms: Sequence[Term] | None = None

    def __post_init__(self) -> None:
        dimension = self._store(self.hamiltonian, "(D, D) with D >= 1")
        couplings = checked_couplings(_matrices(self.couplings), dimension)
        object.__setattr__(self, "couplings", couplings)
        _check_terms(self.terms, dimension)
        if self.basis is not None:
            arguments.instance("basis", self.basis, FockBasis)
            if self.basis.dimension != dimension:
                raise InputError(
                    f"basis has {self.basis.dimension} states, hamiltonian {dimension}"
                )
        if couplings.dimension != dimension:
            raise InputError(
                f"couplings are of {couplings.dimension} states, hamiltonian of {dimension}"
            )

    @property
    def n_sites(self) -> int:
        """Number of sites N of the basis, or of baths where there is none."""
        couplings: Couplings = self.couplings
        return couplings.n_baths if self.basis is None else self.basis.n_modes


def _check_terms(terms: Any, dimension: int) -> None:
    if terms is None:
        return
    if isinstance(terms, (str, bytes)) or not isinstance(terms, Sequence):
        raise InputTypeError(f"terms of type {type(terms).__name__}: a sequence of Term is needed")
    # What makes its terms when they are asked for makes the right ones.
    for term in terms if isinstance(terms, (list, tuple)) else ():
        if not isinstance(term, Term):
            raise InputTypeError(f"terms entry of type {type(term).__name__}: Term is needed")
        if term.matrix.shape != (dimension, dimension):
            raise InputError(
                f"terms on sites {term.sites}: shape {term.matrix.shape}, must be "
                f"({dimension}, {dimension})"
            )


def _matrices(couplings: Any) -> Any:
    """A sequence of operators as a list of matrices; everything else as it is."""
    if not isinstance(couplings, (list, tuple)):
        return couplings
    return [matrix_from(one, f"couplings[{index}]") for index, one in enumerate(couplings)]
