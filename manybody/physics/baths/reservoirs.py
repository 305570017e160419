"""Reservoirs of particles for linear coupling a†d + h.c.: fillings and level shifts."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.band_densities import FlatDensity
from manybody.physics.baths.panels import Panels
from manybody.physics.baths.spectral_density import SpectralDensity
from manybody.physics.baths.thermal import THERMAL_SCALES
from manybody.physics.underflow import zero_where_tiny

STATISTICS = ("fermion", "boson")
# From this β times the distance of μ from the band edges, e^-45 of the band is not as if full
# or empty there: nothing in double precision.
_DEEP = 45.0
_ROUNDING = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Reservoir:
    """Free fermions or bosons in equilibrium that exchange particles with a site.

    Parameters
    ----------
    density : SpectralDensity
        D(ω) = 2π Σ_k g_k² δ(ω − ω_k).
    beta : float
        Inverse temperature > 0 in 1/J.
    chemical_potential : float, default 0.0
        μ in J.
    statistics : {"fermion", "boson"}, default "fermion"
        Of the particles.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type, or for bosons f D is not integrable.

    Notes
    -----
    Bosons need μ below the support of D, or μ = 0 where it starts there and D(ω)/ω has a known
    limit, as of `OhmicDensity`: an integrable f D.  Everything takes arrays of any shape.  Δ^f
    is closed for a flat band with μ inside it by 45 temperatures, else by quadrature on panels
    as in `SpectralDensity`.  See docs/physics.md section 6.

    Examples
    --------
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.FlatDensity(0.2, 5.0), beta=2.0, chemical_potential=0.5)
    >>> float(lead.occupation(0.5)), float(lead.filled(0.5))
    (0.5, 0.1)
    """

    density: SpectralDensity
    beta: float
    chemical_potential: float = 0.0
    statistics: str = "fermion"

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        arguments.instance("reservoir density", self.density, SpectralDensity)
        set_field(self, "beta", arguments.real("reservoir beta", self.beta, above=0.0))
        mu = arguments.real("reservoir chemical_potential", self.chemical_potential)
        set_field(self, "chemical_potential", mu)
        arguments.choice("reservoir statistics", self.statistics, STATISTICS)
        lower = self.density.support[0]
        if self.statistics == "boson" and not mu < lower and not self._starts_at_mu:
            raise InputError(
                f"reservoir chemical_potential = {mu!r}: bosons need it below the lowest "
                f"frequency of the reservoir, {lower!r}, or they condense; equal to it is "
                "allowed at 0 for a density that vanishes there"
            )
        if self._starts_at_mu:
            self.density.slope(0.0)

    @zero_where_tiny
    def spectrum(self, omega: ArrayLike) -> Real:
        """Spectral density D(ω).

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`.
        """
        return self.density(omega)

    @zero_where_tiny
    def occupation(self, omega: ArrayLike) -> Real:
        """Occupation f(ω) = 1/(e^{β(ω−μ)} ± 1), + for fermions.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            Same shape as `omega`, inf at a pole.
        """
        omega = np.asarray(omega, dtype=np.float64)
        return self._occupation(self.beta * (omega - self.chemical_potential))

    @zero_where_tiny
    def filled(self, omega: ArrayLike) -> Real:
        """Filled density f(ω) D(ω), zero where D is.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`.  The limit at ω = μ = 0 for bosons: J_int²/β for an Ohmic
            D, inf for a sub-Ohmic one.
        """
        omega = np.asarray(omega, dtype=np.float64)
        return self._filled(np.zeros_like(omega), omega)[()]

    @zero_where_tiny
    def shift(self, omega: ArrayLike) -> Real:
        """Δ(ω) = P∫ D(ω') / (2π (ω − ω')) dω'.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`; ±inf at a step of D.
        """
        return self.density.shift(omega)

    @zero_where_tiny
    def shift_error(self, omega: ArrayLike) -> Real:
        """Estimated absolute error of `shift`.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`.
        """
        return self.density.shift_error(omega)

    @zero_where_tiny
    def filled_shift(self, omega: ArrayLike) -> Real:
        """Δ^f(ω) = P∫ f(ω') D(ω') / (2π (ω − ω')) dω'.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`; ±inf at a step of f D.

        Raises
        ------
        InputError
            It does not exist: a wide band, or phonons, without a cutoff.
        """
        if self._deep_band is not None:
            return self._deep_filled_shift(self._deep_band, omega)
        return self._panels.principal_value(omega) / (2.0 * np.pi)

    @zero_where_tiny
    def filled_shift_error(self, omega: ArrayLike) -> Real:
        """Estimated absolute error of `filled_shift`.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`.
        """
        if self._deep_band is not None:
            return 4.0 * self.density.shift_error(omega)
        return self._panels.principal_value_error(omega) / (2.0 * np.pi)

    @property
    def _starts_at_mu(self) -> bool:
        """Whether bosons have μ = 0 at the lower end of the support."""
        bosons = self.statistics == "boson"
        return bosons and self.chemical_potential == 0.0 == self.density.support[0]

    def _occupation(self, x: Real) -> Real:
        """f as a function of x = β(ω − μ)."""
        if self.statistics == "fermion":
            filled: Real = special.expit(-x)
            return filled
        with np.errstate(divide="ignore", under="ignore"):
            negative = np.minimum(x, 0.0)
            absorbed = np.exp(-np.maximum(x, 0.0))
            occupation: Real = np.where(x < 0.0, 1.0, absorbed) / np.where(
                x < 0.0, np.expm1(negative), -np.expm1(-np.maximum(x, 0.0))
            )
            return occupation

    def _filled(self, anchor: Real, offset: Real) -> Real:
        """f D at anchor + offset, with all digits next to an edge or to μ."""
        x = self.beta * ((anchor - self.chemical_potential) + offset)
        if self._starts_at_mu:
            with np.errstate(invalid="ignore", under="ignore"):
                size = np.maximum(x, 0.0)
                thermal = np.where(size > 0.0, size * np.exp(-size) / -np.expm1(-size), 1.0)
                filled = self.density.slope(anchor + offset) * thermal / self.beta
            return np.where(x < 0.0, 0.0, filled)
        spectrum = self.density.at(anchor, offset)
        occupied = spectrum > 0.0
        # A nan stays one.
        occupied_density: Real = np.where(spectrum == 0.0, 0.0, spectrum) * np.where(
            occupied, self._occupation(x), 1.0
        )
        return occupied_density

    @cached_property
    def _panels(self) -> Panels:
        density, mu = self.density, self.chemical_potential
        density.check_transform()
        lower, upper = density.support
        step = min(max(mu, lower), upper)
        thermal = [scale / self.beta for scale in THERMAL_SCALES]
        # f has the rounding of its exponent where the whole support lies far above μ.
        far = 4.0 * _ROUNDING * self.beta * (step - mu)
        return Panels(
            f"f D of {self!r}",
            self._filled,
            [lower, upper, step, *density.breakpoints],
            density.position_noise,
            max(density.precision, far),
            scales=[*(step + size for size in thermal), *(step - size for size in thermal)],
        )

    @property
    def _deep_band(self) -> FlatDensity | None:
        """The flat band of fermions, where its closed form holds to rounding."""
        band = self.density
        if self.statistics == "boson" or not isinstance(band, FlatDensity):
            return None
        depth = self.beta * (band.half_width - abs(self.chemical_potential - band.centre))
        return band if _DEEP <= depth < math.inf else None

    def _deep_filled_shift(self, band: FlatDensity, omega: ArrayLike) -> Real:
        """(D/2π) [ln(β|ω − lowest|/2π) − Re ψ(½ + iβ(ω − μ)/2π)], docs/physics.md section 6."""
        omega = np.asarray(omega, dtype=np.float64)
        lower = band.support[0]
        reduced = self.beta / (2.0 * np.pi)
        digamma: Real = special.psi(0.5 + 1j * reduced * (omega - self.chemical_potential)).real
        with np.errstate(divide="ignore"):
            logarithm: Real = np.log(reduced * np.abs(omega - lower))
        return band.height / (2.0 * np.pi) * (logarithm - digamma)
