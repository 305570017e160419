"""Couplings without the part that is a number, which exchanges no energy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.physics.couplings import Couplings, DiagonalCouplings, MatrixCouplings

_EPSILON = float(np.finfo(np.float64).eps)


def traceless(couplings: Couplings) -> Couplings:
    """A_j − tr A_j / D of every coupling, exactly 0 where rounding could be all that is left.

    Without Lamb shift no equation changes with A_j → A_j + c (docs/physics.md section 10).
    """
    if isinstance(couplings, DiagonalCouplings):
        values = couplings.values - couplings.values.mean(axis=1, keepdims=True)
        return DiagonalCouplings(_without_rounding(values, couplings.values))
    arrays = np.stack(list(couplings.matrices()))
    means = np.trace(arrays, axis1=1, axis2=2).real / couplings.dimension
    shifted = arrays - means[:, None, None] * np.eye(couplings.dimension)
    return MatrixCouplings(_without_rounding(shifted, arrays))


def _without_rounding(shifted: NDArray[Any], given: NDArray[Any]) -> NDArray[Any]:
    axes = tuple(range(1, given.ndim))
    known = given.shape[-1] * _EPSILON * np.abs(given).max(axis=axes, keepdims=True)
    rest = np.abs(shifted).max(axis=axes, keepdims=True)
    return np.where(rest <= known, 0.0, shifted)
