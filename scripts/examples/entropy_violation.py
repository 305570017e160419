"""States in which a bath destroys entropy: Redfield has some, Davies none.

Random states do not meet them; descents do.
"""

import numpy as np

import manybody as mb

h = np.array([[0.4, 0.5, 0.0], [0.5, 0.0, 0.5j], [0.0, -0.5j, -0.3]])
bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=1.0)
for equation in ("redfield", "davies"):
    worst = mb.worst_entropy_production(
        mb.SingleParticleModel(h), equation, bath, seed=1, n_starts=1
    )
    print(f"{equation}: smallest production {worst.production:.2e} J, bath {worst.bath}")
    print(f"  eigenvalues of that state {np.linalg.eigvalsh(worst.state).round(4)}")
