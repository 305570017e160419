"""PETSc TS and SLEPc MFN behind the Stepper interface, one sample at a time."""

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from manybody.arrays import Complex
from manybody.errors import InputError, NumericalError, shown
from manybody.numerics.dense import advance_one_by_one
from manybody.numerics.petsc.operators import ShellMatrix, layout, shell_matrix
from manybody.numerics.petsc.runtime import Options, freed, handle, meant, own_errors, petsc, slepc
from manybody.numerics.protocols import Operator, Segment, Solution, Stepper

# PETSC_ERR_NOT_CONVERGED: what TS raises when it has rejected too many steps.
_NOT_CONVERGED = 91


class _PetscStepper(Stepper):
    """A stepper of PETSc or SLEPc: schemes, options, one sample after the other.

    Parameters
    ----------
    scheme : str
        One of `schemes`.
    options : str, default ""
        PETSc options as on a command line, their names begin with "redfield_".
    tolerance : float or None, default None
        See `Stepper`.

    Attributes
    ----------
    schemes : mapping of str to (float, float)
        Relative applications and vectors of the size of ρ of each scheme, about.

    Raises
    ------
    InputError
        There is no such scheme, or no solver would read the options.
    """

    library = "PETSc"
    # Scheme -> relative applications, vectors of the size of ρ; about.
    schemes: ClassVar[Mapping[str, tuple[float, float]]]

    def __init__(self, scheme: str, options: str = "", tolerance: float | None = None) -> None:
        super().__init__(tolerance)
        if not isinstance(scheme, str) or scheme not in self.schemes:
            raise InputError(f"scheme = {shown(scheme)}: must be one of {', '.join(self.schemes)}")
        self._scheme, self._text, self._prefix = scheme, options, "redfield_"
        self.options = Options(options, self._prefix)
        self.relative_applications, self._vectors = self.schemes[scheme]

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]} {self._text!r}>" if self._text else super().__repr__()

    def vectors(self, n_sites: int, n_times: int) -> float:
        """Vectors of the size of ρ that the scheme works with."""
        return self._vectors

    def configured(self, tolerance: float | None, petsc_options: str, prefix: str) -> Self:
        """A copy with what the call says.

        Raises
        ------
        InputError
            There are options that no solver would read, or they are given twice.
        """
        if petsc_options and self._text:
            raise InputError(
                f"petsc_options = {shown(petsc_options)}: the stepper has {self._text!r} already"
            )
        other = super().configured(tolerance, "", prefix)
        other._text = petsc_options or self._text
        other._prefix, other.options = prefix, Options(other._text, prefix)
        return other

    def require(self) -> None:
        """Refuse a machine without the library, and options that it refuses.

        PETSc looks at values when a solver reads them: better now than mid-run.

        Raises
        ------
        Unavailable
            The library is missing.
        InputError
            PETSc refuses the options.
        """
        with freed(self._make().create(comm=handle(None))) as trial:
            trial.setOptionsPrefix(self._prefix)
            with contextlib.ExitStack() as owned:
                self._set_scheme(trial, owned)
            try:
                with self.options, own_errors():
                    trial.setFromOptions()
                    unread = self.options.unread()
            except petsc().Error as error:
                # The last line says why, "[0]" for the rank, those before where in PETSc.
                why = str(error).splitlines()[-1].partition("] ")[2].strip()
                raise InputError(
                    f"petsc_options = {self._text!r}: PETSc refuses them: {why}"
                ) from error
        if unread:
            raise InputError(
                f"petsc_options = {self._text!r}: no solver of stepper {self.name!r} reads "
                f"-{unread[0]}{meant(unread[0], self._prefix)}"
            )

    @abstractmethod
    def _make(self) -> Any:
        """A solver of PETSc or SLEPc that is not created yet.  Raises RuntimeError."""

    @abstractmethod
    def _set_scheme(self, solver: Any, owned: contextlib.ExitStack) -> None:
        """Choose the scheme of a new solver; owned: takes what must be given back."""

    def advance(self, operator: Operator, state: Complex, segment: Segment) -> Solution:
        """Integrate from output time to output time, PETSc objects destroyed at the end.

        Parameters
        ----------
        operator : Operator
            L of dx/dt = L[x], of one sample.
        state : (1, N, m) array of complex
            At segment.start.
        segment : Segment
            Where it goes, the output times in it, and its share of the tolerance.

        Raises
        ------
        InputError
            The operator is of several samples, or applies another map than is needed.
        NumericalError
            The scheme does not converge.
        """
        if operator.shape[0] != 1:
            raise InputError(f"{self.name} takes one sample, got a stack of {operator.shape[0]}")
        if operator.linearity != self.linearity:
            raise InputError(
                f"{self.name} needs the {self.linearity} map, got {operator.linearity}"
            )
        comm = handle(operator.columns.comm)
        with freed(petsc().Vec().createMPI(layout(operator), comm=comm)) as vector, self.options:
            return self._solve(operator, state, segment, vector)

    @abstractmethod
    def _solve(
        self, operator: Operator, state: Complex, segment: Segment, vector: Any
    ) -> Solution:
        """Solve with the user's options in force."""

    def _estimate(self, actions: int) -> float:
        """Errors of `actions` steps; nan when a user's options may have changed them."""
        return float("nan") if self.options else actions * self.tolerance


