"""Public functions under np.seterr(all="raise") and with numerical warnings as errors.

Whoever hunts a bug of his own with seterr must not meet ours: what underflows on purpose is
guarded where it happens, nothing overflows or is invalid.  An error with a sentence is an
answer, a FloatingPointError or RuntimeWarning is not.
"""

import itertools
import traceback
import warnings

import numpy as np
import pytest

import manybody as mb
from manybody.physics.baths.families import BATH_FAMILIES

POWERS = 10.0 ** np.arange(-300, 301, 50)
NEAR = np.array([1e-12, 1e-3, 0.3, 1.0, 7.0, 30.0, 800.0, 1e4, 1e8])
OMEGA = np.concatenate([[0.0], POWERS, -POWERS, NEAR, -NEAR])
TIMES = (0.0, 1e-10, 0.3, 1e3, 1e10)
DENSITIES = {
    "semi-elliptic": lambda: mb.SemiEllipticDensity(0.1, 10.0),
    "narrow band": lambda: mb.SemiEllipticDensity(0.1, 0.5, centre=2.0),
    "flat": lambda: mb.FlatDensity(0.1, 5.0),
    "ohmic": lambda: mb.OhmicDensity(0.2, 10.0),
    "super-ohmic": lambda: mb.OhmicDensity(0.2, 10.0, 3.0),
    "sub-ohmic": lambda: mb.OhmicDensity(0.2, 10.0, 0.5),
    "drude": lambda: mb.DrudeLorentzDensity(1e-3, 1e5),
    "phonon": lambda: mb.PhononDensity(0.2, 10.0),
    "callable": lambda: mb.CallableDensity(
        lambda w: 0.04 * w * (2.0 - w) ** 2, (0.0, 2.0), slope_at_zero=0.16
    ),
}


