"""Redfield and Davies master equations side by side, with a bath on every site.

>>> import manybody as mb
>>> model = mb.dirac_syk2(n_sites=8, seed=7)
>>> bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)
>>> run = mb.compare(model, bath, times=[0.0, 10.0, 20.0])
>>> run.trace_distance.shape
(3,)
"""

from manybody import networks
from manybody.numerics.chebyshev import Chebyshev
from manybody.numerics.dense import RungeKutta
from manybody.numerics.petsc.steppers import PetscMFN, PetscTS
from manybody.numerics.steppers import OPERATORS, STEPPERS, Assembled, MatrixFree
from manybody.physics.baths.callables import CallableBath, CallableDensity
from manybody.physics.baths.densities import (
    DrudeLorentzDensity,
    FlatDensity,
    OhmicDensity,
    PhononDensity,
    SemiEllipticDensity,
    SpectralDensity,
)
from manybody.physics.baths.ohmic import OhmicBath
from manybody.physics.baths.protocol import Bath
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.baths.thermal import ThermalBath
from manybody.physics.gaussian.linear_coupling import correlation_dynamics, steady_correlations
from manybody.physics.gaussian.quadratic import Contact, QuadraticModel, from_single_particle
from manybody.physics.gaussian.theorem import theorem_residual
from manybody.physics.liouvillians import Liouvillian, davies_liouvillian, redfield_liouvillian
from manybody.physics.models.anderson3d import anderson3d
from manybody.physics.models.dirac_syk2 import dirac_syk2
from manybody.physics.models.single_particle import SingleParticleModel
from manybody.physics.quantities.certificates import Certificate
from manybody.physics.quantities.spacing import LevelStatistics
from manybody.report.writing import report_figures
from manybody.solve.compare import compare, compare_ensemble
from manybody.solve.comparison import Comparison
from manybody.solve.level_statistics import level_statistics
from manybody.solve.modes import SlowModes, slow_modes
from manybody.solve.steady import SteadyState, steady_state

__version__ = "0.1.0"

__all__ = [
    "OPERATORS",
    "STEPPERS",
    "Assembled",
    "Bath",
    "CallableBath",
    "CallableDensity",
    "Certificate",
    "Chebyshev",
    "Comparison",
    "Contact",
    "DrudeLorentzDensity",
    "FlatDensity",
    "LevelStatistics",
    "Liouvillian",
    "MatrixFree",
    "OhmicBath",
    "OhmicDensity",
    "PetscMFN",
    "PetscTS",
    "PhononDensity",
    "QuadraticModel",
    "Reservoir",
    "RungeKutta",
    "SemiEllipticDensity",
    "SingleParticleModel",
    "SlowModes",
    "SpectralDensity",
    "SteadyState",
    "ThermalBath",
    "anderson3d",
    "compare",
    "compare_ensemble",
    "correlation_dynamics",
    "davies_liouvillian",
    "dirac_syk2",
    "from_single_particle",
    "level_statistics",
    "networks",
    "redfield_liouvillian",
    "report_figures",
    "slow_modes",
    "steady_correlations",
    "steady_state",
    "theorem_residual",
]
