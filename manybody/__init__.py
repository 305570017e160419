"""Redfield and Davies master equations side by side, with a bath on every site.

>>> import manybody as mb
>>> model = mb.dirac_syk2(n_sites=8, seed=7)
>>> bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)
>>> run = mb.compare(model, bath, times=[0.0, 10.0, 20.0])
>>> run.trace_distance.shape
(3,)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manybody import networks
    from manybody.errors import InputError, NumericalError, Unavailable
    from manybody.numerics.chebyshev import Chebyshev
    from manybody.numerics.dense import RungeKutta
    from manybody.numerics.dense_exponential import DenseExponential
    from manybody.numerics.petsc.steppers import PetscMFN, PetscTS
    from manybody.numerics.steppers import OPERATORS, STEPPERS, Assembled, MatrixFree
    from manybody.physics.baths.band_densities import FlatDensity, SemiEllipticDensity
    from manybody.physics.baths.callables import CallableBath, CallableDensity
    from manybody.physics.baths.densities import DrudeLorentzDensity, OhmicDensity, PhononDensity
    from manybody.physics.baths.ohmic import OhmicBath
    from manybody.physics.baths.protocol import Bath
    from manybody.physics.baths.reservoirs import Reservoir
    from manybody.physics.baths.spectral_density import SpectralDensity
    from manybody.physics.baths.thermal import ThermalBath
    from manybody.physics.baths.white import WhiteBath
    from manybody.physics.equations.registry import EQUATIONS
    from manybody.physics.fock.basis import FockBasis
    from manybody.physics.gaussian.discretised import DiscretisedBath
    from manybody.physics.gaussian.driven import (
        DrivenCorrelations,
        DrivenQuadraticModel,
        driven_correlations,
    )
    from manybody.physics.gaussian.exact_driven import (
        ExactDrivenCorrelations,
        exact_driven_correlations,
    )
    from manybody.physics.gaussian.linear_coupling import correlation_dynamics, steady_correlations
    from manybody.physics.gaussian.quadratic import Contact, QuadraticModel, from_single_particle
    from manybody.physics.gaussian.theorem import theorem_residual
    from manybody.physics.liouvillians import (
        Liouvillian,
        davies_liouvillian,
        liouvillian,
        redfield_liouvillian,
    )
    from manybody.physics.models.anderson3d import anderson3d
    from manybody.physics.models.anderson_bar import anderson_bar
    from manybody.physics.models.complex_syk4 import complex_syk4
    from manybody.physics.models.dirac_syk2 import dirac_syk2
    from manybody.physics.models.driven import (
        DrivenManyBody,
        DrivenSingleParticle,
        TabulatedHamiltonian,
    )
    from manybody.physics.models.hard_core_bosons import hard_core_bosons
    from manybody.physics.models.ising_chain import ising_chain
    from manybody.physics.models.many_body import ManyBodyModel
    from manybody.physics.models.single_particle import SingleParticleModel
    from manybody.physics.models.xxz_chain import xxz_chain
    from manybody.physics.patterns import pattern_state, product_state
    from manybody.physics.quantities.cancellation import Cancellation, cancellation_measures
    from manybody.physics.quantities.certificates import Certificate
    from manybody.physics.quantities.complete_positivity import choi_eigenvalue, choi_matrix
    from manybody.physics.quantities.heat import entropy_production, heat_currents
    from manybody.physics.quantities.local_figures import LocalFigures
    from manybody.physics.quantities.locality import LocalityProfile, locality_profile
    from manybody.physics.quantities.spacing import LevelStatistics
    from manybody.physics.response.correlation_response import (
        CorrelationResponse,
        correlation_response,
    )
    from manybody.physics.response.entropy_response import (
        entropy_production_response,
        heat_current_response,
    )
    from manybody.physics.response.linear_response import LinearResponse, linear_response
    from manybody.physics.violations import WorstProduction, worst_entropy_production
    from manybody.report.datasets import open_store
    from manybody.report.running import run_study
    from manybody.report.writing import report_figures
    from manybody.solve.compare import compare, compare_ensemble
    from manybody.solve.comparison import Comparison
    from manybody.solve.correlations import PowerSpectrum, correlation, spectrum
    from manybody.solve.driven import DrivenComparison, compare_driven
    from manybody.solve.forecast import Estimate, estimate
    from manybody.solve.level_statistics import level_statistics
    from manybody.solve.modes import SlowModes, slow_modes
    from manybody.solve.steady import SteadyState, steady_state

__version__ = "0.1.0"

__all__ = [
    "EQUATIONS",
    "OPERATORS",
    "STEPPERS",
    "Assembled",
    "Bath",
    "CallableBath",
    "CallableDensity",
    "Cancellation",
    "Certificate",
    "Chebyshev",
    "Comparison",
    "Contact",
    "CorrelationResponse",
    "DenseExponential",
    "DiscretisedBath",
    "DrivenComparison",
    "DrivenCorrelations",
    "DrivenManyBody",
    "DrivenQuadraticModel",
    "DrivenSingleParticle",
    "DrudeLorentzDensity",
    "Estimate",
    "ExactDrivenCorrelations",
    "FlatDensity",
    "FockBasis",
    "InputError",
    "LevelStatistics",
    "LinearResponse",
    "Liouvillian",
    "LocalFigures",
    "LocalityProfile",
    "ManyBodyModel",
    "MatrixFree",
    "NumericalError",
    "OhmicBath",
    "OhmicDensity",
    "PetscMFN",
    "PetscTS",
    "PhononDensity",
    "PowerSpectrum",
    "QuadraticModel",
    "Reservoir",
    "RungeKutta",
    "SemiEllipticDensity",
    "SingleParticleModel",
    "SlowModes",
    "SpectralDensity",
    "SteadyState",
    "TabulatedHamiltonian",
    "ThermalBath",
    "Unavailable",
    "WhiteBath",
    "WorstProduction",
    "anderson3d",
    "anderson_bar",
    "cancellation_measures",
    "choi_eigenvalue",
    "choi_matrix",
    "compare",
    "compare_driven",
    "compare_ensemble",
    "complex_syk4",
    "correlation",
    "correlation_dynamics",
    "correlation_response",
    "davies_liouvillian",
    "dirac_syk2",
    "driven_correlations",
    "entropy_production",
    "entropy_production_response",
    "estimate",
    "exact_driven_correlations",
    "from_single_particle",
    "hard_core_bosons",
    "heat_current_response",
    "heat_currents",
    "ising_chain",
    "level_statistics",
    "linear_response",
    "liouvillian",
    "locality_profile",
    "networks",
    "open_store",
    "pattern_state",
    "product_state",
    "redfield_liouvillian",
    "report_figures",
    "run_study",
    "slow_modes",
    "spectrum",
    "steady_correlations",
    "steady_state",
    "theorem_residual",
    "worst_entropy_production",
    "xxz_chain",
]

# Where names come from when they are first used: SciPy, h5py and the report take their time.
_HOMES = {
    "errors": "InputError NumericalError Unavailable",
    "numerics.chebyshev": "Chebyshev",
    "numerics.dense": "RungeKutta",
    "numerics.dense_exponential": "DenseExponential",
    "numerics.petsc.steppers": "PetscMFN PetscTS",
    "numerics.steppers": "OPERATORS STEPPERS Assembled MatrixFree",
    "physics.equations.registry": "EQUATIONS",
    "physics.baths.callables": "CallableBath CallableDensity",
    "physics.baths.band_densities": "FlatDensity SemiEllipticDensity",
    "physics.baths.densities": "DrudeLorentzDensity OhmicDensity PhononDensity",
    "physics.baths.spectral_density": "SpectralDensity",
    "physics.baths.ohmic": "OhmicBath",
    "physics.baths.protocol": "Bath",
    "physics.baths.reservoirs": "Reservoir",
    "physics.baths.thermal": "ThermalBath",
    "physics.baths.white": "WhiteBath",
    "physics.fock.basis": "FockBasis",
    "physics.gaussian.discretised": "DiscretisedBath",
    "physics.gaussian.driven": "DrivenCorrelations DrivenQuadraticModel driven_correlations",
    "physics.gaussian.exact_driven": "ExactDrivenCorrelations exact_driven_correlations",
    "physics.gaussian.linear_coupling": "correlation_dynamics steady_correlations",
    "physics.gaussian.quadratic": "Contact QuadraticModel from_single_particle",
    "physics.gaussian.theorem": "theorem_residual",
    "physics.liouvillians": "Liouvillian davies_liouvillian liouvillian redfield_liouvillian",
    "physics.models.anderson3d": "anderson3d",
    "physics.models.anderson_bar": "anderson_bar",
    "physics.models.complex_syk4": "complex_syk4",
    "physics.models.dirac_syk2": "dirac_syk2",
    "physics.models.driven": "DrivenManyBody DrivenSingleParticle TabulatedHamiltonian",
    "physics.models.hard_core_bosons": "hard_core_bosons",
    "physics.models.ising_chain": "ising_chain",
    "physics.models.many_body": "ManyBodyModel",
    "physics.models.single_particle": "SingleParticleModel",
    "physics.models.xxz_chain": "xxz_chain",
    "physics.patterns": "pattern_state product_state",
    "physics.quantities.cancellation": "Cancellation cancellation_measures",
    "physics.quantities.certificates": "Certificate",
    "physics.quantities.complete_positivity": "choi_eigenvalue choi_matrix",
    "physics.quantities.heat": "entropy_production heat_currents",
    "physics.quantities.local_figures": "LocalFigures",
    "physics.quantities.locality": "LocalityProfile locality_profile",
    "physics.quantities.spacing": "LevelStatistics",
    "report.datasets": "open_store",
    "report.running": "run_study",
    "physics.response.correlation_response": "CorrelationResponse correlation_response",
    "physics.response.entropy_response": "entropy_production_response heat_current_response",
    "physics.response.linear_response": "LinearResponse linear_response",
    "physics.violations": "WorstProduction worst_entropy_production",
    "report.writing": "report_figures",
    "solve.compare": "compare compare_ensemble",
    "solve.comparison": "Comparison",
    "solve.driven": "DrivenComparison compare_driven",
    "solve.correlations": "PowerSpectrum correlation spectrum",
    "solve.forecast": "Estimate estimate",
    "solve.level_statistics": "level_statistics",
    "solve.modes": "SlowModes slow_modes",
    "solve.steady": "SteadyState steady_state",
}
_HOME = {name: f"manybody.{home}" for home, names in _HOMES.items() for name in names.split()}

if not TYPE_CHECKING:  # which would take every name for one of ours

    def __getattr__(name: str) -> Any:
        """A public name, at its first use."""
        if name == "networks":
            return import_module("manybody.networks")
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(_HOME[name]), name)
        # Steppers may be registered later.
        if name != "STEPPERS":
            globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
