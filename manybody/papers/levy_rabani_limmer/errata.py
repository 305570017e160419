"""Misprints and wrong claims of LRL, each with numbers that show it.

The references of the response are of a truncated Fock space of the lower mode alone, d_-, whose
displacement of ⟨a†a⟩ it is: 20 levels, the perturbation of the generator by `response`.
"""

import math
from dataclasses import replace

import numpy as np

from manybody.arrays import Real
from manybody.papers.kit.curves import Erratum, Evidence
from manybody.papers.levy_rabani_limmer.baths import FlatBath
from manybody.papers.levy_rabani_limmer.model import response
from manybody.papers.levy_rabani_limmer.oscillators import MINUS, PLUS, OscillatorSystem
from manybody.papers.levy_rabani_limmer.qubits import QubitSystem
from manybody.physics.fock.basis import FockBasis, annihilation_operator
from manybody.physics.fock.couplings import hermitian_coupling
from manybody.physics.fock.half_form import FockModel
from manybody.physics.fock.normal_ordering import annihilator, commutator, constant
from manybody.physics.response.linear_response import LinearResponse
from manybody.physics.response.perturbed import build_perturbed_generator

_LEVELS = 20
_SYSTEM = OscillatorSystem(3.0, 1.7, 0.4, 0.6, 0.8, 0.5)
_FAST = replace(_SYSTEM, gamma=3.0)


def lower_mode(system: OscillatorSystem) -> tuple[LinearResponse, Real]:
    """Response of d_- to V = ω_- (d_- + d_-†)³, (B9), in Fock space; and x = d_- + d_-†."""
    frequency = system.omega - system.g
    larger = np.diag(np.sqrt(np.arange(1.0, _LEVELS + 3)), 1)
    larger = larger + larger.T
    x = larger[:_LEVELS, :_LEVELS]
    # Of the cube of a larger matrix, as it is in the whole space.
    cube = frequency * np.linalg.matrix_power(larger, 3)[:_LEVELS, :_LEVELS]
    basis = FockBasis(1, "boson", max_occupation=_LEVELS - 1)
    model = FockModel(basis, np.array([[frequency]]))
    couplings = [hermitian_coupling(math.sqrt(0.5) * x, bath) for bath in system.baths]
    return LinearResponse(build_perturbed_generator(model, couplings, cube)), x


def steady_response(system: OscillatorSystem) -> float:
    """Φ^(1,1) + Φ^(1,2) of ⟨a†a⟩ in the long run, in Fock space."""
    in_fock_space, x = lower_mode(system)
    return 0.5 * system.displacement * float(np.trace(x @ in_fock_space.steady_change).real)


def equation_32(system: OscillatorSystem = _SYSTEM) -> Evidence:
    """φ^(1,2) of ⟨a†a⟩ at t = 0, LRL (32)."""
    found = response(system, [0.0])
    in_fock_space, x = lower_mode(system)
    _, dissipative = in_fock_space.response_function(x, [0.0])
    return {
        "printed": float(found["phi_12_printed"][0]),
        "corrected": float(found["phi_12"][0]),
        "reference": 0.5 * system.displacement * float(dissipative[0]),
    }


def equation_34(system: OscillatorSystem = _FAST) -> Evidence:
    """Φ^(1,1) + Φ^(1,2) in the long run, LRL (34) and Fig. 3."""
    found = response(system, [0.0])
    return {
        "printed": found["Phi_11_infinity_printed"] + found["Phi_12_infinity_printed"],
        "corrected": found["Phi_11_infinity"] + found["Phi_12_infinity"],
        "reference": steady_response(system),
    }


def equation_35(
    system: OscillatorSystem = _SYSTEM, weak: float = 0.1, strong: float = 5.0
) -> Evidence:
    """Φ^(1,1) + Φ^(1,2) in the long run at one γ over that at another: 1 at all temperatures."""
    at_strong, at_weak = (equation_34(replace(system, gamma=gamma)) for gamma in (strong, weak))
    return {key: at_strong[key] / at_weak[key] for key in at_strong}


def equation_29(system: OscillatorSystem = _SYSTEM) -> Evidence:
    """Coefficient of d_-³ in V with Ω = ω_-: of (B9), its negative, and what (29) makes of it."""
    a, b = system.site_operators()
    difference = (a + a.adjoint()) - (b + b.adjoint())
    lower = system.frequencies[MINUS]
    cube = lower / math.sqrt(8.0) * (difference @ difference @ difference)
    return {
        "printed": lower,
        "corrected": -lower,
        "reference": complex(cube.terms[(0, 0, 0, 3)]).real,
    }


def equation_40(
    omega: float = 1.0,
    g: float = 0.3,
    gamma: float = 0.2,
    T: float = 0.5,  # noqa: N803
) -> Evidence:
    """Largest |element| of L†(1), which no equation of motion of a state may have."""
    bath = FlatBath(gamma, T)
    upper, lower = _channels()
    sums = {"printed": np.zeros((4, 4)), "corrected": np.zeros((4, 4))}
    for frequency, channel in ((omega + g, upper), (omega - g, lower)):
        n = float(bath.occupation(frequency))
        down, up = channel.T @ channel, channel @ channel.T
        for name, emitted, absorbed in (("printed", up, down), ("corrected", down, up)):
            sums[name] += gamma * (n + 1.0) * (down - emitted) + gamma * n * (up - absorbed)
    generator = QubitSystem(omega, g, 0.0, T, T, gamma).generator.toarray()
    reference = np.abs(generator.conj().T @ np.eye(4).ravel()).max()
    return {
        **{name: float(np.abs(s).max()) for name, s in sums.items()},
        "reference": float(reference),
    }


