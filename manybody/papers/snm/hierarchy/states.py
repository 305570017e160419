"""Exact reduced states of one particle whose site densities couple to Drude–Lorentz baths.

The hierarchy of equations of motion is QuTiP's: auxiliary states beside ρ, one for every way to
distribute up to `depth` quanta over the exponentials that C(t) of every bath is written in
(Tanimura, J. Phys. Soc. Jpn. 75, 082001 (2006); Lambert et al., Phys. Rev. Research 5, 013181
(2023)).  C(t) has one exponential of the density and `terms` of Padé's expansion of the
temperature; what these leave of ∫C(t)dt is a Lindblad term (Ishizaki and Tanimura, J. Phys. Soc.
Jpn. 74, 3131 (2005)).  Both numbers are raised until nothing changes.

Our D(ω) = J_int² ω / (1 + (ω/ω_c)²) makes C(t) = ∫ dω/2π γ(ω) e^{−iωt}
= (1/2π) ∫_0^∞ dω D(ω) [coth(βω/2) cos ωt − i sin ωt].  QuTiP has 1/π before the integral and
2λ ω_c ω / (ω_c² + ω²) in it, so that λ = J_int² ω_c / 4.

Equal baths on all N sites are N − 1 baths: Σ_j A_j B_j = Σ_k (Σ_j O_kj A_j) (Σ_j O_kj B_j) with an
orthogonal O whose first row is 1/√N; the baths of the other rows are as many, independent and
equal, and the first couples to the identity.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from manybody.arrays import Complex, Real
from manybody.errors import NumericalError, Unavailable
from manybody.physics.baths.densities import DrudeLorentzDensity
from manybody.physics.baths.thermal import ThermalBath

# Numbers of Padé terms, each compared with the one before.
TERMS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_FIRST_TERMS, _FIRST_DEPTH = 3, 3
# Unknowns of a hierarchy that takes a minute.
LARGEST = 40_000
# Vectors of the rational Krylov space; half of them tell the error.
_VECTORS = 80
# A Krylov space is invariant where the next vector has lost so many digits.
_INVARIANT = 1e-13
# Rates that are zero, as parts of the cutoff of the bath.
_ZERO_RATE = 1e-9


@dataclass(frozen=True)
class Change:
    """Trace norms: `moving` the largest at any time, `late` of the limit t → ∞."""

    moving: float
    late: float

    @property
    def largest(self) -> float:
        """Of both."""
        return max(self.moving, self.late)


@dataclass(frozen=True, eq=False)
class Solution:
    """States of one truncated hierarchy.

    states: (T, N, N) in the site basis; late: (N, N) its limit t → ∞; change: by the second
    half of the Krylov vectors.
    """

    states: Complex
    late: Complex
    change: Change


@dataclass(frozen=True, eq=False)
class ExactStates:
    """States of a hierarchy, and how far to trust them.

    states: (T, N, N) in the site basis; late: (N, N), the limit t → ∞; terms, depth: of the
    hierarchy; by_terms, by_depth: what changed from the next smaller number of `TERMS` and from
    one level less; by_time: what the second half of the vectors of the propagation changed;
    unknowns: numbers in the hierarchy.
    """

    states: Complex
    late: Complex
    terms: int
    depth: int
    by_terms: Change
    by_depth: Change
    by_time: Change
    unknowns: int

    @property
    def error(self) -> float:
        """Of `states`, in the trace norm: the sum of the last changes."""
        return self.by_terms.moving + self.by_depth.moving + self.by_time.moving

    @property
    def late_error(self) -> float:
        """Of `late`, in the trace norm: the sum of the last changes."""
        return self.by_terms.late + self.by_depth.late + self.by_time.late


def check_qutip() -> None:
    """Raise Unavailable where QuTiP is missing."""
    _heom()


def _heom() -> Any:
    try:
        import qutip.solver.heom as heom
    except ImportError as error:
        raise Unavailable(
            f'the hierarchy of equations of motion needs QuTiP: pip install "qutip>=5" ({error})'
        ) from error
    return heom


def build_baths(
    n_sites: int, density: DrudeLorentzDensity, beta: float, terms: int
) -> list[tuple[Any, Any]]:
    """(bath, what its exponentials leave as a Lindblad term) of QuTiP for each of N − 1 couplings.

    beta: finite, > 0, in 1/J; terms: of Padé's expansion, >= 1.
    """
    import qutip

    heom = _heom()
    found = []
    for diagonal in relative_couplings(n_sites):
        bath = heom.DrudeLorentzPadeBath(
            qutip.Qobj(np.diag(diagonal)),
            lam=0.25 * density.coupling**2 * density.cutoff,
            gamma=density.cutoff,
            T=1.0 / beta,
            Nk=terms,
        )
        found.append((bath, bath.terminator()[1]))
    return found


def relative_couplings(n_sites: int) -> Real:
    """(N − 1, N) orthonormal rows, orthogonal to (1, …, 1): (1, …, 1, −k, 0, …)/√(k(k + 1))."""
    rows = np.zeros((n_sites - 1, n_sites))
    for k in range(1, n_sites):
        rows[k - 1, :k] = 1.0
        rows[k - 1, k] = -k
        rows[k - 1] /= math.sqrt(k * (k + 1))
    return rows


def count_unknowns(n_sites: int, terms: int, depth: int) -> int:
    """Numbers in a hierarchy: N² for every distribution of quanta."""
    exponentials = (n_sites - 1) * (terms + 1)
    return n_sites**2 * math.comb(exponentials + depth, depth)


def build_hierarchy(
    hamiltonian: NDArray[Any], bath: ThermalBath, terms: int, depth: int
) -> sp.csc_matrix:
    """Generator of a truncated hierarchy, sparse, in J; the first N² numbers are vec ρ by columns.

    hamiltonian: (N, N) Hermitian, N >= 2; bath: of a `DrudeLorentzDensity`, on every site.
    """
    import qutip

    assert isinstance(bath.density, DrudeLorentzDensity)
    heom = _heom()
    system = qutip.liouvillian(qutip.Qobj(np.asarray(hamiltonian, dtype=np.complex128)))
    baths = build_baths(len(hamiltonian), bath.density, bath.beta, terms)
    for _, left_over in baths:
        system = system + left_over
    solver = heom.HEOMSolver(system, [each for each, _ in baths], depth)
    return sp.csc_matrix(solver.rhs(0).to("csr").data.as_scipy())


def propagate(matrix: sp.csc_matrix, start: Complex, times: Real, scale: float) -> Solution:
    """e^{Mt} of vec ρ(0) by one rational Krylov space for all times.

    start: (N, N); times: (T,) >= 0; scale: a rate in J, of what is fastest of interest: the pole.
    The space is that of (M − scale)⁻¹, in which slow modes stand out and the stiff rest of the
    hierarchy, that no explicit step can pass over, does not count.
    """
    n_sites, size = len(start), matrix.shape[0]
    # Structure and size of the entries are nearly symmetric, which keeps the factors sparse.
    solve = splu(
        (matrix - scale * sp.identity(size, format="csc")).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.1,
        options={"SymmetricMode": True},
    ).solve
    vector = np.zeros(size, dtype=np.complex128)
    vector[: n_sites**2] = np.asarray(start, dtype=np.complex128).ravel("F")
    basis, projected = _arnoldi(solve, vector)
    n_vectors = len(projected)
    weight = float(np.linalg.norm(vector))
    answers = []
    for kept in (n_vectors, max(1, n_vectors // 2)):
        rows = weight * basis[:kept, : n_sites**2].T
        answers.append(_evolved(rows, projected[:kept, :kept], times, scale))
    (states, late), (fewer, earlier) = answers
    # An invariant space is exact.
    is_cut = n_vectors == _VECTORS < size
    change = change_between(states, late, fewer, earlier) if is_cut else Change(0.0, 0.0)
    return Solution(states, late, change)


def _arnoldi(solve: Any, vector: Complex) -> tuple[Complex, Complex]:
    """Orthonormal rows of the Krylov space of `solve`, and its matrix in them."""
    most = min(_VECTORS, len(vector))
    basis = np.zeros((most + 1, len(vector)), dtype=np.complex128)
    projected = np.zeros((most + 1, most), dtype=np.complex128)
    basis[0] = vector / np.linalg.norm(vector)
    for index in range(most):
        new = solve(basis[index])
        size = np.linalg.norm(new)
        for _ in range(2):
            overlaps = basis[: index + 1].conj() @ new
            new -= overlaps @ basis[: index + 1]
            projected[: index + 1, index] += overlaps
        left = np.linalg.norm(new)
        if left <= _INVARIANT * size:
            return basis[: index + 1], projected[: index + 1, : index + 1]
        projected[index + 1, index] = left
        basis[index + 1] = new / left
    return basis[:most], projected[:most]


def _evolved(
    rows: Complex, projected: Complex, times: Real, scale: float
) -> tuple[Complex, Complex]:
    """(T, N, N) states and their limit, of the projection of (M − scale)⁻¹ on a space."""
    values, vectors = np.linalg.eig(projected)
    rates = scale + 1.0 / values
    weights = np.linalg.solve(vectors, np.eye(len(values))[0])
    parts = (rows @ vectors) * weights
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        columns = np.exp(np.multiply.outer(times, rates)) @ parts.T
    stays = np.abs(rates) <= _ZERO_RATE * scale
    n_sites = math.isqrt(len(rows))
    shape = (-1, n_sites, n_sites)
    # By columns to by rows.
    states = columns.reshape(shape).swapaxes(1, 2)
    late = parts[:, stays].sum(axis=1).reshape(shape).swapaxes(1, 2)
    if not (np.isfinite(states).all() and stays.any()):
        # A truncated hierarchy may have modes that grow, and none that stays.
        states, late = np.full_like(states, np.nan), np.full_like(late, np.nan)
    return states, late[0]


def trace_norms(differences: Complex) -> Real:
    """(T,) Σ|eigenvalue| of the Hermitian parts of (T, N, N) or (N, N); inf where not finite."""
    stack = differences.reshape(-1, *differences.shape[-2:])
    finite = np.isfinite(stack).all(axis=(1, 2))
    hermitian = 0.5 * (stack + stack.conj().swapaxes(1, 2))
    norms: Real = np.full(len(stack), np.inf)
    norms[finite] = np.abs(np.linalg.eigvalsh(hermitian[finite])).sum(axis=1)
    return norms


def refinements(
    hamiltonian: NDArray[Any], bath: ThermalBath, start: Complex, times: Real
) -> Iterator[ExactStates]:
    """Ever larger hierarchies, terms or depth raised, whichever has changed more.

    hamiltonian: (N, N) Hermitian in J; bath: of a `DrudeLorentzDensity` and finite β, on every
    site; start: (N, N) ρ(0); times: (T,) >= 0 in 1/J.  Ends before a hierarchy of more than
    `LARGEST` unknowns.  Raises Unavailable without QuTiP.
    """
    assert isinstance(bath.density, DrudeLorentzDensity)
    scale = 0.5 * bath.density.cutoff
    known: dict[tuple[int, int], Solution] = {}

    def solved(terms: int, depth: int) -> Solution:
        if (terms, depth) not in known:
            matrix = build_hierarchy(hamiltonian, bath, terms, depth)
            known[terms, depth] = propagate(matrix, start, times, scale)
        return known[terms, depth]

    place, depth = TERMS.index(_FIRST_TERMS), _FIRST_DEPTH
    while place < len(TERMS):
        terms = TERMS[place]
        unknowns = count_unknowns(len(hamiltonian), terms, depth)
        if unknowns > LARGEST:
            return
        best = solved(terms, depth)
        by_terms = _change(best, solved(TERMS[place - 1], depth))
        by_depth = _change(best, solved(terms, depth - 1))
        yield ExactStates(
            best.states, best.late, terms, depth, by_terms, by_depth, best.change, unknowns
        )
        if by_terms.largest >= by_depth.largest:
            place += 1
        else:
            depth += 1


def converge(
    hamiltonian: NDArray[Any],
    bath: ThermalBath,
    start: Complex,
    times: Real,
    tolerance: float = 1e-6,
) -> ExactStates:
    """The first of `refinements` whose errors are at most `tolerance`.

    Raises NumericalError where none is, Unavailable without QuTiP.
    """
    exact = None
    for exact in refinements(hamiltonian, bath, start, times):
        if max(exact.error, exact.late_error) <= tolerance:
            return exact
    raise NumericalError(not_converged(exact, tolerance))


def not_converged(exact: ExactStates | None, tolerance: float) -> str:
    """What is said of a hierarchy that cannot be refined enough."""
    if exact is None:
        return f"even the smallest hierarchy has more than {LARGEST} unknowns"
    return (
        f"the hierarchy of {exact.terms} terms and depth {exact.depth} still changes by "
        f"{exact.by_terms.largest:.1e} with the terms and {exact.by_depth.largest:.1e} with the "
        f"depth, asked for is {tolerance:.1e}; the next one has more than {LARGEST} unknowns"
    )


def _change(one: Solution, other: Solution) -> Change:
    return change_between(one.states, one.late, other.states, other.late)


def change_between(states: Complex, late: Complex, others: Complex, other: Complex) -> Change:
    """Of (T, N, N) states and (N, N) limits; inf where one of them is lost."""
    return Change(
        float(trace_norms(states - others).max()), float(trace_norms(late - other).max())
    )
