"""The examples of LRL: two coupled oscillators, (25)-(35), and two coupled qubits, (37)-(46)."""

from typing import Any

from numpy.typing import ArrayLike

from manybody.papers.levy_rabani_limmer.formulas import printed_terms
from manybody.papers.levy_rabani_limmer.oscillators import OscillatorSystem, integrated, summed
from manybody.papers.levy_rabani_limmer.qubits import QubitSystem, steady_state
from manybody.physics import arguments
from manybody.physics.underflow import zero_where_tiny

PERTURBATIONS = ("B9", "29")


def coupled_oscillators(
    omega: float,
    g: float,
    epsilon: float,
    gamma: float,
    T_a: float,
    T_b: float,
    times: ArrayLike,
    perturbation: str = "B9",
) -> dict[str, Any]:
    """Response of ⟨a†a⟩ of two coupled oscillators to δV switched on at t = 0.

    Parameters
    ----------
    omega : float
        ω of (25), in J; ω_± = ω ± g > 0.
    g : float
        g ≠ 0 of (25), in J.
    epsilon : float
        ε of (25), in J.
    gamma : float
        γ_- = γ_+ > 0, in J.
    T_a : float
        Temperature > 0 of the bath of a, in J.
    T_b : float
        Temperature > 0 of the bath of b, in J.
    times : (T,) sequence of float
        Ascending, >= 0, in 1/J.
    perturbation : {"B9", "29"}, default "B9"
        "B9", the sign of (31)-(35); "29", the negative of all responses.

    Returns
    -------
    dict
        Computed from the generator; names with "_printed" at their end are (31), (32) and (34) as
        they stand:

        - times: (T,) in 1/J.
        - population: ⟨a†a⟩ before, (30).
        - phi_11, phi_12: (T,) Kubo's term and that of the dissipator, (24), in J.
        - Phi_11, Phi_12: (T,) their integrals, (33).
        - Phi_11_infinity, Phi_12_infinity: the limits, (34).

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Equation numbers are those of Levy, Rabani and Limmer (2021), Response theory for
    nonequilibrium steady-states of open quantum systems; docs/physics.md section 8 has its
    misprints.  Units ħ = k_B = 1; δ left out.

    Moments are exact, no space is truncated; relative errors are about 1e-14 and, of the
    functions of time, 1e-16 of the phase ω_-t.

    Examples
    --------
    >>> import manybody as mb
    >>> found = mb.networks.coupled_oscillators(2.0, 0.5, 0.3, 0.1, 1.0, 0.5, times=[0.0, 5.0])
    >>> found["Phi_11"].shape, bool(found["population"] > 0.0)
    ((2,), True)
    """
    arguments.choice("perturbation", perturbation, PERTURBATIONS)
    system = OscillatorSystem(omega, g, epsilon, gamma, T_a, T_b)
    return response(system, times, 1.0 if perturbation == "B9" else -1.0)


@zero_where_tiny
def response(system: OscillatorSystem, times: ArrayLike, sign: float = 1.0) -> dict[str, Any]:
    """What `coupled_oscillators` returns; sign: of the perturbation, 1 for (B9)."""
    instants = arguments.ascending_times("times", times)
    result: dict[str, Any] = {"times": instants, "population": system.population()}
    terms = {"": system.response_terms(sign), "_printed": printed_terms(system, sign)}
    for suffix, pair in terms.items():
        for name, exponentials in zip(("11", "12"), pair):
            result[f"phi_{name}{suffix}"] = summed(exponentials, instants)
            result[f"Phi_{name}{suffix}"] = integrated(exponentials, instants)
            limit = sum((-factor / rate).real for rate, factor in exponentials.items())
            result[f"Phi_{name}_infinity{suffix}"] = float(limit)
    return result


def coupled_qubits(
    omega: float,
    g: float,
    delta_Omega: float,
    T_a: float,
    T_b: float,
    gamma: float = 1.0,
    limit: str = "unperturbed",
) -> dict[str, Any]:
    """Steady state of two coupled qubits between two baths.

    Parameters
    ----------
    omega : float
        ω of H_0, in J; ω_± = ω ± g > 0.
    g : float
        g ≠ 0 of H_0, in J.
    delta_Omega : float
        δΩ of (41), in J, of any size and sign in the local limit, |2δΩ| < ω_± in the global one.
    T_a : float
        Temperature > 0 of the bath of a, in J.
    T_b : float
        Temperature > 0 of the bath of b, in J.
    gamma : float, default 1.0
        γ > 0, the rate of every channel, in J.
    limit : {"unperturbed", "local", "global"}, default "unperturbed"
        "unperturbed", (39) and (42); "local", dissipator of H_0 and energies of H_0 + δV,
        ν⁽¹⁾ = 4δΩ ≪ γ, (42) + (43); "global", the Davies equation of H_0 + δV, ν⁽¹⁾ ≫ γ, (46).

    Returns
    -------
    dict
        By name:

        - heat_current_a, heat_current_b: energy from each bath per time, (48), in J².
        - response_a: what of heat_current_a the perturbation adds, δJ_1^a of (43) or J^a − J_0^a.
        - populations, energies: (4,) of the levels 00, −, +, 11.
        - entropy_production: −Σ J/T, (47), in J.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Equation numbers are those of Levy, Rabani and Limmer (2021), (37)-(48); docs/physics.md
    section 8 has its misprints.  Units ħ = k_B = 1.

    Populations are right in every digit and heat currents to about 1e-14, for temperatures as
    close as may be; response_a of the global limit is the difference of two of them.

    Examples
    --------
    >>> import manybody as mb
    >>> found = mb.networks.coupled_qubits(2.0, 0.5, 0.0, T_a=1.0, T_b=0.5)
    >>> abs(found["heat_current_a"] + found["heat_current_b"]) < 1e-12 < found["heat_current_a"]
    True
    """
    system = QubitSystem(omega, g, delta_Omega, T_a, T_b, gamma)
    return steady_state(system, limit)
