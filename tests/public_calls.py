"""A cheap call of every public function and class that a user gives arguments to."""

import numpy as np

import manybody as mb

BATH = mb.OhmicBath(0.2, 10.0, 5.0)
MODEL = mb.dirac_syk2(3, seed=1)
LEAD = mb.Reservoir(mb.SemiEllipticDensity(0.1, 4.0), 1.0)
WIRE = mb.from_single_particle(MODEL, LEAD)
CONTACTS = (mb.Contact(0, LEAD),)
PAIR = np.array([[0.0, 1.0], [1.0, 0.5]])
TILT = np.diag([1.0, 0.0, -1.0])
MIXED = np.eye(3) / 3
TIMES = [0.0, 0.5]
# Results, protocols and errors: nobody makes them by hand.
MADE_BY_US = {
    "Bath", "Cancellation", "Certificate", "Comparison", "CorrelationResponse",
    "DrivenComparison", "DrivenCorrelations", "Estimate", "ExactDrivenCorrelations", "InputError",
    "LevelStatistics", "LinearResponse", "Liouvillian", "LocalFigures", "LocalityProfile",
    "NumericalError", "PowerSpectrum", "SlowModes", "SpectralDensity", "SteadyState",
    "Unavailable", "WorstProduction",
}  # fmt: skip
NO_CALLS = {"EQUATIONS", "OPERATORS", "STEPPERS", "networks"}


def gamma(omega):
    return 0.1 * np.exp(0.5 * omega) / np.cosh(omega)


def density(omega):
    return 0.1 * omega * np.exp(-omega)


def drive(time):
    return np.array([[0.1 * time, 1.0], [1.0, -0.1 * time]])


def density_of(cutoff=5.0):
    return {"coupling": 0.1, "cutoff": cutoff}


def band():
    return {"height": 0.1, "half_width": 4.0, "centre": 0.0}


DRIVEN = mb.DrivenSingleParticle(drive)
DRIVEN_WIRE = mb.DrivenQuadraticModel(drive, CONTACTS)
_MODEL = {"model": MODEL, "bath": BATH, "lamb_shift": False}
_DRIVEN = {"times": TIMES, "lamb_shift": False, "tolerance": 1e-5}
_GAUSSIAN = {"model": WIRE, "lamb_shift": False, "undecided": None}
_LATTICE = {"hopping": 1.0, "disorder": 1.0, "boundary": "open", "seed": 1}
_COMPARE = {
    "bath": BATH, "times": TIMES, "initial_site": 0, "lamb_shift": False,
    "stepper": "chebyshev", "tolerance": 1e-8, "petsc_options": "", "operator": "matrix-free",
    "drop_tolerance": 0.0, "initial_beta": None, "equations": ("redfield", "davies"),
    "initial_state": None, "expectations": (), "keep_states": False,
}  # fmt: skip
_OPERATORS = {"a": TILT, "b": TILT, "state": "stationary", "equation": "redfield"}
_MATRIX = {"hamiltonian": PAIR, "uncertainty": None}
_NAMED = {"name": "mine", "parameters": {}, "lattice": None}