class PetscTS(_PetscStepper):
    """PETSc TS: "5dp", "8vr" (explicit Runge-Kutta) and "arkimex4" (implicit, order 4).

    Parameters
    ----------
    scheme : {"5dp", "8vr", "arkimex4"}
        What PETSc calls it.
    options : str, default ""
        PETSc options as on a command line, their names begin with "redfield_".
    tolerance : float or None, default None
        Bound on the Frobenius norm of each local error, in [1e-13, 0.01]; the estimate is the
        number of steps times it, or nan with options of the user's.  None takes that of the call.

    Raises
    ------
    InputError
        There is no such scheme, no solver would read the options, or the tolerance is out of
        range.

    Notes
    -----
    Needs PETSc when it is used, not when it is made; docs/physics.md section 5.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.PetscTS("8vr", tolerance=1e-8).name
    'ts-rk8vr'
    """

    schemes = {"5dp": (60.0, 12.0), "8vr": (22.0, 18.0), "arkimex4": (500.0, 45.0)}

    def __init__(self, scheme: str, options: str = "", tolerance: float | None = None) -> None:
        super().__init__(scheme, options, tolerance)
        self._implicit = scheme == "arkimex4"
        self.name = f"ts-{scheme}" if self._implicit else f"ts-rk{scheme}"
        # Krylov solves inside an implicit step form complex combinations.
        self.linearity = "complex" if self._implicit else "hermitian"

    def _make(self) -> Any:
        return petsc().TS()

    def _solve(
        self, operator: Operator, state: Complex, segment: Segment, vector: Any
    ) -> Solution:
        context = ShellMatrix(operator)
        module = petsc()
        contexts = [context]
        with contextlib.ExitStack() as owned:
            ts = owned.enter_context(freed(self._make().create(handle(operator.columns.comm))))
            ts.setOptionsPrefix(self._prefix)
            ts.setProblemType(module.TS.ProblemType.NONLINEAR)
            self._set_scheme(ts, owned)
            if self._implicit:
                contexts.append(_make_implicit(ts, context, operator, owned))
            else:
                work = owned.enter_context(freed(vector.duplicate()))
                ts.setRHSFunction(_explicit(context), work)
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
                    with own_errors():
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

    def _set_scheme(self, solver: Any, owned: contextlib.ExitStack) -> None:
        module = petsc()
        if not self._implicit:
            solver.setType(module.TS.Type.RK)
            solver.setRKType(self._scheme)
            return
        solver.setType(module.TS.Type.ARKIMEX)
        solver.setARKIMEXType("4")
        solver.setARKIMEXFullyImplicit(True)
        snes = owned.enter_context(freed(solver.getSNES()))
        ksp = owned.enter_context(freed(snes.getKSP()))
        snes.setType(module.SNES.Type.KSPONLY)
        ksp.setType(module.KSP.Type.GMRES)
        owned.enter_context(freed(ksp.getPC())).setType(module.PC.Type.NONE)
        # The linear solves must not be what limits a local error of `tolerance`.
        least = None if self._tolerance is None else 1e-3 * self._tolerance
        ksp.setTolerances(rtol=1e-13, atol=least, max_it=500)