class Trials:
    """Calls that must not meet a FloatingPointError or RuntimeWarning; what did."""

    def __init__(self):
        self.wrong, self.count = [], 0

    def __call__(self, name, function, *args, **kwargs):
        self.count += 1
        try:
            with np.errstate(all="raise"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", RuntimeWarning)
                return function(*args, **kwargs)
        except (ValueError, TypeError, RuntimeError):
            return None
        except (ArithmeticError, RuntimeWarning) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.wrong.append(f"{name}: {error} at {place.filename}:{place.lineno}")
            return None


def test_the_bath_of_the_report():
    with np.errstate(all="raise"):
        value = mb.OhmicBath(0.2, 10.0, 1e6).eta(1e8)
    # At large ω, η = ∫γ / (2πω): the zero-temperature part of it, J²ω_c².
    assert value == pytest.approx(0.2**2 * 10.0**2 / (2.0 * np.pi * 1e8), rel=1e-6)


def test_baths_and_densities():
    trial = Trials()
    baths = {
        f"ohmic {c:g} {k:g} {b:g}": mb.OhmicBath(c, k, b)
        for c, k, b in itertools.product((1e-6, 0.2, 30.0), (1e-3, 10.0, 1e6), (1e-4, 5.0, 1e6))
    }
    for (name, make), beta in itertools.product(DENSITIES.items(), (1e-4, 5.0, 1e4)):
        bath = trial(f"thermal {name}", lambda make=make, b=beta: mb.ThermalBath(make(), beta=b))
        if bath is not None:
            baths[f"thermal {name} {beta:g}"] = bath
    for name, family in BATH_FAMILIES.items():
        parameters = {"coupling": 0.2, "cutoff": 10.0, "beta": 5.0, "exponent": 1.5}
        for drop in ((), ("exponent",)):
            chosen = {key: value for key, value in parameters.items() if key not in drop}
            bath = trial(name, lambda f=family, c=chosen: f.build(**c))
            if bath is not None:
                baths[f"family {name}"] = bath
    for name, bath in baths.items():
        for method in ("gamma", "eta", "kms_residual"):
            for omega in (OMEGA, *OMEGA[::5]):
                trial(f"{name} {method}({omega})", getattr(bath, method), omega)
        for time in TIMES:
            trial(f"{name} correlation({time})", bath.correlation, time)
    for name, make in DENSITIES.items():
        density = make()
        for method in ("__call__", "slope", "shift", "shift_error"):
            for omega in (OMEGA, *OMEGA[::5]):
                trial(f"{name} {method}({omega})", getattr(density, method), omega)
        for beta, (statistics, mu) in itertools.product(
            (1e-4, 5.0, 1e4), (("fermion", 0.2), ("boson", -0.1))
        ):
            lead = trial(name, mb.Reservoir, density, beta, mu, statistics)
            for method in ("spectrum", "occupation", "filled", "shift", "filled_shift"):
                if lead is not None:
                    trial(f"{name} {beta:g} {method}", getattr(lead, method), OMEGA)
    assert trial.count > 900 and trial.wrong == []


MODELS = {
    "syk2": lambda: mb.dirac_syk2(6, seed=1),
    "localised": lambda: mb.anderson3d(2, 20.0, seed=1),
    "clean": lambda: mb.anderson3d(2, 0.0),
    "one level": lambda: mb.SingleParticleModel(np.eye(1)),
    "nothing": lambda: mb.SingleParticleModel(np.zeros((3, 3))),
    "large energies": lambda: mb.SingleParticleModel(np.diag([0.0, 1e3, 3e3]) + 1.0),
    "dark": lambda: mb.SingleParticleModel([[0, 1, 0], [1, 0, 1], [0, 1, 0]], [1]),
    "tiny": lambda: mb.SingleParticleModel(1e-80 * np.array([[0.0, 1.0], [1.0, 0.3]])),
    "huge": lambda: mb.SingleParticleModel(1e80 * np.array([[0.0, 1.0], [1.0, 0.3]])),
}
BATHS = {
    "paper": lambda: mb.OhmicBath(0.2, 10.0, 5.0),
    "cold": lambda: mb.OhmicBath(0.2, 10.0, 1e6),
    "hot": lambda: mb.OhmicBath(0.2, 10.0, 1e-3),
    "weak": lambda: mb.OhmicBath(1e-9, 10.0, 5.0),
    "off": lambda: mb.OhmicBath(0.0, 10.0, 5.0),
    "slow": lambda: mb.OhmicBath(0.2, 1e-3, 5.0),
    "band": lambda: mb.ThermalBath(mb.SemiEllipticDensity(0.1, 0.5, centre=2.0), 5.0),
    "ground": lambda: mb.OhmicBath(0.2, 10.0, np.inf),
    "no temperature": lambda: mb.CallableBath(
        lambda omega: 0.1 * np.exp(-np.minimum(np.abs(omega - 1.0), 600.0)),
        breakpoints=(1.0,),
        kms=False,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_density_coupling(name):
    trial = Trials()
    model = trial(name, MODELS[name])
    for (which, make), shift in itertools.product(BATHS.items(), (False, True)):
        bath, words = make(), f"{which} {shift}"
        grid = np.array([0.0, 1.0, 3.0]) * (0.01 if name == "large energies" else 1.0)
        trial(words, mb.compare, model, bath, grid, lamb_shift=shift)
        trial(words, mb.compare, model, bath, grid[1:2], lamb_shift=shift, initial_beta=50.0)
        trial(words, mb.compare_ensemble, [model, model], bath, grid[1:2], lamb_shift=shift)
        if name != "huge":
            last = 1e-3 if name == "large energies" else 0.1
            trial(words, mb.compare, model, bath, [last], lamb_shift=shift, stepper="dop853")
        for build in (mb.redfield_liouvillian, mb.davies_liouvillian):
            trial(words, lambda build=build, b=bath, s=shift: build(model, b, s).toarray())
        trial(words, mb.slow_modes, model, bath, 2, lamb_shift=shift)
        for equation in ("redfield", "davies"):
            trial(words, mb.steady_state, model, bath, equation, lamb_shift=shift)
    trial(name, mb.level_statistics, model, eth=True)
    assert trial.wrong == []


@pytest.mark.parametrize("name", MODELS)
def test_linear_coupling(name):
    trial = Trials()
    model = MODELS[name]()
    densities = (mb.SemiEllipticDensity(0.1, 10.0), mb.OhmicDensity(0.2, 10.0))
    kinds = (("fermion", 0.2), ("boson", -20.0))
    for density, beta, (statistics, mu) in itertools.product(densities, (1e-3, 1e4), kinds):
        lead = trial(statistics, mb.Reservoir, density, beta, mu, statistics)
        wire = trial(statistics, mb.from_single_particle, model, lead) if lead else None
        if wire is None:
            continue
        start = np.diag(np.linspace(0.0, 1.0, model.n_sites))
        for equation, shift in itertools.product(("redfield", "davies", "local"), (False, True)):
            words = f"{statistics} {equation} {shift} {beta:g}"
            trial(words, mb.correlation_dynamics, wire, start, [0.0, 100.0], equation, shift)
            trial(words, mb.steady_correlations, wire, equation, shift, start)
        trial(statistics, mb.theorem_residual, wire, True)
    assert trial.wrong == []


def test_networks():
    trial, networks = Trials(), mb.networks
    for hot, cold, g in itertools.product((0.3, 50.0), (1e-3, 0.3), (1e-6, 0.1)):
        words = f"{hot} {cold} {g}"
        for kind, approach in itertools.product(("boson", "tls"), ("local", "global", "redfield")):
            trial(words, networks.levy_kosloff, 1.0, 0.6, hot, cold, g, 1e-3, kind, approach)
        for method in ("exact", "redfield", "additive"):
            bias = (0.5, 0.2, hot, cold)
            trial(words, networks.mitchison_plenio, 1.0, 0.1, g, 0.1, 5.0, *bias, method=method)
        times = [0.0, 1.0, 1e3]
        trial(words, networks.coupled_oscillators, 1.0, g, 0.1, 1e-3, hot, cold, times)
        for limit in ("unperturbed", "local", "global"):
            trial(words, networks.coupled_qubits, 1.0, g, 1e-3, hot, cold, 0.1, limit)
    assert trial.wrong == []
