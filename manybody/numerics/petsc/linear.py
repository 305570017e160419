"""Linear equations and eigenvalues in states that are spread by columns over ranks."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from manybody.arrays import Complex
from manybody.errors import NumericalError, Unavailable
from manybody.numerics.columns import Columns
from manybody.numerics.petsc.assembled import AssembledOperator
from manybody.numerics.petsc.runtime import freed, handle, has_mumps, own_errors, petsc, slepc

Map = Callable[[Complex], Complex]

RESTART = 50
# Solutions by factors of PETSc's own, the first included.
_REFINEMENTS = 4


def solve(
    apply: Map,
    precondition: Map,
    right: Complex,
    start: Complex,
    columns: Columns,
    tolerance: float,
    max_iterations: int,
) -> tuple[Complex, int, bool]:
    """Solve apply(x) = right by GMRES, preconditioned from the right.

    apply, precondition: complex-linear maps of blocks (1, N, m), collective; right, start:
    such blocks; tolerance: of the Frobenius norm of the residual.  Returns the last x,
    the number of iterations and whether the tolerance was met.
    """
    module = petsc()
    with _space(apply, start, columns) as (matrix, x, owned):
        b = x.duplicate()
        owned.append(b)
        b.getArray()[...] = right.ravel()
        solver = module.KSP().create(comm=handle(columns.comm))
        owned.append(solver)
        solver.setOperators(matrix)
        solver.setType(module.KSP.Type.GMRES)
        solver.setGMRESRestart(RESTART)
        # From the right, so that the residual is that of the equation.
        solver.setPCSide(module.PC.Side.RIGHT)
        solver.setInitialGuessNonzero(True)
        solver.setTolerances(rtol=1e-30, atol=tolerance, divtol=1e30, max_it=max_iterations)
        with freed(solver.getPC()) as preconditioner:
            preconditioner.setType(module.PC.Type.PYTHON)
            preconditioner.setPythonContext(_Shell(precondition, right.shape))
        solver.solve(b, x)
        values = x.getArray(readonly=True).copy().reshape(right.shape)
        return values, int(solver.getIterationNumber()), solver.getConvergedReason() > 0


def nearest_modes(
    invert: Map, start: Complex, columns: Columns, shift: complex, n_modes: int, tolerance: float
) -> list[tuple[complex, Complex]]:
    """Eigenvalues of L nearest to a shift with their modes, by Krylov-Schur on (L − shift)⁻¹.

    invert: x -> (L − shift)⁻¹ x on blocks (1, N, m), collective; start: the first vector;
    tolerance: of SLEPc's relative error estimate of an eigenvalue of the inverse.
    Returns those that converged, nearest first; they may be fewer than `n_modes`.
    """
    size = min(n_modes, columns.dimension**2)
    with _krylov_schur(invert, start, columns) as (solver, first):
        solver.setWhichEigenpairs(slepc().EPS.Which.LARGEST_MAGNITUDE)
        solver.setDimensions(nev=size)
        solver.setTolerances(tolerance, 100)
        solver.solve()
        real, imaginary = first.duplicate(), first.duplicate()
        found = []
        try:
            for index in range(solver.getConverged()):
                value = solver.getEigenpair(index, real, imaginary)
                if value == 0.0:
                    # A direction that `invert` drops.
                    continue
                mode = real.getArray(readonly=True).copy().reshape(start.shape)
                found.append((shift + 1.0 / value, mode))
        finally:
            _destroy([real, imaginary])
    if columns.comm is not None:
        # Every rank solves the small problem for itself: to rounding.
        values = columns.comm.bcast([value for value, _ in found])
        found = [(value, mode) for value, (_, mode) in zip(values, found)]
    return found


def rightmost_values(
    apply: Map, start: Complex, columns: Columns, n_vectors: int
) -> list[complex]:
    """Rough eigenvalues of a map with the largest real parts, from a Krylov space of its own.

    apply: complex-linear map of blocks (1, N, m), collective; n_vectors: of the space, which
    is restarted ten times.  Returns those that converged to a hundredth, or the best there is.
    """
    size = min(n_vectors, columns.dimension**2)
    with _krylov_schur(apply, start, columns) as (solver, _):
        solver.setWhichEigenpairs(slepc().EPS.Which.LARGEST_REAL)
        solver.setDimensions(nev=min(2, size), ncv=size)
        solver.setTolerances(1e-2, 10)
        solver.solve()
        values = [complex(solver.getEigenvalue(k)) for k in range(solver.getConverged())]
    return values if columns.comm is None else list(columns.comm.bcast(values))


@contextlib.contextmanager
def _krylov_schur(apply: Map, start: Complex, columns: Columns) -> Iterator[tuple[Any, Any]]:
    """(EPS for a complex-linear map of blocks, its first vector `start`), freed at the end."""
    module = slepc()
    with _space(apply, start, columns) as (matrix, first, owned):
        solver = module.EPS().create(comm=handle(columns.comm))
        owned.append(solver)
        solver.setOperators(matrix)
        solver.setProblemType(module.EPS.ProblemType.NHEP)
        solver.setType(module.EPS.Type.KRYLOVSCHUR)
        solver.setInitialSpace([first])
        yield solver, first


@contextlib.contextmanager
def _space(apply: Map, start: Complex, columns: Columns) -> Iterator[tuple[Any, Any, list[Any]]]:
    """(matrix of a complex-linear map of blocks, vector `start`, all that is freed at the end).

    Handles that PETSc gives out (of operators, of parts) must not be dropped: what Python
    collects on one rank and not yet on another lets the end of the program wait for ever.
    """
    module, comm = petsc(), handle(columns.comm)
    sizes = (start.size, columns.dimension**2)
    owned: list[Any] = []
    try:
        shell = _Shell(apply, start.shape)
        matrix = module.Mat().createPython((sizes, sizes), context=shell, comm=comm)
        matrix.setUp()
        owned.append(matrix)
        vector = module.Vec().createMPI(sizes, comm=comm)
        owned.append(vector)
        vector.getArray()[...] = start.ravel()
        yield matrix, vector, owned
    finally:
        _destroy(owned)


class Resolvent:
    """x -> (L − shift)⁻¹ x by a sparse LU factorisation of an assembled L; collective.

    operator: of numerics.petsc.assembled; shift: no eigenvalue of L.  By MUMPS where PETSc
    has it, else by PETSc's own LU, refined, on one process.  A Liouvillian fills in almost
    completely: 16 N⁴ bytes.  Raises RuntimeError when the factorisation fails or nothing can
    do it.
    """

    def __init__(self, operator: AssembledOperator, shift: complex) -> None:
        module, package = petsc(), "mumps" if has_mumps() else "petsc"
        if package == "petsc" and operator.columns.comm is not None:
            raise Unavailable(
                "a factorisation on several ranks needs MUMPS, which this PETSc is built without: "
                "one process does without"
            )
        self._width = operator.shape
        matrix = operator.matrix.copy()
        self._owned: list[Any] = [matrix]
        matrix.shift(-shift)
        self._solver = module.KSP().create(comm=matrix.getComm())
        self._owned.append(self._solver)
        self._solver.setOperators(matrix)
        self._solver.setType(module.KSP.Type.PREONLY)
        if package == "petsc":
            # It does not pivot, which costs five digits: what is left is solved for again.
            self._solver.setType(module.KSP.Type.RICHARDSON)
            self._solver.setNormType(module.KSP.NormType.NONE)
            self._solver.setTolerances(max_it=_REFINEMENTS)
        with freed(self._solver.getPC()) as factor:
            factor.setType(module.PC.Type.LU)
            factor.setFactorSolverType(package)
        self._solver.setUp()
        self._right, self._left = matrix.createVecs()
        self._owned += [self._right, self._left]

    def __call__(self, x: Complex) -> Complex:
        """Of a block (1, N, m)."""
        _, n, m = self._width
        self._left.getArray().reshape(m, n)[...] = x[0].T
        self._solver.solve(self._left, self._right)
        if self._solver.getConvergedReason() < 0:
            raise NumericalError(f"LU failed: PETSc reason {self._solver.getConvergedReason()}")
        solution: Complex = self._right.getArray(readonly=True).reshape(m, n).T.copy()[None]
        return solution

    def destroy(self) -> None:
        """Free the factors; collective."""
        _destroy(self._owned)


def _destroy(owned: list[Any]) -> None:
    """Free PETSc objects; one that an exception has left at work stays, and hides nothing."""
    for item in reversed(owned):
        with contextlib.suppress(petsc().Error), own_errors():
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
