"""What a small change of H does to a steady state between two temperatures, to first order.

Of states (three levels, a bath on each site) and of correlation matrices (a wire between two
leads), with the change of the heat that flows.
"""

import numpy as np

import manybody as mb

h = np.array([[0.5, 0.3, 0.1j], [0.3, -0.2, 0.4], [-0.1j, 0.4, -0.6]])
gate = np.diag([0.0, 1.0, 0.0])

hot, cold = (mb.OhmicBath(coupling=0.3, cutoff=6.0, beta=beta) for beta in (0.5, 2.0))
model = mb.SingleParticleModel(h, coupled_sites=[0, 2])
for equation in ("redfield", "davies"):
    response = mb.linear_response(model, [hot, cold], gate, equation)
    change = response.steady_change
    heat = mb.heat_current_response(response, change)
    print(f"{equation}: change of the populations", np.diag(change).real.round(4))
    print(f"{equation}: change of the heat from hot and cold", heat.round(5))
    growth = mb.entropy_production_response(response, [1.0 / hot.beta, 1.0 / cold.beta], change)
    print(f"{equation}: change of the entropy production {growth:.5f}")

lead = mb.SemiEllipticDensity(height=0.2, half_width=4.0)
left, right = (mb.Reservoir(lead, beta=1.0, chemical_potential=mu) for mu in (0.3, -0.3))
wire = mb.QuadraticModel(h, [mb.Contact(0, left), mb.Contact(2, right)])
answer = mb.correlation_response(wire, gate, "redfield")
flow = answer.current_changes(answer.steady_change)
print("wire: change of the particle currents", flow.particle.round(5))
