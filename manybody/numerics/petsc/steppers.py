"""PETSc TS and SLEPc MFN behind the Stepper interface, one sample at a time."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError, NumericalError
from manybody.numerics.dense import advance_one_by_one
from manybody.numerics.petsc.operators import ShellMatrix, handle, layout, shell_matrix
from manybody.numerics.petsc.runtime import Options, part_of_solver, petsc, slepc
from manybody.numerics.protocols import (
    Bounds,
    Linearity,
    Operator,
    Segment,
    Solution,
    Stepper,
    cut,
    one_by_one,
)

_SEGMENT = 10.0
# PETSC_ERR_NOT_CONVERGED: what TS raises when it has rejected too many steps.
_NOT_CONVERGED = 91


def build_petsc_stepper(name: str, tolerance: float, petsc_options: str, prefix: str) -> Stepper:
    """The stepper "ts-…" or "mfn-…"; see numerics.steppers.build_stepper."""
    module = petsc()
    kind, scheme = name.split("-", maxsplit=1)
    stepper: MatrixFunction | TimeStepper
    if kind == "mfn":
        module = slepc()
        stepper = MatrixFunction(name, scheme, tolerance, petsc_options, prefix)
        trial = module.MFN().create(comm=petsc().COMM_SELF)
    else:
        stepper = TimeStepper(name, scheme, tolerance, petsc_options, prefix)
        trial = module.TS().create(comm=module.COMM_SELF)
    # PETSc looks at values when a solver reads them: better now than mid-run.
    try:
        trial.setOptionsPrefix(prefix)
        with stepper.options:
            trial.setFromOptions()
    except petsc().Error as error:
        raise InputError(
            f"petsc_options = {petsc_options!r}: PETSc refuses them: {error}"
        ) from error
    finally:
        trial.destroy()
    return stepper


class _PetscStepper(ABC):
    """What both kinds share: options, segments, one sample after the other."""

    # The map that `advance` must be given.
    linearity: Linearity = "hermitian"

    def __init__(
        self, name: str, scheme: str, tolerance: float, petsc_options: str, prefix: str
    ) -> None:
        self.name = name
        self.tolerance = tolerance
        self._scheme = scheme
        self._prefix = prefix
        self.options = Options(petsc_options, prefix)

    def stacks(self, bounds: Bounds, times: Real) -> list[NDArray[np.intp]]:
        """Every sample on its own: the steps adapt to one."""
        return one_by_one(bounds)

    def segments(self, bounds: Bounds, times: Real, most: float = np.inf) -> list[Segment]:
        """Segments of 10, or what fits; adaptive steps cannot promise `most`."""
        return cut(times, _SEGMENT)

    def advance(self, operator: Operator, state: Complex, segment: Segment) -> Solution:
        """From output time to output time, PETSc objects destroyed at the end."""
        if operator.shape[0] != 1:
            raise ValueError(f"{self.name} takes one sample, got a stack of {operator.shape[0]}")
        if operator.linearity != self.linearity:
            raise ValueError(
                f"{self.name} needs the {self.linearity} map, got {operator.linearity}"
            )
        vector = petsc().Vec().createMPI(layout(operator), comm=handle(operator))
        try:
            with self.options:
                return self._solve(operator, state, segment, vector)
        finally:
            vector.destroy()

    @abstractmethod
    def _solve(
        self, operator: Operator, state: Complex, segment: Segment, vector: Any
    ) -> Solution:
        """Solve with the user's options in force."""

    def _estimate(self, actions: int) -> float:
        """Errors of `actions` steps; nan when a user's options may have changed them."""
        return float("nan") if self.options else actions * self.tolerance