def _channels() -> tuple[Real, Real]:
    """σ_x^A in parts that give ω_+ and ω_- to the bath; levels 00, −, +, 11."""
    root = math.sqrt(0.5)
    upper, lower = np.zeros((4, 4)), np.zeros((4, 4))
    lower[0, 1], upper[0, 2], lower[2, 3], upper[1, 3] = -root, root, root, root
    return upper, lower


def equation_44() -> Evidence:
    """⟨00|(σ_x^A)²|11⟩, which is 0, since the square of a Pauli matrix is 1."""
    root = math.sqrt(0.5)
    values = {}
    # S_1 to S_4 take − and + to 00, 11 to + and −.
    for name, signs in (("printed", (1, 1, 1, 1)), ("corrected", (-1, 1, 1, 1))):
        steps = np.zeros((4, 4))
        for sign, place in zip(signs, ((0, 1), (0, 2), (2, 3), (1, 3))):
            steps[place] = sign * root
        full = steps + steps.T
        values[name] = float((full @ full)[0, 3])
    lowering = annihilation_operator(FockBasis(2, "boson", max_occupation=1), 0).toarray()
    sigma = lowering + lowering.T
    return {**values, "reference": float((sigma @ sigma)[0, 3])}


def equation_b6(system: OscillatorSystem = _SYSTEM) -> Evidence:
    """The s for which d_+ + s turns as e^{−iω_+t}, d_+ = (a + b)/√2.

    The reference is the constant of −[H_0, d_+]/ω_+, d_+ taken off.
    """
    a, b = system.site_operators()
    field = system.epsilon / math.sqrt(2.0)
    hamiltonian = system.omega * (a.adjoint() @ a + b.adjoint() @ b)
    hamiltonian = hamiltonian + system.g * (a.adjoint() @ b + b.adjoint() @ a)
    hamiltonian = hamiltonian + field * (a + a.adjoint() + b + b.adjoint())
    mode = math.sqrt(0.5) * (a + b)
    turning = (-1.0 / system.frequencies[PLUS]) * commutator(hamiltonian, mode) - mode
    return {
        "printed": -system.displacement,
        "corrected": system.displacement,
        "reference": complex(turning.terms[(0, 0, 0, 0)]).real,
    }


def equation_b17(
    omega: float = 3.0,
    g: float = 1.7,
    gamma: float = 0.6,
    T: float = 0.8,  # noqa: N803
) -> Evidence:
    """⟨D_1†(d_- + d_-†)⟩ of both baths, (B17) averaged in (B18)."""
    system = OscillatorSystem(omega, g, 0.4, gamma, T, T)
    n = float(system.baths[0].occupation(omega - g))
    in_fock_space, x = lower_mode(system)
    size = 3.0 * gamma * (2.0 * n + 1.0)
    return {
        "printed": size * (n - 1.0),
        "corrected": -size,
        "reference": float(np.trace(x @ in_fock_space.dissipator_sources.sum(axis=0)).real),
    }


def equation_b19(
    omega: float = 3.0,
    g: float = 1.7,
    epsilon: float = 0.4,
    T: float = 0.8,  # noqa: N803
) -> Evidence:
    """⟨d_+†d_+⟩ at T_a = T_b, of d_+ = (a + b)/√2: with n_- as printed, and with n_+."""
    system = OscillatorSystem(omega, g, epsilon, 1.0, T, T)
    bath = system.baths[0]
    mean = system.displacement**2
    mode = annihilator(0, 2) + constant(-system.displacement, 2)
    number = mode.adjoint() @ mode
    return {
        "printed": float(bath.occupation(omega - g)) + mean,
        "corrected": float(bath.occupation(omega + g)) + mean,
        "reference": number.thermal_average(system.occupations()).real,
    }


_BATHS = ("gamma", "T_a", "T_b")

ERRATA = (
    Erratum("LRL (32)", "n̄_- − 1", "−1", "φ^(1,2) at t = 0", equation_32),
    Erratum(
        "LRL (34), Fig. 3",
        "n̄_- − 1: the response grows as T² and changes its sign",
        "−1: it is linear in T and keeps its sign",
        "Φ^(1,1) + Φ^(1,2) at t → ∞",
        equation_34,
    ),
    Erratum(
        "LRL (35)",
        "no parameter of the baths' coupling is left at T = 0",
        "at every temperature, −3ε(2n̄_- + 1)/ω_+",
        "response at γ = 5 over that at 0.1",
        equation_35,
        ("gamma",),
    ),
    Erratum(
        "LRL (29)",
        "V of (B9)",
        "its negative, with d_- = (b − a)/√2",
        "coefficient of d_-³",
        equation_29,
        _BATHS,
    ),
    Erratum(
        "LRL (40)",
        "{χχ†, O}, {χ†χ, O}",
        "{χ†χ, O}, {χχ†, O}, (C2)",
        "largest |element| of L†(1)",
        equation_40,
    ),
    Erratum(
        "LRL (44)",
        "signs of S_1 to S_4 in σ_x^A: + + + +, in σ_x^B: − + − +",
        "− + + +, + + + −",
        "⟨00|(σ_x^A)²|11⟩",
        equation_44,
    ),
    Erratum(
        "LRL (B6)",
        "(d_+ − ε/ω_+)e^{−iω_+t}",
        "(d_+ + ε/ω_+)e^{−iω_+t} − ε/ω_+",
        "constant beside d_+ that turns",
        equation_b6,
        _BATHS,
    ),
    Erratum(
        "LRL (B17), (B18)", "n_-^α + 1", "1, in all its lines", "⟨D_1†(d_- + d_-†)⟩", equation_b17
    ),
    Erratum("LRL (B19)", "n_- in ⟨d_+†d_+⟩", "n_+", "⟨d_+†d_+⟩", equation_b19),
)
