"""A single particle under a field that comes and goes: Redfield against Davies, frozen at each t.

The same from a table of matrices, with the difference that the spline makes.
"""

import numpy as np

import manybody as mb

hopping = np.array([[0.0, 1.0, 0.0], [1.0, 0.2, 1.0], [0.0, 1.0, -0.1]])
field = np.diag([-1.0, 0.0, 1.0])


def hamiltonian(time):
    """h(t) in J, at a time in 1/J."""
    return hopping + 0.5 * np.sin(0.3 * time) * field


bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)
times = [0.0, 2.0, 4.0, 6.0]
run = mb.compare_driven(mb.DrivenSingleParticle(hamiltonian), bath, times, tolerance=1e-6)
print("time             ", times)
print("trace distance   ", run.trace_distance.round(5))
print("error of the time steps", f"{run.time_error:.1e}, H diagonalised {run.evaluations} times")
print("crossings of Bohr frequencies", run.crossings)

grid = np.linspace(0.0, 6.0, 25)
table = mb.TabulatedHamiltonian(grid, [hamiltonian(time) for time in grid])
again = mb.compare_driven(mb.DrivenSingleParticle(table), bath, times, tolerance=1e-6)
print("from a table of 25", f"{abs(again.trace_distance - run.trace_distance).max():.1e} apart")