def calls():
    """Name -> arguments, all of those there are, of a call that works."""
    response = mb.linear_response(MODEL, BATH, TILT)
    many = mb.xxz_chain(4, seed=1).basis
    return {
        "Assembled": {"drop_tolerance": 0.0},
        "CallableBath": {
            "function": gamma, "beta": 1.0, "support": (-50.0, 50.0), "breakpoints": (1.0,),
            "precision": 1e-10, "kms_tolerance": 1e-8, "kms_frequencies": (0.5,), "kms": True,
        },
        "CallableDensity": {
            "function": density, "support": (0.0, np.inf), "breakpoints": (1.0,),
            "slope_at_zero": 0.1, "precision": 1e-10,
        },
        "Chebyshev": {"tolerance": 1e-8},
        "DenseExponential": {"tolerance": 1e-8},
        "Contact": {"site": 0, "reservoir": LEAD, "strength": 1.0},
        "DiscretisedBath": {
            "energies": [0.1, 0.2], "couplings": [0.1, 0.2], "occupations": [0.1, 0.2],
            "recurrence_time": 10.0,
        },
        "DrivenManyBody": {"hamiltonian": drive, "couplings": [[0.0, 1.0]], "basis": None},
        "DrivenQuadraticModel": {
            "hamiltonian": drive, "contacts": CONTACTS, "statistics": "fermion"
        },
        "DrivenSingleParticle": {"hamiltonian": drive, "coupled_sites": None},
        "DrudeLorentzDensity": density_of(),
        "FlatDensity": band(),
        "FockBasis": {
            "n_modes": 3, "statistics": "fermion", "n_particles": 1, "max_occupation": None,
            "max_particles": None,
        },
        "ManyBodyModel": {
            **_MATRIX, **_NAMED, "couplings": [[0.0, 1.0]], "basis": None, "terms": None
        },
        "MatrixFree": {},
        "OhmicBath": {**density_of(), "beta": 1.0, "chemical_potential": 0.0},
        "OhmicDensity": {**density_of(), "exponent": 1.0},
        "PetscMFN": {"scheme": "krylov", "options": "", "tolerance": 1e-8},
        "PetscTS": {"scheme": "8vr", "options": "", "tolerance": 1e-8},
        "PhononDensity": {"strength": 0.1, "cutoff": 5.0},
        "QuadraticModel": {**_MATRIX, "contacts": CONTACTS, "statistics": "fermion"},
        "Reservoir": {
            "density": LEAD.density, "beta": 1.0, "chemical_potential": 0.0,
            "statistics": "fermion",
        },
        "RungeKutta": {"tolerance": 1e-8},
        "SemiEllipticDensity": band(),
        "SingleParticleModel": {**_MATRIX, **_NAMED, "coupled_sites": None},
        "TabulatedHamiltonian": {"times": [0.0, 1.0], "matrices": [np.eye(2), 2 * np.eye(2)]},
        "ThermalBath": {"density": mb.OhmicDensity(0.1, 5.0), "beta": 1.0},
        "WhiteBath": {"rate": 0.1},
        "anderson3d": {"length": 2, **_LATTICE, "n_particles": None},
        "anderson_bar": {"length": 2, **_LATTICE, "width": 1, "coupled": "ends"},
        "cancellation_measures": {
            "model": MODEL, "bath": BATH, "n_vectors": 2, "seed": 1, "n_rows": 4
        },
        "choi_eigenvalue": {"liouvillian": np.diag([0.0, -1.0, -1.0, 0.0])},
        "choi_matrix": {"liouvillian": np.diag([0.0, -1.0, -1.0, 0.0])},
        "compare": {"model": MODEL, **_COMPARE, "comm": None},
        "compare_driven": {
            "model": DRIVEN, "bath": BATH, **_DRIVEN, "initial_site": 0, "keep_states": False,
            "initial_beta": None, "equations": ("redfield", "davies"), "initial_state": None,
        },
        "compare_ensemble": {"models": [MODEL], **_COMPARE},
        "complex_syk4": {"n_sites": 4, "n_particles": "half", "coupling": 1.0, "seed": 1},
        "correlation": {
            **_MODEL, **_OPERATORS, "times": TIMES, "stepper": "chebyshev", "tolerance": 1e-8
        },
        "correlation_dynamics": {
            **_GAUSSIAN, "initial": MIXED, "times": TIMES, "equation": "redfield"
        },
        "correlation_response": {
            "model": WIRE, "perturbation": TILT, "equation": "redfield", "lamb_shift": False
        },
        "davies_liouvillian": {**_MODEL, "undecided": None},
        "dirac_syk2": {"n_sites": 4, "coupling": 1.0, "seed": 1, "n_particles": None},
        "driven_correlations": {
            "model": DRIVEN_WIRE, "initial": np.diag([1.0, 0.0]), **_DRIVEN,
            "equation": "redfield",
        },
        "entropy_production": {**_MODEL, "rho": MIXED, "equation": "davies"},
        "entropy_production_response": {
            "response": response, "temperatures": [1.0] * 3, "change": TILT
        },
        "estimate": {
            **_MODEL, "times": TIMES, "stepper": "chebyshev", "tolerance": 1e-8,
            "operator": "matrix-free", "equations": ("redfield", "davies"), "keep_states": False,
        },
        "exact_driven_correlations": {
            "model": DRIVEN_WIRE, "initial": np.diag([1.0, 0.0]), "times": TIMES,
            "tolerance": 1e-3, "n_modes": 16, "largest": 64, "discretise": None,
        },
        "from_single_particle": {"model": MODEL, "reservoir": LEAD, "strength": 1.0},
        "hard_core_bosons": {
            "length": 2, **_LATTICE, "n_particles": "half", "interaction": 0.0
        },
        "heat_current_response": {"response": response, "change": TILT},
        "heat_currents": {**_MODEL, "rho": MIXED, "equation": "redfield"},
        "ising_chain": {
            "n_sites": 3, "coupling": 1.0, "transverse": 1.0, "longitudinal": 0.5,
            "disorder": 0.0, "boundary": "open", "seed": 1,
        },
        "level_statistics": {
            "model": MODEL, "n_levels": None, "target": None, "window": 1.0, "eth": False,
            "comm": None,
        },
        "linear_response": {
            **_MODEL, "perturbation": TILT, "equation": "redfield", "fixed_dissipator": False
        },
        "liouvillian": {**_MODEL, "equation": "redfield", "undecided": None},
        "locality_profile": {
            "model": mb.anderson3d(2, 1.0, seed=1), "bath": BATH, "distances": None,
            "n_centres": 2, "seed": 1, "lamb_shift": False, "thresholds": (0.1,),
        },
        "open_store": {"directory": "no/such/store"},
        "pattern_state": {"basis": many, "pattern": "neel"},
        "product_state": {
            "basis": mb.FockBasis(2, "boson", max_occupation=1), "vectors": np.eye(2)
        },
        "redfield_liouvillian": dict(_MODEL),
        "report_figures": {"directory": "no/such/store"},
        "run_study": {
            "study": {}, "directory": "no/such/store", "comm": None,
            "threads": 1, "group_size": None, "report": False, "quiet": True,
            "allow_code": False, "models": None,
        },
        "slow_modes": {
            **_MODEL, "n_modes": 2, "tolerance": 1e-8, "seed": 1, "comm": None,
            "method": "dense",
        },
        "spectrum": {**_MODEL, **_OPERATORS, "frequencies": [0.5, 1.0]},
        "steady_correlations": {**_GAUSSIAN, "equation": "redfield", "initial": None},
        "steady_state": {
            **_MODEL, "equation": "davies", "initial_site": 0, "tolerance": 1e-8,
            "start": None, "comm": None, "method": "gmres", "initial_state": None,
        },
        "theorem_residual": {**_GAUSSIAN, "clustering": True},
        "worst_entropy_production": {
            **_MODEL, "equation": "davies", "seed": 1, "n_starts": 1, "floor": 1e-3
        },
        "xxz_chain": {
            "n_sites": 4, **_LATTICE, "n_particles": "half", "anisotropy": 1.0,
            "statistics": "boson",
        },
    }  # fmt: skip
