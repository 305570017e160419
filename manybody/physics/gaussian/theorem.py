"""How far Redfield and Davies are apart for a quadratic model: SNM's main result in numbers.

SNM is a paper that docs/physics.md names.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.physics.gaussian.correlations import (
    DAVIES,
    REDFIELD,
    build_generator,
    build_generators,
)
from manybody.physics.gaussian.quadratic import FERMION, QuadraticModel
from manybody.physics.underflow import zero_where_tiny


@dataclass(frozen=True)
class TheoremResidual:
    """Distance of the Redfield and the Davies equation of one model.

    Attributes
    ----------
    damping : float
        ‖R_R − R_D‖_F / ‖R_D − ih‖_F.
    filling : float
        ‖F_R − F_D‖_F / ‖F_D‖_F.

    Notes
    -----
    Rounding for identical contacts on all sites, Shiraishi, Nakagawa and Mori (2025), eq. (12);
    inf where the Davies part vanishes and the Redfield part does not.

    Examples
    --------
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=0.1, half_width=4.0), beta=1.0)
    >>> one = mb.QuadraticModel([[0.3, 0.5], [0.5, -0.3]], [mb.Contact(0, lead)])
    >>> mb.theorem_residual(one).damping > 0.1
    True
    """

    damping: float
    filling: float

    @property
    def largest(self) -> float:
        """The larger of the two."""
        return max(self.damping, self.filling)


@zero_where_tiny
def theorem_residual(
    model: QuadraticModel,
    lamb_shift: bool = False,
    clustering: bool = True,
    undecided: str | None = None,
) -> TheoremResidual:
    """How far Redfield and Davies are apart for a quadratic model, each assembled on its own.

    Parameters
    ----------
    model : QuadraticModel
        With contacts.
    lamb_shift : bool, default False
        With Δ and Δ^f or without.
    clustering : bool, default True
        False lets Davies keep only m = n, wrong for degenerate modes unless every site has an
        equal contact.
    undecided : {"apart", "merged"} or None, default None
        What Davies does with levels of which it cannot be decided whether they are equal; None for
        apart with a warning.

    Returns
    -------
    TheoremResidual
        Of damping and filling.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    The main result of Shiraishi, Nakagawa and Mori (2025), eq. (12), in numbers; docs/physics.md
    section 6.

    Examples
    --------
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=0.1, half_width=4.0), beta=1.0)
    >>> everywhere = mb.from_single_particle(mb.dirac_syk2(n_sites=8, seed=7), lead)
    >>> mb.theorem_residual(everywhere).largest < 1e-12
    True
    """
    equations = (REDFIELD, DAVIES)
    redfield, davies = build_generators(model, equations, lamb_shift, clustering, undecided)
    return TheoremResidual(
        _relative(redfield.damping, davies.damping), _relative(redfield.filling, davies.filling)
    )


def unclustered_residual(model: QuadraticModel, lamb_shift: bool = False) -> float:
    """‖L_U − L_D‖_F / ‖L_D − unitary part‖_F on coherences of one-particle states.

    L_U is the Davies equation that fails to see that transitions |S⟩ → |S + m⟩ of all S
    share the frequency ω_m.  The coherence of |m⟩ and |n⟩ then loses e_m + e_n besides,
    e_m = ½ Σ_k g_k ∓ g_m with g_m the rate at which mode m is filled (− for fermions):
    the transitions of the other modes break it, and nothing is fed back.  Grows with N.

    Defined for levels without degeneracy; raises ValueError otherwise.
    """
    davies = build_generator(model, DAVIES, lamb_shift)
    if davies.levels[-1] + 1 < davies.n_sites:
        raise InputError(
            f"the Hamiltonian has {davies.levels[-1] + 1} different levels of {davies.n_sites}: "
            "the unclustered equation depends on the choice of vectors"
        )
    gain = 2.0 * np.diagonal(davies.filling).real
    sign = -1.0 if model.statistics == FERMION else 1.0
    excess = 0.5 * gain.sum() + sign * gain
    wrong = excess[:, None] + excess[None, :]
    np.fill_diagonal(wrong, 0.0)
    half = np.diagonal(davies.damping)
    return _ratio(float(np.linalg.norm(wrong)), _norm(half[:, None] + half.conj()[None, :]))


def _relative(full: NDArray[Any], secular: NDArray[Any]) -> float:
    return _ratio(_norm(full - secular), _norm(secular))


def _norm(matrix: NDArray[Any]) -> float:
    return float(np.linalg.norm(matrix))


def _ratio(numerator: float, denominator: float) -> float:
    if denominator == 0.0:
        return 0.0 if numerator == 0.0 else math.inf
    return numerator / denominator
