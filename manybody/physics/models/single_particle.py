"""Hamiltonian and couplings in the single-particle sector.

SNM is a paper that docs/physics.md names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import ReadOnly
from manybody.errors import InputError, InputTypeError, shown
from manybody.physics import arguments
from manybody.physics.couplings import SiteProjectors
from manybody.physics.models.lattices import Lattice
from manybody.physics.models.matrices import matrix_from

Seed = int | Sequence[int] | np.random.Generator

# A Hamiltonian that a user typed or computed is Hermitian up to rounding; more
# than this, relative to its largest entry, is a mistake and not rounding.
HERMITICITY_TOLERANCE = 1e-12
_DOUBLE = float(np.finfo(np.float64).eps)


class StoredHamiltonian(ReadOnly):
    """What models of one particle and of many have in common: H as an array or CSR, read-only."""

    hamiltonian: Any
    uncertainty: Any
    name: str
    parameters: Mapping[str, Any]
    lattice: Lattice | None

    def _store(self, given: Any, shape: str) -> int:
        """Keep H, ‖δH‖₂ and the parameters, all checked; the number of states."""
        arguments.instance("name", self.name, str)
        if not callable(getattr(self.lattice, "distances", None)) and self.lattice is not None:
            raise InputTypeError(f"lattice = {shown(self.lattice)}: needs a method distances()")
        matrix, uncertainty = checked_hamiltonian(given, shape)
        if self.uncertainty is not None:
            uncertainty = arguments.real("uncertainty", self.uncertainty, minimum=0.0)
        arguments.instance("parameters", self.parameters, Mapping)
        parameters = MappingProxyType(dict(self.parameters))
        for key, value in zip(
            ("hamiltonian", "uncertainty", "parameters"), (matrix, uncertainty, parameters)
        ):
            object.__setattr__(self, key, value)
        return int(matrix.shape[0])

    def __getstate__(self) -> dict[str, Any]:
        # A view of a mapping does not travel.
        return {**vars(self), "parameters": dict(self.parameters)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "parameters": MappingProxyType(state["parameters"])})

    @property
    def dimension(self) -> int:
        """Number of states D; of sites, for one particle."""
        return int(self.hamiltonian.shape[0])

    @property
    def is_real(self) -> bool:
        """True when H has no imaginary part in the working basis."""
        return not np.iscomplexobj(self.hamiltonian)

    def dense_hamiltonian(self) -> NDArray[Any]:
        """Dense H, a fresh array for sparse models.

        Returns
        -------
        (D, D) array
            Real or complex, in J.
        """
        given = self.hamiltonian
        dense: NDArray[Any] = given.toarray() if sp.issparse(given) else given
        return dense


@dataclass(frozen=True, eq=False)
class SingleParticleModel(StoredHamiltonian):
    """One particle hopping on N sites, the density of each coupled site in contact with a bath.

    H = Σ_jk h_jk a_j† a_k restricted to one particle, so H is the matrix h, and
    A_j = a_j† a_j = |j⟩⟨j|.

    Parameters
    ----------
    hamiltonian : (N, N) array
        Hermitian, energies in J: an array or a SciPy sparse array.  Stored read-only, real if it
        has no imaginary part.
    coupled_sites : sequence of int or None, default None
        Indices of the sites with a bath, in [0, N); None means all.
    name : str, default "single-particle"
        What a report calls this model; no influence on the numbers.
    parameters : mapping, default {}
        What a report says of it; no influence on the numbers.
    uncertainty : float or None, default None
        ‖δH‖₂ in J, how far the H that is meant may be from `hamiltonian`; None for what the
        numbers that came in say, see Notes.
    lattice : Lattice or None, default None
        Where the sites lie, for what measures distances; no influence on the equations.

    Raises
    ------
    InputError
        The matrix is not square, not finite or not Hermitian to 1e-12 of its largest entry, or a
        site index is out of range, repeated or missing.

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), "Nonlinear dissipation"; docs/physics.md section 3.

    Double precision is understood in `uncertainty`.  The numbers that come in leave open ε times
    the largest norm of a row, ε of their dtype, where that is coarser than double (integers are
    exact), and at least ½‖H − H†‖₂, the asymmetry that was forgiven.  Independent rounding of the
    entries has a norm of about half of that; products that made them leave up to .8 of it
    (measured on V diag(E) V† in single precision, N = 3 to 96).  It decides which Bohr
    frequencies may be equal (docs/physics.md section 4), and nothing else.

    Examples
    --------
    >>> import manybody as mb
    >>> chain = mb.SingleParticleModel([[0, 1, 0], [1, 0, 1], [0, 1, 0.5]], coupled_sites=[0, 2])
    >>> chain.n_sites, chain.coupled
    (3, array([ True, False,  True]))
    """

    hamiltonian: Any
    coupled_sites: Any = None
    name: str = "single-particle"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    uncertainty: Any = None
    lattice: Lattice | None = None

    def __post_init__(self) -> None:
        n_sites = self._store(self.hamiltonian, "(N, N) with N >= 1")
        sites = _checked_sites(self.coupled_sites, n_sites)
        object.__setattr__(self, "coupled_sites", sites)

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return self.dimension

    @property
    def couplings(self) -> SiteProjectors:
        """The A_j = |j⟩⟨j| on the coupled sites."""
        return SiteProjectors(self.coupled)

    @property
    def coupled(self) -> NDArray[np.bool_]:
        """Mask of the sites with a bath, (N,)."""
        mask = np.ones(self.n_sites, dtype=bool)
        if self.coupled_sites is not None:
            mask[:] = False
            mask[self.coupled_sites] = True
        return mask


def checked_hamiltonian(value: Any, shape: str = "(N, N) with N >= 1") -> tuple[Any, float]:
    """H as it is stored, and ‖δH‖₂ that the numbers given leave open."""
    value = matrix_from(value, "hamiltonian")
    given = arguments.array("hamiltonian", value)
    sparse = sp.issparse(given)
    matrix: Any = sp.csr_array(given, copy=True) if sparse else np.array(given)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise InputError(f"hamiltonian has shape {matrix.shape}: must be {shape}")
    entries: Any = matrix.data if sparse else matrix
    if entries.dtype.kind not in "iufc":
        raise InputTypeError(f"hamiltonian has dtype {entries.dtype}: must be numeric")
    wanted = np.complex128 if entries.dtype.kind == "c" else np.float64
    matrix = matrix.astype(wanted)
    entries = matrix.data if sparse else matrix
    if not np.all(np.isfinite(entries)):
        bad = entries[~np.isfinite(entries)][0]
        raise InputError(f"hamiltonian contains {bad}: all entries must be finite")
    scale = float(abs(matrix).max())
    if scale > arguments.LARGEST:
        raise InputError(f"hamiltonian contains {scale:g}: at most {arguments.LARGEST:g} in size")
    asymmetry = abs(matrix - matrix.conj().T)
    deviation = float(asymmetry.max())
    if deviation > HERMITICITY_TOLERANCE * scale:
        raise InputError(
            f"hamiltonian is not Hermitian: max |H - H†| = {deviation:.3g} "
            f"(allowed {HERMITICITY_TOLERANCE:g} of the largest entry, {scale:.3g})"
        )
    uncertainty = data_uncertainty(value, matrix, asymmetry)
    matrix = 0.5 * (matrix + matrix.conj().T)
    if np.iscomplexobj(matrix) and not np.any((matrix.data if sparse else matrix).imag):
        matrix = matrix.real.copy()
    if sparse:
        matrix = sp.csr_array(matrix)
        matrix.sort_indices()
        for part in (matrix.data, matrix.indices, matrix.indptr):
            part.flags.writeable = False
    else:
        matrix = np.ascontiguousarray(matrix)
        matrix.flags.writeable = False
    return matrix, uncertainty


def data_uncertainty(given: Any, matrix: Any, asymmetry: Any) -> float:
    """‖δH‖₂ that the numbers of a matrix leave open, see `SingleParticleModel`.

    given: the matrix as it came; matrix: an array or CSR; asymmetry: |H − H†|.
    """
    # For a matrix equal to its transpose in size ‖·‖₂ <= ‖·‖₁.
    forgiven = 0.5 * float(asymmetry.sum(axis=0).max())
    precision = _precision(given)
    if precision <= _DOUBLE:
        return forgiven
    size = abs(matrix)
    squares = size.multiply(size) if sp.issparse(size) else size * size
    return max(forgiven, precision * float(np.sqrt(squares.sum(axis=1).max())))


def _precision(value: Any) -> float:
    """ε of the coarsest numbers in an array, a sparse one or nested sequences; 0 for integers."""
    if isinstance(value, (list, tuple)):
        return max(map(_precision, value), default=0.0)
    kind = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
    return float(np.finfo(kind).eps) if kind.kind in "fc" else 0.0


def _checked_sites(value: Iterable[int] | None, n_sites: int) -> NDArray[np.intp] | None:
    if value is None:
        return None
    given = arguments.entries("coupled_sites", value, "None or a sequence of site indices")
    sites = [arguments.integer("coupled_sites entry", site, 0) for site in given]
    if not sites:
        raise InputError("coupled_sites is empty: at least one site must couple to a bath")
    if max(sites) >= n_sites:
        raise InputError(f"coupled_sites contains {max(sites)}: allowed are 0 to {n_sites - 1}")
    if len(set(sites)) != len(sites):
        raise InputError(f"coupled_sites = {sites}: each site may appear once")
    result = np.array(sorted(sites), dtype=np.intp)
    result.flags.writeable = False
    return result
