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

    damping: ‖R_R − R_D‖_F / ‖R_D − ih‖_F;  filling: ‖F_R − F_D‖_F / ‖F_D‖_F.
    Rounding for identical contacts on all sites (SNM eq. (12)); inf where the Davies part
    vanishes and the Redfield part does not.
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
    """The distance; each equation assembled on its own.

    clustering: False lets Davies keep only m = n, wrong for degenerate modes unless every
    site has an equal contact.  undecided: as in `build_generator`.
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
