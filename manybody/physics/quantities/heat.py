"""Heat that every bath brings to a system, and the entropy that this produces.

An equation is a sum over couplings, dρ/dt = −i[H, ρ] + Σ_j D_j[ρ].  The bath of A_j brings the
heat J_j = tr H D_j[ρ] per time; tr H dρ/dt is their sum, which is zero in a steady state.  The
entropy production of one bath is Spohn's σ_j = −tr D_j[ρ] (ln ρ + β_j H) (Spohn 1978): never
negative where D_j is completely positive and leaves e^{−β_j H} alone, as that of Davies.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.several import GivenBaths, check_baths, each_bath
from manybody.physics.couplings import SiteProjectors
from manybody.physics.equations.davies import DAVIES, davies_of
from manybody.physics.equations.protocol import adjoint, hermitian_rate
from manybody.physics.equations.redfield import REDFIELD, redfield_of
from manybody.physics.equations.registry import EQUATIONS, check_name
from manybody.physics.models.given import Matrix, model_from
from manybody.physics.models.matrices import dense_from
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.thermodynamics import davies_site_heat, redfield_site_heat

# Trace and Hermiticity of a state that a user computed.
_TOLERANCE = 1e-8


def heat_currents(
    model: Model | Matrix,
    bath: GivenBaths,
    rho: NDArray[Any],
    equation: str = "redfield",
    lamb_shift: bool = False,
) -> Real:
    """Heat per time that the bath of every coupling brings.

    Parameters
    ----------
    model : Model or (N, N) array
        What evolves, as in `compare`.
    bath : Bath, sequence of Bath or mapping of int to Bath
        One for all couplings or one for each, as in `compare`.
    rho : (D, D) array
        State in the working basis, as `steady_state` and `compare` return it.
    equation : str, default "redfield"
        One of `manybody.EQUATIONS`.
    lamb_shift : bool, default False
        Whether η(ω) is kept.

    Returns
    -------
    (couplings,) array
        J_j in J², positive out of the bath.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    J_j = tr(H D_j[ρ]), D_j what coupling j adds to the equation (docs/physics.md section 3).
    Where baths have different temperatures the J_j of a steady state are what flows through the
    system.  With Lamb shift D_j has that of its bath, but for what η(0)ΣA_j² of equal baths adds
    to H.

    Examples
    --------
    >>> import manybody as mb
    >>> chain = mb.SingleParticleModel([[0, 1, 0], [1, 0, 1], [0, 1, 0.5]], coupled_sites=[0, 2])
    >>> baths = [mb.OhmicBath(0.2, 10.0, beta) for beta in (0.5, 5.0)]
    >>> steady = mb.steady_state(chain, baths, "davies")
    >>> hot, cold = mb.heat_currents(chain, baths, steady.state, "davies")
    >>> bool(hot > 0 and abs(hot + cold) < 1e-12)
    True
    """
    problem, state = _checked(model, bath, rho, equation, lamb_shift)
    return heat_of(problem, state, equation)


def entropy_production(
    model: Model | Matrix,
    bath: GivenBaths,
    rho: NDArray[Any],
    equation: str = "redfield",
    lamb_shift: bool = False,
) -> Real:
    """Entropy production σ_j of the bath of every coupling.

    Parameters
    ----------
    model : Model or (N, N) array
        What evolves, as in `compare`.
    bath : Bath, sequence of Bath or mapping of int to Bath
        One for all couplings or one for each, of finite β.
    rho : (D, D) array
        State of full rank in the working basis.
    equation : str, default "redfield"
        One of `manybody.EQUATIONS`.
    lamb_shift : bool, default False
        Whether η(ω) is kept.

    Returns
    -------
    (couplings,) array
        In J; of Davies never negative, of Redfield it may be.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    σ_j = −tr D_j[ρ] (ln ρ + β_j H), Spohn, J. Math. Phys. 19, 1227 (1978).

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=3, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> mixed = np.eye(3) / 3
    >>> bool(mb.entropy_production(model, bath, mixed, "davies").min() > 0)
    True
    """
    problem, state = _checked(model, bath, rho, equation, lamb_shift)
    values, vectors = np.linalg.eigh(state)
    if values[0] <= 0.0:
        raise InputError(
            f"rho has the eigenvalue {values[0]:.3g}: its logarithm needs all of them > 0"
        )
    betas = betas_of(problem)
    if not np.isfinite(betas).all():
        raise InputError(
            f"bath beta = {betas[~np.isfinite(betas)][0]}: heat brings a finite entropy at finite "
            "temperatures alone"
        )
    logarithm = (vectors * np.log(values)) @ adjoint(vectors)
    hamiltonian = problem.spectrum.hamiltonian[0]
    each = dissipators(problem, state, equation)
    return np.array(
        [-np.vdot(own, logarithm + beta * hamiltonian).real for own, beta in zip(each, betas)]
    )


def heat_of(problem: Problem, rho: Complex, equation: str) -> Real:
    """(couplings,) `heat_currents` of a problem of one sample."""
    couplings = problem.couplings
    if isinstance(couplings, SiteProjectors) and equation in (REDFIELD.name, DAVIES.name):
        if equation == DAVIES.name:
            heat = davies_site_heat(davies_of(problem)[0], rho)
        else:
            heat = redfield_site_heat(redfield_of(problem), rho[None])[0]
        return heat[couplings.coupled]
    hamiltonian = problem.spectrum.hamiltonian[0]
    each = dissipators(problem, rho, equation)
    return np.array([np.vdot(own, hamiltonian).real for own in each])


def betas_of(problem: Problem) -> Real:
    """(couplings,) β of the bath of every coupling, in 1/J."""
    bath, count = problem.bath, problem.couplings.n_baths
    each = each_bath(bath, count)
    return np.array([float(one.beta) for one in each])


def dissipators(problem: Problem, rho: Complex, equation: str) -> Iterator[Complex]:
    """(D, D) D_j[ρ] of one coupling after the other, in J.

    problem: of one sample; rho: (D, D) Hermitian.  Raises InputError for an equation that is
    made from the model itself and not from its spectrum.
    """
    found = EQUATIONS[equation]
    if found.dissipators is not None:
        yield from found.dissipators(problem, rho)
        return
    if found.needs_model or not found.needs_spectrum:
        raise InputError(
            f"equation = {equation!r}: it is made from patches of the model, and what every bath "
            "does alone is not had"
        )
    hamiltonian = problem.spectrum.hamiltonian[0]
    turned = hamiltonian @ rho
    unitary = -1j * (turned - adjoint(turned))
    for coupling in range(problem.couplings.n_baths):
        yield hermitian_rate(found, problem.only(coupling), rho) - unitary


def _checked(
    model: Model | Matrix, bath: Any, rho: Any, equation: str, lamb_shift: bool
) -> tuple[Problem, Complex]:
    system = model_from(model)
    check_name(equation)
    arguments.boolean("lamb_shift", lamb_shift)
    baths = check_baths(bath, system.couplings, lamb_shift)
    state = dense_from(rho, "rho")
    if state.shape != (system.dimension,) * 2 or state.dtype.kind not in "fc":
        raise InputError(
            f"rho of shape {state.shape} and dtype {state.dtype}: a ({system.dimension}, "
            f"{system.dimension}) density matrix is needed"
        )
    if not np.isfinite(state).all():
        raise InputError("rho: all entries must be finite")
    deviation = float(np.abs(state - adjoint(state)).max())
    trace = complex(np.trace(state))
    if deviation > _TOLERANCE or not math.isclose(abs(trace - 1.0), 0.0, abs_tol=_TOLERANCE):
        raise InputError(
            f"rho has the trace {trace:.6g} and max |ρ - ρ†| = {deviation:.3g}: a density matrix "
            "is needed"
        )
    return Problem([system], baths, lamb_shift), 0.5 * (state + adjoint(state))
