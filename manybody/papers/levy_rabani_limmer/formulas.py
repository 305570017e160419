"""The formulas of LRL, beside what the generators give, and (31)-(34) as they are printed."""

import numpy as np

from manybody.arrays import Real
from manybody.papers.levy_rabani_limmer.oscillators import MINUS, Exponentials, OscillatorSystem
from manybody.papers.levy_rabani_limmer.qubits import LEVELS, QubitSystem


def rate_and_size(system: OscillatorSystem) -> tuple[complex, float]:
    """iω_- − γ/2 and 3ε(2n̄_- + 1)/ω_+, of which (31), (32) and (34) are made."""
    lower = system.frequencies[MINUS]
    size = 3.0 * system.displacement * (2.0 * _mean_occupation(system) + 1.0)
    return complex(-0.5 * system.gamma, lower), size


def _mean_occupation(system: OscillatorSystem) -> float:
    """n̄_-."""
    lower = system.frequencies[MINUS]
    return 0.5 * sum(float(bath.occupation(lower)) for bath in system.baths)


def printed_terms(
    system: OscillatorSystem, sign: float = 1.0
) -> tuple[Exponentials, Exponentials]:
    """(31) and (32) as printed, as sums of exponentials."""
    rate, size = rate_and_size(system)
    size *= sign
    # Re(i e^{iωτ}) = −sin ωτ, and (34) is Re(−factor/rate).
    dissipative = 0.5 * size * system.gamma * (_mean_occupation(system) - 1.0) + 0j
    return {rate: 1j * size * rate.imag}, {rate: dissipative}


def corrected_responses(system: OscillatorSystem, times: Real) -> tuple[Real, Real]:
    """(T,) integrals of (31) and of (32) with −1 in place of n̄_- − 1."""
    rate, size = rate_and_size(system)
    turned = (np.exp(rate * times) - 1.0) / rate
    return (-size * rate.imag * turned.imag), (-0.5 * size * system.gamma * turned.real)


def unperturbed_current(system: QubitSystem) -> float:
    """J_0^a in closed form, (42)."""
    total = 0.0
    for frequency in system.frequencies:
        n_a, n_b = (bath.occupation(frequency) for bath in system.baths)
        total += system.gamma * frequency * float((n_a - n_b) / (4.0 * (n_a + n_b + 1.0)))
    return total


def local_correction(system: QubitSystem) -> float:
    """δJ_1^a in closed form, (43)."""
    upper, lower = (
        [bath.occupation(frequency) for bath in system.baths] for frequency in system.frequencies
    )
    numerator = system.gamma * system.delta_Omega * (lower[0] - lower[1] + upper[0] - upper[1])
    return -float(numerator / (2.0 * (sum(lower) + 1.0) * (sum(upper) + 1.0)))


def printed_response(system: QubitSystem, limit: str) -> float:
    """What the perturbation adds to J_0^a: nothing, (43), or (46) − (42)."""
    if limit == "unperturbed":
        return 0.0
    if limit == "local":
        return local_correction(system)
    return four_channel_current(system) - unperturbed_current(system)


def four_channel_current(system: QubitSystem) -> float:
    """J^a of (46), of populations from the rates of the four channels of (45)."""
    levels = {name: place for place, name in enumerate(LEVELS)}
    g = system.g
    steps = (
        ("00", "-", -g, -1.0),
        ("00", "+", g, -1.0),
        ("+", "11", -g, 1.0),
        ("-", "11", g, 1.0),
    )
    rates = np.zeros((2, 4, 4))
    for low, high, coupling, sign in steps:
        frequency = system.omega + coupling + sign * 2.0 * system.delta_Omega
        for place, bath in enumerate(system.baths):
            n = float(bath.occupation(frequency))
            rates[place, levels[low], levels[high]] = 0.5 * system.gamma * (n + 1.0)
            rates[place, levels[high], levels[low]] = 0.5 * system.gamma * n
    total = rates.sum(axis=0)
    balance = total - np.diag(total.sum(axis=0))
    balance[0] = 1.0
    populations = np.linalg.solve(balance, np.eye(4)[0])
    current = 0.0
    for low, high, coupling, sign in steps:
        down, up = levels[low], levels[high]
        absorbed = rates[0, up, down] * populations[down] - rates[0, down, up] * populations[up]
        current += (system.omega + coupling + sign * 2.0 * system.delta_Omega) * absorbed
    return float(current)