def _make_implicit(
    ts: Any, context: ShellMatrix, operator: Operator, owned: contextlib.ExitStack
) -> ShellMatrix:
    """Give a solver of an implicit scheme its functions; returns the shell of its Jacobian."""
    # A shell of its own: its shift and scale belong to one Newton step.
    jacobian_context = ShellMatrix(operator)
    jacobian = owned.enter_context(freed(shell_matrix(jacobian_context, operator)))

    def residual(_ts: Any, _time: float, u: Any, rate: Any, out: Any) -> None:
        values = context.apply(u.getArray(readonly=True))
        out.getArray()[...] = rate.getArray(readonly=True) - values

    def linearise(
        _ts: Any, _time: float, _u: Any, _rate: Any, shift: float, matrix: Any, _pc: Any
    ) -> None:
        jacobian_context.scale_factor = -1.0
        jacobian_context.shift_term = shift
        matrix.assemble()

    ts.setIFunction(residual, None)
    ts.setIJacobian(linearise, jacobian)
    return jacobian_context


class PetscMFN(_PetscStepper):
    """SLEPc MFN: e^{LΔ} x from output time to output time, "krylov" or "expokit".

    Parameters
    ----------
    scheme : {"krylov", "expokit"}
        What SLEPc calls it.
    options : str, default ""
        PETSc options as on a command line, their names begin with "redfield_".
    tolerance : float or None, default None
        Bound on the Frobenius norm of the error of each action, in [1e-13, 0.01], as SLEPc
        estimates it; the estimates add up, nan with options of the user's.  None takes that of the
        call.

    Raises
    ------
    InputError
        There is no such scheme, no solver would read the options, or the tolerance is out of
        range.

    Notes
    -----
    Needs SLEPc when it is used, not when it is made; docs/physics.md section 5.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.PetscMFN("krylov").name
    'mfn-krylov'
    """

    library = "SLEPc"
    # Once a Krylov space is exhausted its next vector is rounding, and not Hermitian.
    linearity = "complex"
    schemes = {"krylov": (2.5, 35.0), "expokit": (2.5, 35.0)}

    def __init__(self, scheme: str, options: str = "", tolerance: float | None = None) -> None:
        super().__init__(scheme, options, tolerance)
        self.name = f"mfn-{scheme}"

    def _make(self) -> Any:
        return slepc().MFN()

    def _set_scheme(self, solver: Any, owned: contextlib.ExitStack) -> None:
        solver.setType(self._scheme)

    def _solve(
        self, operator: Operator, state: Complex, segment: Segment, vector: Any
    ) -> Solution:
        context = ShellMatrix(operator)
        with contextlib.ExitStack() as owned:
            matrix = owned.enter_context(freed(shell_matrix(context, operator)))
            result = owned.enter_context(freed(vector.duplicate()))
            mfn = owned.enter_context(freed(self._make().create(handle(operator.columns.comm))))
            mfn.setOptionsPrefix(self._prefix)
            mfn.setOperator(matrix)
            self._set_scheme(mfn, owned)
            function = owned.enter_context(freed(mfn.getFN()))
            function.setType(slepc().FN.Type.EXP)

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


def _explicit(context: ShellMatrix) -> Callable[[Any, float, Any, Any], None]:
    def right_hand_side(_ts: Any, _time: float, u: Any, out: Any) -> None:
        out.getArray()[...] = context.apply(u.getArray(readonly=True))

    return right_hand_side
