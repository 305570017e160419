"""Stationary correlations and currents of few sites, however weak contacts and hopping are.

A current of 1e-13 between occupations of order one is lost in the difference F − KC of which
`correlations.currents` makes it.  Here C = E_b + δ with E_b what the reservoir b alone would
make of C: f_b(h), and for the local equation f_b(h_qq) on all sites alike.  Both commute with
h and undo the part of b, so that

    Rδ + δR† = Σ_c K_c (f_c − f_b) + h.c.,    through b flows −(K_b δ + h.c.),

K_c what contact c adds to R − ih.  Three steps keep relative accuracy: f_c − f_b comes from
expm1 of an exact difference of exponents; the equations are kept where neither h nor K mixes
large and small numbers, in the modes where these are resolved and on the sites elsewhere; and
they are solved exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.gaussian.correlations import (
    DAVIES,
    LOCAL,
    REDFIELD,
    Complex,
    CorrelationGenerator,
    Real,
    adjoint,
    build_generator,
)
from manybody.physics.gaussian.quadratic import QuadraticModel
from manybody.physics.gaussian.rational import MAX_UNKNOWNS, solve_exactly
from manybody.physics.gaussian.relaxation import build_relaxation


@dataclass(frozen=True, eq=False)
class SteadyBalance:
    """The stationary state and what flows in it.

    generator: the equation; correlations: (N, N) C on the sites; occupations: (N,) those of the
    modes of h, ascending in energy.
    particle, energy: (n_contacts,) currents out of each reservoir into the system, in J and J²,
    each from an equation of its own: that they add up to zero is not imposed.
    """

    generator: CorrelationGenerator
    correlations: Complex
    occupations: Real
    particle: Real
    energy: Real


def steady_balance(
    model: QuadraticModel, equation: str, temperatures: Sequence[float] | None = None
) -> SteadyBalance:
    """Stationary C and currents of at most 6 sites, without Lamb shift.

    equation: "redfield", "davies" or "local", see `correlations.build_generator`.
    temperatures: (n_contacts,) of the reservoirs, in J, where they are known better than their
    inverses β: of two that differ in the last digits only those digits matter.

    Errors are those of the entries of h, K and f − f, each known to rounding; the modes of two
    sites are so too however weak the hopping (LAPACK's dlaev2), those of more sites only to
    rounding of ‖h‖.  Raises TypeError or ValueError, also when the stationary state is not
    unique or, for Redfield, not reached.
    """
    generator = build_generator(model, equation)
    if model.n_sites**2 > MAX_UNKNOWNS:
        raise InputError(f"{model.n_sites} sites: at most {int(MAX_UNKNOWNS**0.5)} are allowed")
    if not model.contacts:
        raise InputError("contacts = (): without contacts nothing is stationary")
    if equation == REDFIELD and (growing := build_relaxation(generator).n_growing):
        raise InputError(
            f"{growing} modes grow: the Redfield equation has no stationary state that is reached"
        )
    betas = _inverse_temperatures(model, temperatures)
    resolved = _is_resolved(generator)
    hamiltonian: NDArray[Any] = model.dense_hamiltonian()
    turning = hamiltonian
    if resolved:
        hamiltonian, turning = np.diag(generator.energies), np.diag(_level_distances(hamiltonian))
    rates = [_within(generator, resolved, c, generator.damping_rows[c]) for c in range(len(betas))]
    sources = [
        sum(_excess(model, generator, resolved, betas, c, b) for c in range(len(betas)) if c != b)
        + np.zeros_like(rates[0])
        for b in range(len(betas))
    ]
    deviations = _anticommuting([1j * turning, *rates], sources)
    changes = [-(rate @ delta) for rate, delta in zip(rates, deviations)]
    fillings = np.array(
        [
            [_occupation(model, betas, b, omega) for omega in _frequencies(model, generator, b)]
            for b in range(len(betas))
        ]
    )
    # Added to the emptiest equilibrium no deviation of an occupation is below zero.
    lowest = int(np.argmin(fillings.sum(axis=1)))
    filling, deviation = fillings[lowest], deviations[lowest]
    vectors = generator.vectors
    if equation == LOCAL:
        equilibrium: NDArray[Any] = np.diag(filling)
    else:
        equilibrium = (vectors * filling) @ adjoint(vectors)
    if resolved:
        in_modes, on_sites = deviation, vectors @ deviation @ adjoint(vectors)
    else:
        in_modes, on_sites = adjoint(vectors) @ deviation @ vectors, deviation
    correlations = equilibrium + on_sites
    return SteadyBalance(
        generator,
        np.asarray(0.5 * (correlations + adjoint(correlations)), dtype=np.complex128),
        filling + in_modes.diagonal().real,
        np.array([2.0 * np.trace(change).real for change in changes]),
        np.array([2.0 * np.trace(hamiltonian @ change).real for change in changes]),
    )


def occupation_difference(first: Fraction, second: Fraction, statistics: str) -> float:
    """f(x₁) − f(x₂) of exact exponents x = β(ω − μ), f = 1/(e^x ± 1), + for fermions.

    For x₁ <= x₂ it is −expm1(x₁ − x₂) f(x₁) (1 ∓ f(x₂)), which has no difference of close
    numbers but the exact one.
    """
    if first > second:
        return -occupation_difference(second, first, statistics)
    change = -np.expm1(float(first - second))
    return float(change * _filling(float(first), statistics) * _vacancy(float(second), statistics))


def _filling(x: float, statistics: str) -> float:
    """1/(e^x ± 1)."""
    with np.errstate(under="ignore"):
        if statistics == "fermion":
            return float(np.exp(-x) / (1.0 + np.exp(-x)) if x > 0.0 else 1.0 / (1.0 + np.exp(x)))
        return float(np.exp(-x) / -np.expm1(-x))


def _vacancy(x: float, statistics: str) -> float:
    """1 ∓ f(x): 1/(1 ± e^−x)."""
    if statistics == "fermion":
        return _filling(-x, statistics)
    return float(1.0 / -np.expm1(-x))


def _inverse_temperatures(
    model: QuadraticModel, temperatures: Sequence[float] | None
) -> list[Fraction]:
    """β of every contact, as an exact number."""
    if temperatures is None:
        return [Fraction(contact.reservoir.beta) for contact in model.contacts]
    known = [arguments.real("temperatures entry", value, above=0.0) for value in temperatures]
    betas = [contact.reservoir.beta for contact in model.contacts]
    agree = all(abs(T * beta - 1.0) < 1e-14 for T, beta in zip(known, betas))
    if len(known) != len(betas) or not agree:
        raise InputError(
            f"temperatures = {known}: must be 1/beta of the reservoirs, beta = {betas}"
        )
    return [1 / Fraction(value) for value in known]


def _frequencies(model: QuadraticModel, generator: CorrelationGenerator, contact: int) -> Real:
    """(N,) frequencies at which a contact is asked for its filling."""
    if generator.equation == LOCAL:
        site = generator.sites[contact]
        on_site = float(model.hamiltonian.diagonal().real[site])
        return np.full(generator.n_sites, on_site)
    return generator.energies


def _exponent(
    model: QuadraticModel, betas: list[Fraction], contact: int, omega: float
) -> Fraction:
    mu = Fraction(float(model.contacts[contact].reservoir.chemical_potential))
    return betas[contact] * (Fraction(float(omega)) - mu)


def _occupation(model: QuadraticModel, betas: list[Fraction], contact: int, omega: float) -> float:
    return _filling(float(_exponent(model, betas, contact, omega)), model.statistics)


def _excess(
    model: QuadraticModel,
    generator: CorrelationGenerator,
    resolved: bool,
    betas: list[Fraction],
    contact: int,
    reference: int,
) -> NDArray[Any]:
    """(N, N) K_c (f_c − f_b) in the modes when `resolved`, else on the sites."""
    own = _frequencies(model, generator, contact).tolist()
    other = _frequencies(model, generator, reference).tolist()
    known = {
        (omega, omega_b): occupation_difference(
            _exponent(model, betas, contact, omega),
            _exponent(model, betas, reference, omega_b),
            model.statistics,
        )
        for omega, omega_b in set(zip(own, other))
    }
    differences = [known[pair] for pair in zip(own, other)]
    rows = generator.damping_rows[contact] * np.array(differences)
    return _within(generator, resolved, contact, rows)


def _is_resolved(generator: CorrelationGenerator) -> bool:
    """Whether the equations are kept in the modes.

    Redfield: where these lie further apart than they are damped, a current is carried by their
    occupations; elsewhere by a coherence of the sites, of which occupations of modes are large
    differences.  Davies has nothing but the modes, the local equation nothing but the sites.
    """
    if generator.equation == REDFIELD:
        distance = float(np.diff(generator.energies).min(initial=np.inf))
        return distance > float(np.abs(generator.damping).max())
    return generator.equation == DAVIES


def _level_distances(hamiltonian: NDArray[Any]) -> Real:
    """(N,) energies of the modes less h_00: where sites are close, with all digits of the gaps."""
    shifted = hamiltonian - hamiltonian[0, 0].real * np.eye(len(hamiltonian))
    energies: Real = scipy.linalg.eigh(shifted, driver="evd" if len(shifted) > 1 else None)[0]
    return energies


def _within(
    generator: CorrelationGenerator, resolved: bool, contact: int, rows: NDArray[Any]
) -> NDArray[Any]:
    """(N, N) of `rows`, what a contact adds to row q; in the modes when `resolved`."""
    site, vectors, levels = generator.sites[contact], generator.vectors, generator.levels
    if resolved:
        whole = vectors[site].conj()[:, None] * rows
        if generator.equation == DAVIES:
            return np.where(levels[:, None] == levels[None, :], whole, 0.0)
        return np.asarray(whole)
    result = np.zeros(vectors.shape, dtype=rows.dtype)
    if generator.equation == LOCAL:
        # All rows of the local equation are a number times ⟨q|n⟩.
        result[site, site] = np.vdot(vectors[site], rows)
    else:
        result[site] = rows @ adjoint(vectors)
    return result


def _anticommuting(parts: list[NDArray[Any]], sources: list[NDArray[Any]]) -> list[Complex]:
    """δ of Rδ + δR† = S + S† for every S, R = Σ parts; each element to rounding.

    The sum is exact: rounded, −i[h, δ] would not keep the energy, by ε‖h‖ and not by ε‖K‖.
    """
    n = len(parts[0])
    units, pattern = _hermitian_units(n)
    numbers = [_real_numbers(part) for part in parts]
    matrix = np.zeros((len(units), len(units)), dtype=object)
    for row, column, index, weight in pattern:
        for part in numbers:
            if part[index]:
                # The weights are ±1 and ±2: of a single number there is nothing to round.
                term, before = weight * part[index], matrix[row, column]
                matrix[row, column] = term if not before else Fraction(before) + Fraction(term)
    right = [_coordinates(source) for source in sources]
    solution = solve_exactly(matrix, np.array(right).T)
    return [np.tensordot(column, units, 1) for column in solution.T]


@cache
def _hermitian_units(n: int) -> tuple[Complex, list[tuple[int, int, int, int]]]:
    """(n², n, n) |i⟩⟨i|, |i⟩⟨j| + h.c., i|i⟩⟨j| + h.c., and what R → Rδ + δR† is in them:
    element (row, column) has weight times a real number of R, by its index.
    """
    units = []
    for i in range(n):
        for j in range(i, n):
            for factor in (1.0,) if i == j else (1.0, 1j):
                unit = np.zeros((n, n), dtype=np.complex128)
                unit[j, i] = np.conj(factor)
                unit[i, j] = factor
                units.append(unit)
    pattern = []
    for index in range(2 * n * n):
        single = np.zeros(n * n, dtype=np.complex128)
        single[index // 2] = 1j if index % 2 else 1.0
        for column, unit in enumerate(units):
            image = _coordinates(single.reshape(n, n) @ unit)
            pattern += [
                (int(row), column, index, int(image[row])) for row in np.flatnonzero(image)
            ]
    return np.array(units), pattern


def _coordinates(half: NDArray[Any]) -> Real:
    """(n²,) what X + X† of X, (n, n), has of each Hermitian unit."""
    n = len(half)
    numbers: Real = np.array(_real_numbers(half + half.conj().T)).reshape(n, n, 2)
    chosen: NDArray[np.bool_] = np.zeros((n, n, 2), dtype=bool)
    chosen[np.triu_indices(n)] = True
    chosen[np.diag_indices(n) + (1,)] = False
    return numbers[chosen]


def _real_numbers(matrix: NDArray[Any]) -> list[float]:
    """Real and imaginary part of every element, row by row."""
    flat: list[float] = (
        np.ascontiguousarray(matrix, np.complex128).view(np.float64).ravel().tolist()
    )
    return flat
