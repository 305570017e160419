"""How far the laws that must hold do hold on one sample, in measured figures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real, row_panels


@dataclass(frozen=True)
class Certificate:
    """Measured errors and residuals of one sample; every comparison carries them.

    Attributes
    ----------
    trace_error : float
        Largest |tr ρ(t) − 1| over times and equations.
    hermiticity_error : float
        Largest |ρ_ab − ρ_ba*| over times and equations.
    gibbs_residuals : mapping of str to float
        Largest |element| of L[ρ_G] in the site basis, in J, by equation.  Rounding, except for
        Redfield with Lamb shift; nan where H was not diagonalised, and where the bath has no
        temperature (β = nan), so that there is no ρ_G.
    kms_residual : float
        Largest |γ(ω)e^{−βω} − γ(−ω)| / γ(ω) over the Bohr frequencies; nan in the same cases.
    smallest_eigenvalue : float
        Of ρ(t) over all times and the equations that do not guarantee positivity, as Redfield does
        not; inf where all do.
    clustering : {"simple", "structural", "ambiguous", "unexamined"}
        Of the Bohr frequencies, docs/physics.md section 4; "unexamined" where no equation needs
        the spectrum and H was not diagonalised: the figures on Bohr frequencies are then nan,
        their counts 0.
    merged_neighbours : int
        Bohr frequencies found equal.
    expected_by_chance : float
        How many chance alone would make equal.
    smallest_separation : float
        Smallest distance of two Bohr frequencies kept apart, in J.
    cluster_width : float
        Extent of the widest cluster of equal Bohr frequencies, in J.
    secular_ambiguity : float
        Largest change of the trace distance when near-coincident frequencies are merged; 0 unless
        the clustering is ambiguous.  The distance of two answers, not an error bar.
    level_conditioning : float
        ε ‖H‖₂ / smallest level spacing: the relative accuracy to which rounding of H lets the
        Davies equation be known.
    stepper_error : float
        Estimate of the error of the states of stepped equations in trace norm; nan when options
        given to PETSc leave nothing to estimate it from.
    applications : int
        Generator applications spent on the stepped equations.
    entries_kept : float, default 1.0
        Share of the Liouvillian's entries that an assembled operator keeps.
    drop_error : float, default 0.0
        Estimate of what its dropped entries do to ρ_R(t) in trace norm, t ‖δL‖₁→₁ at the last time
        with the bound of docs/physics.md section 3.  No rigorous bound, since ‖e^{Lt}‖ may exceed
        1; usually far above the true change.
    stepper : str, default ""
        The name of what has advanced the stepped equations: "dense-exponential" too where a
        Chebyshev series of few levels would have been long; empty where nothing was stepped.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> certificate = mb.compare(model, bath, [0.0, 10.0]).certificate
    >>> certificate.clustering, certificate.trace_error < 1e-9
    ('simple', True)
    """

    trace_error: float
    hermiticity_error: float
    gibbs_residuals: Mapping[str, float]
    kms_residual: float
    smallest_eigenvalue: float
    clustering: str
    merged_neighbours: int
    expected_by_chance: float
    smallest_separation: float
    cluster_width: float
    secular_ambiguity: float
    level_conditioning: float
    stepper_error: float
    applications: int
    entries_kept: float = 1.0
    drop_error: float = 0.0
    stepper: str = ""

    @property
    def redfield_gibbs_residual(self) -> float:
        """Gibbs residual of Redfield, nan where it was not asked for."""
        return self.gibbs_residuals.get("redfield", float("nan"))

    @property
    def davies_gibbs_residual(self) -> float:
        """Gibbs residual of Davies, nan where it was not asked for."""
        return self.gibbs_residuals.get("davies", float("nan"))

    def as_dict(self) -> dict[str, float | int | str]:
        """The figures by name.

        Returns
        -------
        dict
            Plain numbers and words.
        """
        figures = asdict(self)
        residuals = figures.pop("gibbs_residuals")
        named = {f"{name}_gibbs_residual": value for name, value in residuals.items()}
        return {**figures, **named}


def trace_error(states: NDArray[Any]) -> Real:
    """Largest |tr ρ − 1| of each sample; (samples, T, N, N) -> (samples,)."""
    error: Real = np.abs(np.einsum("staa->st", states) - 1.0).max(axis=1, initial=0.0)
    return error


def hermiticity_error(states: NDArray[Any]) -> Real:
    """Largest |ρ_ab − ρ_ba*| of each sample; (samples, T, N, N) -> (samples,)."""
    n = states.shape[-1]
    # A few times at once where they are small, a few rows at a time where they are large.
    parts = row_panels(slice(0, states.shape[1]), len(states) * n**2)
    largest = np.zeros(len(states))
    for times in parts:
        for rows in row_panels(slice(0, n), n * (times.stop - times.start)):
            turned = np.swapaxes(states[:, times, :, rows], 2, 3)
            difference = np.array(turned, order="C")
            np.conjugate(difference, out=difference)
            np.subtract(states[:, times, rows], difference, out=difference)
            squares = difference.view(np.float64)
            squares *= squares
            here = (squares[..., ::2] + squares[..., 1::2]).max(axis=(1, 2, 3))
            # maximum() keeps nan.
            largest = np.maximum(largest, here)
    return np.sqrt(largest)
