"""Expectation values tr(Mρ) of Hermitian operators, of whole states or summed over columns.

What has a name is an entry of `NAMED`; everything else is an operator that somebody gives.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis, hops
from manybody.physics.models.matrices import matrix_from
from manybody.physics.models.single_particle import HERMITICITY_TOLERANCE
from manybody.physics.problem import Problem
from manybody.physics.quantities.local_states import trace_with


@dataclass(frozen=True)
class Places:
    """Where operators act: on D states of N sites that need not be drawn.

    basis: occupations of the states, None where they have none; is_many: of many particles.
    """

    dimension: int
    n_sites: int
    basis: FockBasis | None = None
    is_many: bool = False


@dataclass(frozen=True, eq=False)
class Operators:
    """K Hermitian operators of D states, those that are diagonal first.

    diagonals: (K', D) real CSR, None for none; matrices: (D, D) arrays or SciPy sparse.
    """

    diagonals: sp.csr_array | None = None
    matrices: tuple[Any, ...] = ()

    def sums(self, columns: slice = slice(None)) -> Callable[[NDArray[Any]], Real]:  # noqa: B008
        """The function (T, D, m) states -> (T, K) partial sums of tr(Mρ) over these m columns.

        Sums over all columns are the expectation values: what is left out is the imaginary part,
        which adds up to zero where ρ and M are Hermitian.
        """
        parts = [] if self.diagonals is None else [_diagonal_sums(self.diagonals, columns)]
        return _joined(parts, [trace_with(_columns_of(one, columns)) for one in self.matrices])


def _joined(diagonal: list[Any], traces: list[Any]) -> Callable[[NDArray[Any]], Real]:
    def sums(states: NDArray[Any]) -> Real:
        found = [own(states) for own in diagonal]
        found += [
            np.array([[trace(state).real] for state in states], dtype=np.float64).reshape(-1, 1)
            for trace in traces
        ]
        return np.concatenate(found, axis=1)

    return sums


def _diagonal_sums(diagonals: sp.csr_array, columns: slice) -> Callable[[NDArray[Any]], Real]:
    first, stop, _ = columns.indices(diagonals.shape[1])
    chosen = sp.csr_array(diagonals[:, first:stop])
    own = np.arange(stop - first)

    def sums(states: NDArray[Any]) -> Real:
        diagonal = np.ascontiguousarray(states[:, first + own, own].real)
        return np.ascontiguousarray((chosen @ diagonal.T).T)

    return sums


def _columns_of(operator: Any, columns: slice) -> Any:
    return (operator.tocsc() if sp.issparse(operator) else operator)[:, columns]


@dataclass(frozen=True)
class NamedExpectation:
    """Operators that have a name, as users write it: `stem`, or `stem`-A-B of two sites.

    unit, meaning: for reports, meaning with {0} and {1} for the sites; label: of an axis, LaTeX;
    components: labels of the K values, None where there is one alone; refuses: why there is no
    such thing in a system, as the end of a sentence, empty where there is;
    operators: of the sample of a problem; needs_hamiltonian: whether they are made from H.
    """

    stem: str
    n_sites: int
    unit: str
    meaning: str
    label: str
    components: Callable[[Places], tuple[str, ...] | None]
    refuses: Callable[[Places], str]
    operators: Callable[[Problem, tuple[int, ...]], Operators]
    needs_hamiltonian: bool = False

    @property
    def pattern(self) -> str:
        """How it is written."""
        return "-".join([self.stem, *"AB"[: self.n_sites]])


@dataclass(frozen=True, eq=False)
class Expectation:
    """What is asked for: an operator by its name, or one that was given.

    name: of the result; known, sites: what the name stands for, None for a given operator;
    given: the (D, D) Hermitian array or CSR, or the (D,) real diagonal.
    """

    name: str
    known: NamedExpectation | None = None
    sites: tuple[int, ...] = ()
    given: Any = None

    def __repr__(self) -> str:
        if self.known is not None:
            return f"<{self.name}: {self.known.stem} {self.sites}>"
        matrix = self.given
        parts = (matrix.data, matrix.indices, matrix.indptr) if sp.issparse(matrix) else (matrix,)
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(own).tobytes() for own in parts))
        return f"<{self.name}: operator {digest.hexdigest()}>"

    @property
    def source(self) -> Any:
        """What `expectation_of` makes it of."""
        if self.known is None:
            return self.given
        return "-".join([self.known.stem, *map(str, self.sites)])

    @property
    def unit(self) -> str:
        """Unit of the values; that of an operator somebody gave is theirs."""
        return "1" if self.known is None else self.known.unit

    @property
    def meaning(self) -> str:
        """What the values are."""
        if self.known is None:
            return f"expectation value of {self.name}"
        return self.known.meaning.format(*self.sites)

    @property
    def label(self) -> str:
        """Of an axis, LaTeX."""
        return self.name if self.known is None else self.known.label.format(*self.sites)

    @property
    def needs_hamiltonian(self) -> bool:
        """Whether H itself must be at hand."""
        return self.known is not None and self.known.needs_hamiltonian

    def components(self, places: Places) -> tuple[str, ...] | None:
        """Labels of the K values; None where there is one alone."""
        return None if self.known is None else self.known.components(places)

    def check(self, places: Places) -> None:
        """Raise InputError where there is no such operator in a system."""
        if self.known is None:
            if self.given.shape[0] != places.dimension:
                raise InputError(
                    f"expectations: {self.name!r} has shape {self.given.shape}: must be "
                    f"({places.dimension},) or ({places.dimension}, {places.dimension})"
                )
            return
        if reason := self.known.refuses(places):
            raise InputError(f"expectations: {self.name!r} {reason}")
        for site in self.sites:
            if site >= places.n_sites:
                raise InputError(
                    f"expectations: {self.name!r} has site {site}, allowed are 0 to "
                    f"{places.n_sites - 1}"
                )

    def operators(self, problem: Problem) -> Operators:
        """Those of the sample of a problem."""
        if self.known is not None:
            return self.known.operators(problem, self.sites)
        if self.given.ndim == 1:
            return Operators(sp.csr_array(self.given[None]))
        return Operators(matrices=(self.given,))


def expectation_of(name: str, operator: Any) -> Expectation:
    """What `name` is to be: an operator, or one of `NAMED` as it is written.

    operator: (D, D) Hermitian, an array, SciPy sparse or an operator of another package
        (`matrix_from`), a (D,) real diagonal, or a name.
    Raises TypeError or ValueError for what is none of these, not finite, or not Hermitian to
    1e-12 of its largest entry.
    """
    arguments.instance("name of an expectation", name, str)
    if isinstance(operator, str):
        return _named(name, operator)
    what = f"expectations: {name!r}"
    matrix = arguments.array(what, matrix_from(operator, what))
    entries = matrix.data if sp.issparse(matrix) else matrix
    if entries.dtype.kind not in "biufc":
        raise InputTypeError(f"{what} has dtype {entries.dtype}: must be numeric")
    if matrix.ndim not in (1, 2) or len({*matrix.shape}) != 1 or matrix.shape[0] == 0:
        raise InputError(f"{what} has shape {matrix.shape}: must be (D,) or (D, D)")
    if not np.all(np.isfinite(entries)):
        raise InputError(f"{what}: all entries must be finite")
    wanted = np.complex128 if entries.dtype.kind == "c" else np.float64
    return Expectation(name, given=_hermitian(what, matrix.astype(wanted)))


def _hermitian(what: str, matrix: Any) -> Any:
    """The Hermitian part of what is Hermitian to rounding."""
    scale = float(abs(matrix).max())
    adjoint = matrix.conj() if matrix.ndim == 1 else matrix.conj().T
    deviation = float(abs(matrix - adjoint).max())
    if deviation > HERMITICITY_TOLERANCE * scale:
        kind = "real" if matrix.ndim == 1 else "Hermitian"
        raise InputError(
            f"{what} is not {kind}: max |M - M†| = {deviation:.3g} (allowed "
            f"{HERMITICITY_TOLERANCE:g} of the largest entry, {scale:.3g})"
        )
    if matrix.ndim == 1:
        return np.ascontiguousarray(matrix.real)
    matrix = 0.5 * (matrix + adjoint)
    return sp.csr_array(matrix) if sp.issparse(matrix) else np.ascontiguousarray(matrix)


def _named(name: str, text: str) -> Expectation:
    stem, *rest = text.split("-")
    known = NAMED.get(stem)
    if known is None or len(rest) != known.n_sites or not all(map(_is_index, rest)):
        raise InputError(f"expectations: {text!r} must be one of {', '.join(PATTERNS)}")
    sites = tuple(map(int, rest))
    if len(set(sites)) != len(sites):
        raise InputError(f"expectations: {text!r} is of two different sites")
    return Expectation(name, known, sites)


def _is_index(text: str) -> bool:
    # One way to write a number, and fewer digits than Python refuses.
    return re.fullmatch(r"0|[1-9][0-9]{0,8}", text) is not None


def _alone(_places: Places) -> None:
    return None


def _site_labels(places: Places) -> tuple[str, ...]:
    return tuple(map(str, range(places.n_sites)))


def _no_occupations(places: Places) -> str:
    if places.is_many and places.basis is None:
        return "is of sites, and the states of this model have no occupations"
    return ""


def _of_one_particle(places: Places) -> str:
    return "is of the hopping of one particle, here are many" if places.is_many else ""


def _never(_places: Places) -> str:
    return ""


def _populations(problem: Problem, _sites: tuple[int, ...]) -> Operators:
    if problem.basis is None:
        return Operators(sp.csr_array(sp.identity(problem.dimension)))
    return Operators(sp.csr_array(problem.basis.occupations.T.astype(np.float64)))


def _energy(problem: Problem, _sites: tuple[int, ...]) -> Operators:
    return Operators(matrices=(problem.hamiltonians[0],))


def _coherence(problem: Problem, sites: tuple[int, ...]) -> Operators:
    """(M + M†)/2 and (M − M†)/2i of M = a_b†a_a, |b⟩⟨a| for one particle."""
    a, b = sites
    dimension = problem.dimension
    place: tuple[Any, Any] = [b], [a]
    amplitudes: Any = [1.0]
    if problem.basis is not None:
        targets, sources, amplitudes = hops(problem.basis, b, a)
        place = targets, sources
    hop = sp.csr_array((amplitudes, place), shape=(dimension, dimension))
    return Operators(matrices=(0.5 * (hop + hop.T), -0.5j * (hop - hop.T)))


def _current(problem: Problem, sites: tuple[int, ...]) -> Operators:
    """tr(Mρ) = −i(h_ba ρ_ab − ρ_ba h_ab)."""
    a, b = sites
    element = complex(problem.hamiltonians[0][b, a])
    values = [-1j * element, 1j * element.conjugate()]
    matrix = sp.csr_array((values, ([b, a], [a, b])), shape=(problem.dimension,) * 2)
    return Operators(matrices=(matrix,))


_KNOWN = {
    each.stem: each
    for each in (
        NamedExpectation(
            "populations",
            0,
            "1",
            "populations of the sites, occupations <n_j> of many particles",
            r"$\langle n_j \rangle$",
            _site_labels,
            _no_occupations,
            _populations,
        ),
        NamedExpectation(
            "energy",
            0,
            "J",
            "energy tr(H rho) of the whole system",
            r"$\langle H \rangle$  $[J]$",
            _alone,
            _never,
            _energy,
            needs_hamiltonian=True,
        ),
        NamedExpectation(
            "coherence",
            2,
            "1",
            "real and imaginary part of rho_ab between the sites a = {0} and b = {1}, of many "
            "particles <a_b^dagger a_a>",
            r"$\rho_{{{0},{1}}}$",
            lambda _places: ("real", "imaginary"),
            _no_occupations,
            _coherence,
        ),
        NamedExpectation(
            "current",
            2,
            "J",
            "particles a unit of time from site a = {0} to site b = {1} by the hopping between "
            "them, 2 Im(h_ba rho_ab)",
            r"$I_{{{0}\to{1}}}$  $[J]$",
            _alone,
            _of_one_particle,
            _current,
            needs_hamiltonian=True,
        ),
    )
}
# Operators by the first word of their name.
NAMED: Mapping[str, NamedExpectation] = MappingProxyType(_KNOWN)
PATTERNS = tuple(each.pattern for each in NAMED.values())
