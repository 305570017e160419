"""An Operator of ours as a PETSc shell matrix on the ranks that share it."""

from typing import Any

import numpy as np

from manybody.numerics.petsc.runtime import handle, petsc
from manybody.numerics.protocols import Operator


class ShellMatrix:
    """Python context of `shift · 1 + scale · L` for one sample.

    PETSc scales and shifts Jacobians in place; both are kept here, so the
    operator itself is never altered.
    """

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._out = np.empty(operator.shape, dtype=np.complex128)
        self.scale_factor: complex = 1.0
        self.shift_term: complex = 0.0
        self.applications = 0

    def apply(self, x: Any) -> Any:
        """L[x] of a flat array; the result is overwritten by the next call."""
        self.applications += 1
        self._operator.apply(x.reshape(self._operator.shape), self._out)
        return self._out.ravel()

    def mult(self, _matrix: Any, x: Any, y: Any) -> None:
        """PETSc MatMult."""
        source = x.getArray(readonly=True)
        result = self.scale_factor * self.apply(source)
        if self.shift_term != 0.0:
            result += self.shift_term * source
        y.getArray()[...] = result

    def scale(self, _matrix: Any, factor: complex) -> None:
        """PETSc MatScale."""
        self.scale_factor *= factor
        self.shift_term *= factor

    def shift(self, _matrix: Any, amount: complex) -> None:
        """PETSc MatShift."""
        self.shift_term += amount

    def norm(self, _matrix: Any, _kind: Any = None) -> float:
        """PETSc MatNorm, which expokit wants for its step: the corner of the spectral box."""
        box = self._operator.spectral_box[0]
        return float(np.hypot(box[0], max(-box[1], box[2])))


def shell_matrix(context: ShellMatrix, operator: Operator) -> Any:
    """PETSc shell matrix over `context`; the caller destroys it."""
    sizes = layout(operator)
    comm = handle(operator.columns.comm)
    matrix = petsc().Mat().createPython((sizes, sizes), context=context, comm=comm)
    matrix.setUp()
    return matrix


def layout(operator: Operator) -> tuple[int, int]:
    """(elements of a state on this rank, on all ranks)."""
    _, dimension, width = operator.shape
    return dimension * width, dimension * dimension
