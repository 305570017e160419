"""The generator of any equation as one dense matrix, from what the equation applies."""

import numpy as np

from manybody.arrays import Complex
from manybody.errors import InputError
from manybody.physics.equations.protocol import Equation, adjoint
from manybody.physics.problem import Problem


def dense_map(equation: Equation, problem: Problem) -> Complex:
    """(D², D²) complex-linear L on the row-major vec of ρ, of a problem of one sample.

    Stepped: L[σ] = X(σ) + X(σ†)† of its half form X on every |a⟩⟨b|; closed: its own, of its
    first answer.  Raises InputError for a closed equation that has no matrix.
    """
    if equation.generator is None:
        assert equation.propagators is not None
        propagator = equation.propagators(problem)[0]
        if not hasattr(propagator, "toarray"):
            raise InputError(f"equation = {equation.name!r}: it has no generator as a matrix")
        found: Complex = propagator.toarray()
        return found
    n = problem.dimension
    kernel = equation.generator(problem).kernel()
    halves = np.empty((n, n, n, n), dtype=np.complex128)
    for a in range(n):
        for b in range(n):
            unit = np.zeros((1, n, n), dtype=np.complex128)
            unit[0, a, b] = 1.0
            out = np.empty_like(unit)
            kernel(unit, out)
            halves[a, b] = out[0]
    # |a⟩⟨b|† = |b⟩⟨a|.
    images = halves + adjoint(np.swapaxes(halves, 0, 1))
    return np.ascontiguousarray(images.reshape(n * n, n * n).T)
