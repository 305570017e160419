"""The systems that scripts/bench.py measures, and one Redfield evolution of them."""

import time

import numpy as np

import manybody as mb
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.spectra import build_spectrum

BATH = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)


def random_models(n, real, count):
    """Random Hermitian matrices with a band of about 4."""
    random = np.random.default_rng(n)
    models = []
    for _ in range(count):
        matrix = random.normal(size=(n, n))
        if not real:
            matrix = matrix + 1j * random.normal(size=(n, n))
        scale = np.sqrt(2 * n if real else 4 * n)
        models.append(mb.SingleParticleModel((matrix + matrix.conj().T) / scale))
    return models


def operator_of(models, linearity="hermitian", outline=True, lamb_shift=False):
    """Redfield of a stack, matrix-free."""
    generator = build_redfield(build_spectrum(models), BATH, lamb_shift)
    return KernelOperator(
        generator.kernel(),
        generator.spectral_box,
        Columns(models[0].n_sites),
        linearity,
        generator.spectral_outline if outline else None,
    )


def bandwidth(model):
    """E_max − E_min."""
    return float(np.ptp(np.linalg.eigvalsh(model.dense_hamiltonian())))


def propagate(model, stepper, times, outline=True):
    """States of the Redfield equation, applications and seconds."""
    operator = operator_of([model], stepper.linearity, outline)
    state = np.zeros(operator.shape, dtype=np.complex128)
    state[0, 0, 0] = 1.0
    start = time.perf_counter()
    states, used = [], 0
    for segment in stepper.segments(operator, times):
        solution = stepper.advance(operator, state, segment)
        state = solution.final
        states.append(solution.states[0])
        used += int(solution.applications[0])
    return np.concatenate(states), used, time.perf_counter() - start
