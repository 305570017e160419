"""A spectral density and a bath given by a user's functions, checked at construction."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError, InputTypeError, shown
from manybody.physics import arguments
from manybody.physics.baths.protocol import kms_violation
from manybody.physics.baths.spectral_density import SpectralDensity
from manybody.physics.baths.thermal import QuadratureBath
from manybody.physics.underflow import zero_where_tiny

# Values of a user's function are held to be right to this share of the largest.
_PRECISION = 1e-13
_ROUNDING = float(np.finfo(np.float64).eps)
# Where KMS is checked: β|ω| at 40 places, or |ω| in J where β sets no scale.
_REDUCED = np.geomspace(1e-6, 40.0, 40)


@dataclass(frozen=True, repr=False)
class CallableDensity(SpectralDensity):
    """A spectral density D(ω) of one's own.

    Parameters
    ----------
    function : callable
        D of an array of frequencies in J inside the support: real, >= 0, finite, same shape; it is
        not called outside.
    support : (float, float), default (0.0, inf)
        Its ends in J, ±inf allowed where D decays.
    breakpoints : tuple of float, default ()
        Every point where D is not smooth, and one or two that tell the width and the place of what
        is narrow: a feature that no breakpoint announces can be missed.
    slope_at_zero : float or None, default None
        lim D(ω)/ω, needed for γ(0) and bosons at μ = 0 where the support starts at 0.
    precision : float, default 1e-13
        Share of the largest D to which values are right.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type, or values are negative or not finite.

    Notes
    -----
    Δ of docs/physics.md section 6 by quadrature.  At a branch point that is not at omega = 0, such
    as a band edge, positions have too few digits for more than 1e-6 of D within 1e-12 of it;
    `shift_error` tells.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> density = mb.CallableDensity(lambda w: 0.04 * w * np.exp(-w / 10.0), slope_at_zero=0.04)
    >>> bath, ohmic = mb.ThermalBath(density, beta=5.0), mb.OhmicBath(0.2, 10.0, beta=5.0)
    >>> np.allclose(bath.gamma([-0.5, 0.0, 0.7]), ohmic.gamma([-0.5, 0.0, 0.7]))
    True
    """

    function: Callable[[Real], ArrayLike]
    support: tuple[float, float] = (0.0, math.inf)
    breakpoints: tuple[float, ...] = ()
    slope_at_zero: float | None = None
    precision: float = _PRECISION
    position_noise: float = field(default=_ROUNDING, init=False)

    def __post_init__(self) -> None:
        check_function("density function", self.function)
        _set(self, "support", interval("density support", self.support))
        _set(self, "breakpoints", finite_points("density breakpoints", self.breakpoints))
        lower, upper = self.support
        outside = [point for point in self.breakpoints if not lower <= point <= upper]
        if outside:
            raise InputError(
                f"density breakpoints contain {outside[0]!r}: outside the support {self.support!r}"
            )
        if self.slope_at_zero is not None:
            slope = arguments.real("density slope_at_zero", self.slope_at_zero, minimum=0.0)
            _set(self, "slope_at_zero", slope)
        _set(self, "precision", arguments.tolerance(self.precision, "precision"))
        self(self._samples())

    @zero_where_tiny
    def __call__(self, omega: ArrayLike) -> Real:
        """D(ω), zero outside the support."""
        omega = np.asarray(omega, dtype=np.float64)
        inside = (omega >= self.support[0]) & (omega <= self.support[1])
        result = np.where(np.isnan(omega), omega, 0.0)
        if inside.any():
            result[inside] = checked_values("density function", self.function, omega[inside])
        return result[()]

    def __repr__(self) -> str:
        """Function by its values at some frequencies: ranks of a communicator compare it."""
        settings = (self.support, self.breakpoints, self.slope_at_zero, self.precision)
        return f"CallableDensity({value_digest(self(self._samples()))}, {settings})"

    def _limit(self) -> float:
        if self.slope_at_zero is None and self.support[0] <= 0.0:
            raise InputError("density slope_at_zero = None: lim D(ω)/ω at omega = 0 is needed")
        return self.slope_at_zero or 0.0

    def _samples(self) -> Real:
        """Frequencies inside the support, at all scales from its ends and the breakpoints."""
        lower, upper = self.support
        ends = [end for end in (lower, upper, *self.breakpoints) if math.isfinite(end)]
        distances = np.concatenate([-np.geomspace(1e-3, 1e2, 11), np.geomspace(1e-3, 1e2, 11)])
        omega = (np.array(ends or [0.0])[:, None] + distances).ravel()
        if math.isfinite(upper - lower):
            omega = np.append(omega, np.linspace(lower, upper, 33)[1:-1])
        inside: Real = np.unique(omega[(omega > lower) & (omega < upper)])
        return inside


@dataclass(frozen=True, repr=False)
class CallableBath(QuadratureBath):
    """Identical baths with a power spectrum γ(ω) of one's own, coupled to Hermitian operators.

    Parameters
    ----------
    function : callable
        γ of an array of frequencies in J, any sign: real, >= 0, same shape, ω > 0 being energy
        given to the bath.
    beta : float, default nan
        Inverse temperature in 1/J, inf for T = 0, where γ(ω) = 0 for ω < 0, and 0 for an infinite
        one, where γ(−ω) = γ(ω).  To be left out with `kms=False`, else needed.
    support : (float, float), default (-inf, inf)
        Outside it γ = 0 and is not called; in J, symmetric about 0.
    breakpoints : tuple of float, default ()
        As for `CallableDensity`, 0 being a breakpoint anyway, and β too tells a scale.
    precision : float, default 1e-13
        Share of the largest γ to which values are right.
    kms_tolerance : float, default 1e-10
        Of |γ(ω) e^{−βω} − γ(−ω)| / γ(ω), checked at 40 βω from 1e-6 to 40 in geometric progression
        (ω/J where β is 0 or inf), at the breakpoints, at 32 even steps of a finite support and
        where `kms_frequencies` says.
    kms_frequencies : tuple of float, default ()
        Further ω > 0 in J at which it is checked.
    kms : bool, default True
        False for a γ that keeps no detailed balance, as of non-thermal light or of several
        temperatures at one site: there is no Gibbs state, what is compared with it is nan, and
        what is derived from it is refused or computed otherwise.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type, or detailed balance
        (Kubo, Martin and Schwinger, KMS) is violated unless that was asked for.

    Notes
    -----
    η by quadrature, its error by `eta_error`; docs/physics.md section 2.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> hot = mb.CallableBath(lambda w: 0.1 * np.exp(-(w**2)), beta=0.0)  # γ(−ω) = γ(ω)
    >>> float(hot.gamma(0.0))
    0.1
    """

    function: Callable[[Real], ArrayLike]
    beta: float = field(default=math.nan, compare=False)
    support: tuple[float, float] = (-math.inf, math.inf)
    breakpoints: tuple[float, ...] = ()
    precision: float = _PRECISION
    kms_tolerance: float = 1e-10
    kms_frequencies: tuple[float, ...] = ()
    kms: bool = True
    # By which β is compared: nan is not equal to itself, its word is.
    _beta: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        check_function("bath function", self.function)
        _set(self, "kms", arguments.boolean("bath kms", self.kms))
        _set(self, "beta", self._checked_beta())
        _set(self, "_beta", repr(self.beta))
        _set(self, "support", interval("bath support", self.support))
        if self.support[0] != -self.support[1]:
            raise InputError(f"bath support = {self.support!r}: must be symmetric about 0")
        for name in ("breakpoints", "kms_frequencies"):
            _set(self, name, finite_points(f"bath {name}", getattr(self, name)))
        outside = [point for point in self.breakpoints if abs(point) > self.support[1]]
        if outside:
            raise InputError(
                f"bath breakpoints contain {outside[0]!r}: outside the support {self.support!r}"
            )
        _set(self, "precision", arguments.tolerance(self.precision, "precision"))
        _set(self, "kms_tolerance", arguments.tolerance(self.kms_tolerance, "kms_tolerance"))
        if self.kms:
            self._check_balance()
        else:
            # Real, >= 0 and of the right shape, on both sides.
            self.gamma(np.concatenate([-self._samples(), self._samples()]))

    def _checked_beta(self) -> float:
        if self.kms:
            return arguments.inverse_temperature("bath beta", self.beta)
        if isinstance(self.beta, float) and math.isnan(self.beta):
            return math.nan
        raise InputError(
            f"bath beta = {shown(self.beta)} with kms=False: γ without detailed balance has no "
            "temperature, beta is to be left out"
        )

    def _check_balance(self) -> None:
        """Raise ValueError where γ is seen to violate detailed balance."""
        omega = self._samples()
        violation = kms_violation(self, omega)
        worst = int(violation.argmax())
        if violation[worst] > self.kms_tolerance:
            raise InputError(
                f"bath function violates detailed balance: |γ(ω) e^{{−βω}} − γ(−ω)| / γ(ω) = "
                f"{violation[worst]:.3g} at omega = {omega[worst]:g} with beta = {self.beta:g}, "
                f"allowed is kms_tolerance = {self.kms_tolerance:g}; γ of no temperature takes "
                "kms=False"
            )

    @zero_where_tiny
    def gamma(self, omega: ArrayLike) -> Real:
        """Power spectrum γ(ω), as the function has it.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Raises
        ------
        InputError
            It is infinite, negative or not a number.
        """
        omega = np.asarray(omega, dtype=np.float64)
        inside = np.abs(omega) <= self.support[1]
        result = np.where(np.isnan(omega), omega, 0.0)
        if inside.any():
            values = checked_values("bath function", self.function, omega[inside])
            if np.isinf(values).any():
                place = omega[inside][np.isinf(values)][0]
                raise InputError(f"bath function is infinite at omega = {place:g}")
            result[inside] = values
        return result[()]

    @property
    def vanishes(self) -> bool:
        """Whether γ = 0 wherever it was looked at."""
        return not self.gamma(self._samples()).any()

    def __repr__(self) -> str:
        """Function by its values at some frequencies: ranks of a communicator compare it."""
        settings = (self.beta, self.support, self.breakpoints, self.precision)
        omega = self._samples()
        values = value_digest(self.gamma(np.concatenate([-omega, omega])))
        return f"CallableBath({values}, {settings})"

    def _samples(self) -> Real:
        """Frequencies > 0 at which KMS is checked, and by which functions are told apart."""
        end = self.support[1]
        given = np.abs(np.array(self.kms_frequencies + self.breakpoints, dtype=np.float64))
        even = np.linspace(0.0, end, 33) if math.isfinite(end) else np.zeros(1)
        unit = 1.0 / self.beta if 0.0 < self.beta < math.inf else 1.0
        omega = np.concatenate([_REDUCED * unit, given, even])
        inside: Real = np.unique(omega[(omega > 0.0) & (omega <= end)])
        return inside

    def _sizes(self) -> tuple[float, ...]:
        return self.support[1], 0.0, *(abs(point) for point in self.breakpoints)

    def _at(self, anchor: Real, offset: Real) -> Real:
        return self.gamma(anchor + offset)

    def _noise(self) -> tuple[float, float]:
        return _ROUNDING, self.precision


# ---- arguments of functions given by the user


def check_function(name: str, function: object) -> None:
    """TypeError unless `function` can be called."""
    if not callable(function):
        raise InputTypeError(
            f"{name} = {shown(function)}: a function of an array of frequencies is needed"
        )


def checked_values(name: str, function: Callable[[Real], ArrayLike], omega: Real) -> Real:
    """function(omega), real, >= 0 and of the shape of `omega`; ValueError otherwise."""
    values = np.asarray(_called(name, function, omega))
    if values.shape != omega.shape or values.dtype.kind not in "fiu":
        raise InputError(
            f"{name} gave {values.dtype} of shape {values.shape} for frequencies of shape "
            f"{omega.shape}: real numbers of the same shape are needed"
        )
    values = values.astype(np.float64)
    wrong = ~(values >= 0.0)
    if wrong.any():
        raise InputError(
            f"{name} is {values[wrong][0]} at omega = {omega[wrong][0]:g}: must be >= 0"
        )
    return values


def _called(name: str, function: Callable[[Real], ArrayLike], omega: Real) -> ArrayLike:
    """function(omega).  InputError for one that takes single numbers alone, as those of `math`."""
    try:
        return function(omega)
    except (TypeError, ValueError) as error:
        wrong = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise InputError(
            f"{name} raised {wrong[:200]}: a function of an array of frequencies is needed, "
            "np.vectorize makes one of a function of a single number"
        ) from error


def interval(name: str, value: object) -> tuple[float, float]:
    """Return `value` as (lower, upper), lower < upper, ±inf allowed."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise InputTypeError(f"{name} = {shown(value)}: a pair (lower, upper) is needed")
    lower = arguments.real_or_infinite(f"{name} end", value[0], infinite=-math.inf)
    upper = arguments.real_or_infinite(f"{name} end", value[1])
    if not lower < upper:
        raise InputError(f"{name} = {shown(value)}: must ascend")
    return lower, upper


def finite_points(name: str, values: object) -> tuple[float, ...]:
    """Return `values` as a sorted tuple of finite numbers."""
    given = arguments.entries(name, values, "a sequence of frequencies")
    return tuple(sorted(arguments.real(f"{name} entry", value) for value in given))


def value_digest(values: Real) -> str:
    """In few letters what makes two arrays the same."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def _set(instance: object, name: str, value: object) -> None:
    object.__setattr__(instance, name, value)
