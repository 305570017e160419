"""GMRES of PETSc for linear equations in states that are spread by columns over ranks."""

from collections.abc import Callable
from typing import Any

import numpy as np

from manybody.numerics.columns import Columns
from manybody.numerics.petsc.runtime import petsc
from manybody.numerics.protocols import Array

Map = Callable[[Array], Array]

RESTART = 50


def solve(
    apply: Map,
    precondition: Map,
    right: Array,
    start: Array,
    columns: Columns,
    tolerance: float,
    max_iterations: int,
) -> tuple[Array, int, bool]:
    """Solve apply(x) = right by GMRES, preconditioned from the right.

    apply, precondition: complex-linear maps of blocks (1, N, m), collective; right, start:
    such blocks; tolerance: of the Frobenius norm of the residual.  Returns the last x,
    the number of iterations and whether the tolerance was met.
    """
    module = petsc()
    comm = module.COMM_SELF if columns.comm is None else columns.comm
    sizes = (right.size, columns.dimension**2)
    owned: list[Any] = []
    try:
        matrix = module.Mat().createPython(
            (sizes, sizes), context=_Shell(apply, right.shape), comm=comm
        )
        matrix.setUp()
        owned.append(matrix)
        x = module.Vec().createMPI(sizes, comm=comm)
        b = x.duplicate()
        owned += [x, b]
        x.getArray()[...] = start.ravel()
        b.getArray()[...] = right.ravel()
        solver = module.KSP().create(comm=comm)
        owned.append(solver)
        solver.setOperators(matrix)
        solver.setType(module.KSP.Type.GMRES)
        solver.setGMRESRestart(RESTART)
        # From the right, so that the residual is that of the equation.
        solver.setPCSide(module.PC.Side.RIGHT)
        solver.setInitialGuessNonzero(True)
        solver.setTolerances(rtol=1e-30, atol=tolerance, divtol=1e30, max_it=max_iterations)
        preconditioner = solver.getPC()
        preconditioner.setType(module.PC.Type.PYTHON)
        preconditioner.setPythonContext(_Shell(precondition, right.shape))
        solver.solve(b, x)
        values = x.getArray(readonly=True).copy().reshape(right.shape)
        return values, int(solver.getIterationNumber()), solver.getConvergedReason() > 0
    finally:
        for item in reversed(owned):
            item.destroy()


class _Shell:
    """Python context of a matrix and of a preconditioner."""

    def __init__(self, action: Map, shape: tuple[int, ...]) -> None:
        self._action, self._shape = action, shape

    def mult(self, _matrix: Any, x: Any, y: Any) -> None:
        """PETSc MatMult."""
        self._write(x, y)

    def apply(self, _preconditioner: Any, x: Any, y: Any) -> None:
        """PETSc PCApply."""
        self._write(x, y)

    def _write(self, x: Any, y: Any) -> None:
        source = np.array(x.getArray(readonly=True)).reshape(self._shape)
        y.getArray()[...] = self._action(source).ravel()
