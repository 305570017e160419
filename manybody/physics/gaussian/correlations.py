"""Equations of motion of the correlation matrix of a quadratic model.

C_qp = ⟨a_p† a_q⟩ obeys dC/dt = −(RC + CR†) + F + F† for fermions and bosons alike
(docs/physics.md section 6, from SNM eqs. (7)-(13)).  Everything is kept in the modes of
h = V diag(ω) V†, where the Davies equation is block-diagonal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real, product
from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.couplings import SiteProjectors
from manybody.physics.gaussian.quadratic import BOSON, FERMION, QuadraticModel
from manybody.physics.models.single_particle import HERMITICITY_TOLERANCE
from manybody.physics.spectra import (
    AMBIGUOUS,
    EPSILON,
    SIMPLE,
    STRUCTURAL,
    Clustering,
    Spectrum,
    cluster_levels,
    linked,
)
from manybody.physics.undecided import MERGED, checked, warn_undecided

REDFIELD, DAVIES, LOCAL = "redfield", "davies", "local"
EQUATIONS = (REDFIELD, DAVIES, LOCAL)
# Relative rounding of matrices that were computed; what Redfield makes of a state beyond it.
_OCCUPATION_ROUNDING, _REDFIELD_SLACK = 1e-10, 0.1


@dataclass(frozen=True, eq=False)
class CorrelationGenerator:
    """R and F of dC/dt = −(RC + CR†) + F + F† in the modes of h, with the part of each contact.

    equation: "redfield", "davies" or "local".
    energies: (N,) ω_n, ascending, in J; vectors: (N, N) V_qn = ⟨q|n⟩.
    levels: (N,) index of the level a mode belongs to; modes of one level are degenerate.
    tolerance: in J; levels closer than this are one.
    damping, filling: (N, N) V†(R − ih)V and V†FV, in J; real without Lamb shift for real h.
    sites: (n_contacts,) site q of each contact.
    damping_rows, filling_rows: (n_contacts, N) what contact c adds to row q of (R − ih)V
        and of FV before the Davies equation drops terms between levels.
    clustering: verdict on the levels, "simple", "structural" or "ambiguous" where it cannot
        be decided whether some that a contact joins are equal (`cluster_levels`).
    statistics: "fermion" or "boson".
    """

    equation: str
    energies: Real
    vectors: NDArray[Any]
    levels: NDArray[np.intp]
    tolerance: float
    damping: NDArray[Any]
    filling: NDArray[Any]
    sites: NDArray[np.intp]
    damping_rows: NDArray[Any]
    filling_rows: NDArray[Any]
    clustering: str = SIMPLE
    statistics: str = FERMION

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return len(self.energies)

    def to_modes(self, matrix: NDArray[Any]) -> NDArray[Any]:
        """V† matrix V, (N, N)."""
        return multiply(adjoint(self.vectors), multiply(matrix, self.vectors))

    def to_sites(self, matrix: NDArray[Any]) -> NDArray[Any]:
        """V matrix V†, (N, N)."""
        return multiply(self.vectors, multiply(matrix, adjoint(self.vectors)))

    def damping_matrix(self) -> Complex:
        """(N, N) R in the site basis."""
        return self.to_sites(self.damping + np.diag(1j * self.energies))

    def filling_matrix(self) -> NDArray[Any]:
        """(N, N) F in the site basis."""
        return self.to_sites(self.filling)

    def derivative(self, correlations: Complex) -> Complex:
        """(N, N) dC/dt of a Hermitian C, both in the site basis."""
        in_modes = self.to_modes(correlations)
        half = self.filling - multiply(self.damping, in_modes)
        half = half - 1j * self.energies[:, None] * in_modes
        return self.to_sites(half + adjoint(half))


@dataclass(frozen=True, eq=False)
class Currents:
    """Currents out of each reservoir into the system: particle in J, energy in J².

    particle, energy: (n_contacts,) tr X_c and tr hX_c, X_c what contact c adds to dC/dt.
    They add up to dN/dt and d⟨H⟩/dt.
    """

    particle: Real
    energy: Real


def build_generator(
    model: QuadraticModel,
    equation: str,
    lamb_shift: bool = False,
    clustering: bool = True,
    undecided: str | None = None,
) -> CorrelationGenerator:
    """R and F of one equation.

    "redfield": R = ih + Σ_q J_q² P_q [½D_q(h) + iΔ_q(h)], F = Σ_q J_q² P_q [½f_qD_q(h) +
    iΔ^f_q(h)], P_q = |q⟩⟨q|: SNM eq. (10).
    "davies": of R − ih and F in the mode basis only the terms within a level: SNM eq. (11).
    "local": as Redfield with D, Δ, f, Δ^f at the on-site energy h_qq in place of h, so that
    each contact acts on its site as if this were alone (LK, the local approach).

    lamb_shift: with Δ and Δ^f or without.  clustering: False takes every mode as a level of
    its own; wrong where modes are degenerate, a negative test of the Davies equation.
    undecided: what Davies does with levels of which it cannot be decided whether they are
    equal: "apart" or "merged", which takes one energy for them; None keeps them apart with a
    warning.

    Raises TypeError or ValueError, also when a reservoir returns a number that is not finite.
    """
    return build_generators(model, (equation,), lamb_shift, clustering, undecided)[0]


def build_generators(
    model: QuadraticModel,
    equations: Iterable[str],
    lamb_shift: bool = False,
    clustering: bool = True,
    undecided: str | None = None,
) -> list[CorrelationGenerator]:
    """`build_generator` for several equations, h diagonalised once."""
    arguments.instance("model", model, QuadraticModel)
    names = [arguments.choice("equation", equation, EQUATIONS) for equation in equations]
    arguments.boolean("lamb_shift", lamb_shift)
    arguments.boolean("clustering", clustering)
    checked(undecided)
    # The driver with the most orthogonal vectors, since the theorem rests on V†V = 1; SciPy 1.11
    # gives it too little room for one level.
    h = model.dense_hamiltonian()
    energies, vectors = scipy.linalg.eigh(h, driver="evd" if len(h) > 1 else None)
    norm = np.abs(energies[[0, -1]]).max(keepdims=True)
    spectrum = Spectrum(
        energies[None],
        np.ascontiguousarray(vectors)[None],
        norm,
        SiteProjectors(model.coupled),
        np.array([model.uncertainty]),
    )
    found = cluster_levels(spectrum)
    levels = linked(energies, found.tolerance) if clustering else np.arange(len(energies))
    verdict = STRUCTURAL if found.merged_neighbours else SIMPLE
    if clustering and found.verdict == AMBIGUOUS:
        merged = linked(energies, found.merging_tolerance)
        if _answers_differ(model, spectrum, levels, merged, lamb_shift):
            verdict = AMBIGUOUS
            if undecided is None and DAVIES in names:
                warn_undecided(found.undecided("levels"))
            levels = merged if undecided == MERGED else levels
    return [_assemble(model, spectrum, name, lamb_shift, levels, found, verdict) for name in names]


def _answers_differ(
    model: QuadraticModel,
    spectrum: Spectrum,
    apart: NDArray[np.intp],
    merged: NDArray[np.intp],
    lamb_shift: bool,
) -> bool:
    """Whether contacts join modes of one level that are of two when levels are kept apart.

    Equal contacts on all sites do not: V†V = 1 has no such elements but for rounding, which turns
    modes a distance d apart against each other by ε‖h‖/d.
    """
    energies, vectors = spectrum.energies[0], spectrum.vectors[0]
    rows = _contact_rows(model, vectors, energies, DAVIES, lamb_shift)
    split = apart[:, None] != apart
    distances = np.abs(energies[:, None] - energies)[split]
    rounding = EPSILON * (64.0 + 4.0 * float(spectrum.norms[0]) / distances)
    for part in rows:
        joined = np.abs(_within_levels(vectors[model.sites], part, merged))
        if (joined[split] > rounding * joined.diagonal().max(initial=0.0)).any():
            return True
    return False


def _assemble(
    model: QuadraticModel,
    spectrum: Spectrum,
    equation: str,
    lamb_shift: bool,
    levels: NDArray[np.intp],
    found: Clustering,
    verdict: str,
) -> CorrelationGenerator:
    energies, vectors, sites = spectrum.energies[0], spectrum.vectors[0], model.sites
    tolerance = found.tolerance
    if equation == DAVIES:
        # One frequency a level, or its part of R would not be γ/2 + iη with Hermitian γ and η.
        frequencies = (np.bincount(levels, energies) / np.bincount(levels))[levels]
        if levels[-1] < linked(energies, tolerance)[-1]:
            # Merged beyond rounding: what is equal does not turn against itself.
            energies = frequencies
    else:
        frequencies = energies
    damping_rows, filling_rows = _contact_rows(model, vectors, frequencies, equation, lamb_shift)
    join = _within_levels if equation == DAVIES else _between_all
    return CorrelationGenerator(
        equation,
        energies,
        vectors,
        levels,
        tolerance,
        join(vectors[sites], damping_rows, levels),
        join(vectors[sites], filling_rows, levels),
        sites,
        damping_rows,
        filling_rows,
        verdict,
        model.statistics,
    )


def currents(generator: CorrelationGenerator, correlations: Complex) -> Currents:
    """Particle and energy currents of all contacts in the state C, (N, N) in the site basis.

    The part of contact c on site q is P_q(F_c − K_cC) + h.c., K_c its part of R − ih.
    Raises ValueError for a C that is no state by more than Redfield makes of one: occupations
    below -0.1, for fermions above 1.1.
    """
    state = checked_correlations(correlations, generator.n_sites)
    check_occupations("correlations", state, generator.statistics, _REDFIELD_SLACK)
    in_modes = generator.to_modes(state)
    if generator.equation == DAVIES:
        in_modes = np.where(generator.levels[:, None] == generator.levels[None, :], in_modes, 0.0)
    rows = generator.filling_rows - multiply(generator.damping_rows, in_modes)
    rows = 2.0 * (rows * generator.vectors[generator.sites].conj()).real
    return Currents(rows.sum(axis=1), rows @ generator.energies)


def checked_correlations(value: Any, n_sites: int, name: str = "correlations") -> Complex:
    """`value` as an (N, N) complex Hermitian matrix; TypeError or ValueError, which name it.

    Whether its eigenvalues can be occupations is not asked: Redfield states need not pass.
    """
    matrix = arguments.array(name, value)
    matrix = matrix.toarray() if sp.issparse(matrix) else matrix
    if matrix.dtype.kind not in "iufc":
        raise InputTypeError(f"{name} of dtype {matrix.dtype}: must be numeric")
    if matrix.shape != (n_sites, n_sites):
        raise InputError(f"{name} of shape {matrix.shape}: must be {(n_sites, n_sites)}")
    scale = np.abs(matrix).max()
    if not scale <= arguments.LARGEST:
        raise InputError(f"{name} with the entry {scale:g}: all must be finite")
    deviation = np.abs(matrix - matrix.conj().T).max()
    # States that were computed, not typed, are meant to come back.
    if deviation > 100.0 * HERMITICITY_TOLERANCE * scale:
        raise InputError(f"{name}: not Hermitian, max |C - C†| = {deviation:.3g}")
    return np.ascontiguousarray(0.5 * (matrix + matrix.conj().T), dtype=np.complex128)


def checked_initial(value: Any, n_sites: int, statistics: str) -> Complex:
    """`value` as C(0) of a state: (N, N) Hermitian with possible occupations.

    Raises TypeError or ValueError.
    """
    state = checked_correlations(value, n_sites, "initial")
    check_occupations("initial", state, statistics)
    return state


def check_occupations(name: str, state: Complex, statistics: str, slack: float = 0.0) -> None:
    """Raise ValueError unless the eigenvalues of C are >= 0, for fermions <= 1.

    slack: by how much they may miss that, beyond rounding.
    """
    eigenvalues = np.linalg.eigvalsh(state)
    slack += _OCCUPATION_ROUNDING * max(1.0, float(eigenvalues[-1]))
    if eigenvalues[0] < -slack:
        raise InputError(f"{name} has the eigenvalue {eigenvalues[0]:.6g}: must be >= 0")
    if statistics != BOSON and eigenvalues[-1] > 1.0 + slack:
        raise InputError(f"{name} has the eigenvalue {eigenvalues[-1]:.6g}: fermions allow <= 1")


def adjoint(matrix: NDArray[Any]) -> NDArray[Any]:
    """C-ordered conjugate transpose."""
    result: NDArray[Any] = np.conjugate(matrix.T, order="C")
    return result


def multiply(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """left · right by the fast product; any mix of real and complex."""
    if np.iscomplexobj(left) and not np.iscomplexobj(right):
        right = right.astype(np.complex128)
    out = np.zeros((left.shape[0], right.shape[1]), dtype=right.dtype)
    if left.size and right.size:
        product(np.ascontiguousarray(left), np.ascontiguousarray(right), out)
    return out


def _contact_rows(
    model: QuadraticModel,
    vectors: NDArray[Any],
    frequencies: Real,
    equation: str,
    lamb_shift: bool,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """(n_contacts, N) rows J_q² V_qn [½D + iΔ] and J_q² V_qn [½fD + iΔ^f], at ω_n or at h_qq."""
    sites = model.sites
    on_site = model.hamiltonian.diagonal().real[sites]
    kind = np.complex128 if lamb_shift else vectors.dtype
    damping_rows = np.zeros((len(sites), len(frequencies)), dtype=kind)
    filling_rows = np.zeros_like(damping_rows)
    for members in _equal_reservoirs(model):
        reservoir = model.contacts[members[0]].reservoir
        omega = on_site[members, None] if equation == LOCAL else frequencies
        damping = _finite(0.5 * reservoir.spectrum(omega), omega, "spectrum")
        filling = _finite(0.5 * reservoir.filled(omega), omega, "filled spectrum")
        if lamb_shift:
            damping = damping + 1j * _finite(reservoir.shift(omega), omega, "shift")
            filling = filling + 1j * _finite(reservoir.filled_shift(omega), omega, "filled shift")
        squares = np.array([model.contacts[c].strength ** 2 for c in members])
        weighted = squares[:, None] * vectors[sites[members]]
        damping_rows[members] = weighted * damping
        filling_rows[members] = weighted * filling
    return damping_rows, filling_rows


def _equal_reservoirs(model: QuadraticModel) -> list[list[int]]:
    """Contacts by reservoir: a principal value may be costly, and is taken once for equal ones."""
    groups: dict[Any, list[int]] = {}
    for index, contact in enumerate(model.contacts):
        try:
            hash(contact.reservoir)
            key: Any = contact.reservoir
        except TypeError:
            key = id(contact.reservoir)
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def _finite(values: Any, omega: Real, what: str) -> Real:
    result: Real = np.broadcast_to(np.asarray(values, dtype=np.float64), omega.shape)
    if not np.all(np.isfinite(result)):
        first = np.flatnonzero(~np.isfinite(result))[0]
        raise InputError(
            f"the {what} of a reservoir is {result.flat[first]} at ω = {omega.flat[first]:g}: "
            "a contact needs a finite one at every energy of the system"
        )
    return result


def _between_all(seen: NDArray[Any], rows: NDArray[Any], levels: NDArray[np.intp]) -> NDArray[Any]:
    """(N, N) Σ_c V*_qm rows_cn over all modes; seen: (n_contacts, N) V_qn of the contacts."""
    return multiply(adjoint(seen), rows)


def _within_levels(
    seen: NDArray[Any], rows: NDArray[Any], levels: NDArray[np.intp]
) -> NDArray[Any]:
    """The same where m and n are modes of one level, zero elsewhere."""
    n = seen.shape[1]
    result = np.zeros((n, n), dtype=rows.dtype)
    np.fill_diagonal(result, np.einsum("cn,cn->n", seen.conj(), rows))
    for members in degenerate(levels):
        block = multiply(adjoint(seen[:, members]), rows[:, members])
        result[members, members] = block
    return result


def degenerate(levels: NDArray[np.intp]) -> list[slice]:
    """The modes of each level that has more than one."""
    edges = np.flatnonzero(np.diff(levels, prepend=-1, append=levels[-1] + 1))
    return [slice(a, b) for a, b in zip(edges[:-1], edges[1:]) if b - a > 1]
