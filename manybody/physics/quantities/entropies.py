"""Von Neumann entropy of whole or reduced states, positive or not."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.physics.quantities.norms import eigenvalues


class Entropy(NamedTuple):
    """Von Neumann entropy and what it leaves out.

    value: (...,) −Σ λ ln λ over the eigenvalues λ > 0; negative_weight: (...,) Σ |λ| over λ < 0.
    """

    value: Real
    negative_weight: Real


def von_neumann_entropy(states: NDArray[Any]) -> Entropy:
    """−tr ρ ln ρ of Hermitian ρ, natural logarithm.  (..., D, D) -> (...) twice.

    A Redfield ρ may have eigenvalues below zero, of which there is no logarithm: they count for
    nothing, the others as they are (their sum is then 1 + negative weight), and the negative
    weight says how far the value can be trusted.
    """
    return entropy_of_eigenvalues(eigenvalues(states))


def entropy_of_eigenvalues(values: Real) -> Entropy:
    """`von_neumann_entropy` of states with these eigenvalues.  (..., D) -> (...) twice."""
    from scipy.special import entr  # which takes long to import

    value: Real = entr(np.maximum(values, 0.0)).sum(axis=-1)
    return Entropy(value, -np.minimum(values, 0.0).sum(axis=-1))