class TimeStepper(_PetscStepper):
    """PETSc TS: rk5dp, rk8vr (explicit) and arkimex4 (implicit, order 4).

    tolerance: bound on the Frobenius norm of each local error; the estimate is
    the number of steps times it, or nan with options of the user's.
    """

    def __init__(
        self, name: str, scheme: str, tolerance: float, petsc_options: str, prefix: str
    ) -> None:
        super().__init__(name, scheme, tolerance, petsc_options, prefix)
        # Krylov solves inside an implicit step form complex combinations.
        if scheme.startswith("arkimex"):
            self.linearity = "complex"

    def _solve(
        self, operator: Operator, state: Complex, segment: Segment, vector: Any
    ) -> Solution:
        context = ShellMatrix(operator)
        module = petsc()
        ts = module.TS().create(comm=handle(operator))
        owned: list[Any] = [ts]
        contexts = [context]
        try:
            ts.setOptionsPrefix(self._prefix)
            ts.setProblemType(module.TS.ProblemType.NONLINEAR)
            if self._scheme.startswith("rk"):
                ts.setType(module.TS.Type.RK)
                ts.setRKType(self._scheme[2:])
                work = vector.duplicate()
                owned.append(work)
                ts.setRHSFunction(_explicit(context), work)
            else:
                contexts.append(self._make_implicit(ts, context, operator, owned))
            ts.setExactFinalTime(module.TS.ExactFinalTime.MATCHSTEP)
            # TS weighs the root mean square; a Frobenius norm is N times that.
            ts.setTolerances(rtol=0.0, atol=self.tolerance / operator.shape[1])
            box = operator.spectral_box[0]
            step = 0.1 / max(box[0], -box[1], 1e-3)

            def integrate(
                _operator: Operator, x: Complex, start: float, stop: float
            ) -> tuple[Complex, int, float]:
                nonlocal step
                before = sum(shell.applications for shell in contexts)
                vector.getArray()[...] = x.ravel()
                ts.setTime(start)
                ts.setStepNumber(0)
                ts.setMaxSteps(1_000_000_000)
                ts.setMaxTime(stop)
                ts.setTimeStep(min(step, stop - start))
                # Last, so that what the user asked for wins.
                ts.setFromOptions()
                try:
                    ts.solve(vector)
                except module.Error as error:
                    # Decided from norms, on every rank; other errors may be of one.
                    if error.ierr != _NOT_CONVERGED:
                        raise
                    raise NumericalError(
                        f"{self.name} stopped at t = {ts.getTime():g} instead of {stop:g}: "
                        "PETSc found no step that meets the tolerance"
                    ) from error
                reason = ts.getConvergedReason()
                # PETSc counts a spent number of steps as converged.
                if reason <= 0 or abs(ts.getTime() - stop) > 1e-12 * stop:
                    raise NumericalError(
                        f"{self.name} stopped at t = {ts.getTime():g} instead of {stop:g}: "
                        f"PETSc reason {reason}"
                    )
                steps = ts.getStepNumber()
                result = vector.getArray(readonly=True).copy().reshape(x.shape)
                if steps > 1:
                    step = (stop - start) / steps
                used = sum(shell.applications for shell in contexts) - before
                return result, used, self._estimate(steps)

            return advance_one_by_one(operator, state, segment, integrate)
        finally:
            for item in owned:
                item.destroy()

    def _make_implicit(
        self, ts: Any, context: ShellMatrix, operator: Operator, owned: list[Any]
    ) -> ShellMatrix:
        """Set up an implicit scheme; returns the shell of its Jacobian."""
        module = petsc()
        # A shell of its own: its shift and scale belong to one Newton step.
        jacobian_context = ShellMatrix(operator)
        jacobian = shell_matrix(jacobian_context, operator)
        owned.append(jacobian)

        def residual(_ts: Any, _time: float, u: Any, rate: Any, out: Any) -> None:
            values = context.apply(u.getArray(readonly=True))
            out.getArray()[...] = rate.getArray(readonly=True) - values

        def linearise(
            _ts: Any, _time: float, _u: Any, _rate: Any, shift: float, matrix: Any, _pc: Any
        ) -> None:
            jacobian_context.scale_factor = -1.0
            jacobian_context.shift_term = shift
            matrix.assemble()

        ts.setType(module.TS.Type.ARKIMEX)
        ts.setARKIMEXType("4")
        ts.setARKIMEXFullyImplicit(True)
        ts.setIFunction(residual, None)
        ts.setIJacobian(linearise, jacobian)
        with part_of_solver(ts.getSNES()) as snes, part_of_solver(snes.getKSP()) as ksp:
            snes.setType(module.SNES.Type.KSPONLY)
            ksp.setType(module.KSP.Type.GMRES)
            with part_of_solver(ksp.getPC()) as preconditioner:
                preconditioner.setType(module.PC.Type.NONE)
            # The linear solves must not be what limits a local error of `tolerance`.
            ksp.setTolerances(rtol=1e-13, atol=1e-3 * self.tolerance, max_it=500)
        return jacobian_context


class MatrixFunction(_PetscStepper):
    """SLEPc MFN: e^{LΔ} x from output time to output time, "krylov" or "expokit".

    tolerance: bound on the Frobenius norm of the error of each action, as SLEPc
    estimates it; the estimates add up, nan with options of the user's.
    """

    # Once a Krylov space is exhausted its next vector is rounding, and not Hermitian.
    linearity: Linearity = "complex"

    def _solve(
        self, operator: Operator, state: Complex, segment: Segment, vector: Any
    ) -> Solution:
        context = ShellMatrix(operator)
        module = slepc()
        matrix = shell_matrix(context, operator)
        result = vector.duplicate()
        mfn = module.MFN().create(comm=handle(operator))
        function = None
        try:
            mfn.setOptionsPrefix(self._prefix)
            mfn.setOperator(matrix)
            mfn.setType(self._scheme)
            function = mfn.getFN()
            function.setType(module.FN.Type.EXP)

            def integrate(
                _operator: Operator, x: Complex, start: float, stop: float
            ) -> tuple[Complex, int, float]:
                before = context.applications
                # The relative tolerance of SLEPc, for a state of this size.
                square = operator.columns.total(np.array(np.vdot(x, x).real))
                size = float(np.sqrt(square))
                mfn.setTolerances(self.tolerance / max(size, 1e-300), 10_000)
                mfn.setFromOptions()
                function.setScale(stop - start, 1.0)
                vector.getArray()[...] = x.ravel()
                mfn.solve(vector, result)
                reason = mfn.getConvergedReason()
                if reason <= 0:
                    raise NumericalError(
                        f"{self.name} did not converge from t = {start:g} to {stop:g}: "
                        f"SLEPc reason {reason}"
                    )
                values = result.getArray(readonly=True).copy().reshape(x.shape)
                return values, context.applications - before, self._estimate(1)

            return advance_one_by_one(operator, state, segment, integrate)
        finally:
            for item in (function, mfn, matrix, result):
                if item is not None:
                    item.destroy()


def _explicit(context: ShellMatrix) -> Callable[[Any, float, Any, Any], None]:
    def right_hand_side(_ts: Any, _time: float, u: Any, out: Any) -> None:
        out.getArray()[...] = context.apply(u.getArray(readonly=True))

    return right_hand_side
