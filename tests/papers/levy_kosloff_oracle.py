"""The two nodes of Levy and Kosloff, term by term in 60-digit arithmetic, and in kron space."""

import itertools

import mpmath as mp
import numpy as np

# x_A, p_A, x_B, p_B among x_A, x_B, p_A, p_B.
NODE_BY_NODE = [0, 2, 1, 3]
FIELDS = {
    "Jh": "heat_current_hot",
    "Jc": "heat_current_cold",
    "na": "population_a",
    "nb": "population_b",
    "X": "correlation_x",
    "Y": "correlation_y",
    "sigma": "entropy_production",
    "wp": "omega_plus",
    "wm": "omega_minus",
    "cos2": "cos_squared",
    "np": "population_plus",
    "nm": "population_minus",
}


def random_parameters(rng, strongest=-2):
    """Nodes, baths and couplings over many orders of magnitude, some at a resonance.

    strongest: power of ten of the largest κω².
    """
    omega_h, omega_c = np.exp(rng.uniform(-3, 3, 2))
    if rng.random() < 0.3:
        omega_h = omega_c * (1.0 + rng.choice([0.0, 2.0**-20, -(2.0**-30)]))
    t_h, t_c = np.exp(rng.uniform(-2, 5, 2))
    if rng.random() < 0.3:
        t_h = t_c * (1.0 + rng.choice([2.0**-20, 2.0**-45]))
    epsilon = np.sqrt(omega_h * omega_c) * 10.0 ** rng.uniform(-9, -0.01)
    kappa = 10.0 ** rng.uniform(-12, strongest) / max(omega_h, omega_c) ** 2
    return tuple(float(value) for value in (omega_h, omega_c, t_h, t_c, epsilon, kappa))


def moment_errors(correlation, result):
    """How far populations and correlations are from ⟨a_p†a_q⟩, (2, 2) on the nodes."""
    return [
        abs(correlation[0, 0].real - result["population_a"]),
        abs(correlation[1, 1].real - result["population_b"]),
        abs(2 * correlation[0, 1].real - result["correlation_x"]),
        abs(2 * correlation[0, 1].imag - result["correlation_y"]),
    ]


def precise(omega_h, omega_c, t_h, t_c, epsilon, kappa, statistics, approach):
    """Stationary moments and currents of dC/dt = −(RC + CR†) + F + F† by a plain 60-digit solve.

    Loss at the rate κΩ³(1 + n) and gain at κΩ³n, n of bosons, whatever the nodes are; R has half
    of loss minus gain for oscillators, half of loss plus gain for two-level systems.
    """
    with mp.workdps(60):
        wh, wc, th, tc, eps, k = map(mp.mpf, (omega_h, omega_c, t_h, t_c, epsilon, kappa))
        splitting = mp.sqrt((wh - wc) ** 2 + 4 * eps**2)
        plus, minus = (wh + wc + splitting) / 2, (wh + wc - splitting) / 2
        cos = mp.sqrt((wh - minus) / splitting) if splitting else mp.mpf(0)
        sin = mp.sqrt((plus - wh) / splitting) if splitting else mp.mpf(1)
        h = mp.matrix([[wh, eps], [eps, wc]])
        modes = mp.matrix([[cos, -sin], [sin, cos]])
        delta = -1 if statistics == "boson" else 1

        def half_rates(omega, temperature):
            """Half of what R and F have at one frequency."""
            gain = k * omega**3 / mp.expm1(omega / temperature)
            loss = k * omega**3 + gain
            return (loss + delta * gain) / 2, gain / 2

        parts = []
        for site, own, temperature in ((0, wh, th), (1, wc, tc)):
            damping, filling = mp.zeros(2), mp.zeros(2)
            if approach == "local":
                damping[site, site], filling[site, site] = half_rates(own, temperature)
            else:
                both = [half_rates(omega, temperature) for omega in (plus, minus)]
                for m, n in itertools.product(range(2), repeat=2):
                    if approach == "global" and m != n:
                        continue
                    weight = modes[site, m] * modes[site, n]
                    outer = modes[:, m] * modes[:, n].T
                    damping += weight * both[n][0] * outer
                    filling += weight * both[n][1] * outer
            parts.append((damping, filling))
        rate = mp.mpc(0, 1) * h + parts[0][0] + parts[1][0]
        source = parts[0][1] + parts[1][1]
        matrix, right = mp.zeros(4), mp.zeros(4, 1)
        for a, b in itertools.product(range(2), repeat=2):
            right[2 * a + b] = source[a, b] + mp.conj(source[b, a])
            for c in range(2):
                matrix[2 * a + b, 2 * c + b] += rate[a, c]
                matrix[2 * a + b, 2 * a + c] += mp.conj(rate[b, c])
        flat = mp.lu_solve(matrix, right)
        state = mp.matrix([[flat[0], flat[1]], [flat[2], flat[3]]])
        heat = []
        for damping, filling in parts:
            change = filling - damping * state
            product = h * (change + change.H)
            heat.append((product[0, 0] + product[1, 1]).real)
        turned = modes.T * state * modes
        return {
            "heat_current_hot": float(heat[0]),
            "heat_current_cold": float(heat[1]),
            "population_a": float(state[0, 0].real),
            "population_b": float(state[1, 1].real),
            "correlation_x": float(2 * state[0, 1].real),
            "correlation_y": float(2 * state[0, 1].imag),
            "population_plus": float(turned[0, 0].real),
            "population_minus": float(turned[1, 1].real),
            "omega_plus": float(plus),
            "omega_minus": float(minus),
            "cos_squared": float(cos**2),
            "entropy_production": float(-heat[0] / th - heat[1] / tc),
        }


def liouvillian(hamiltonian, jumps):
    """−i[H, ρ] + Σ rate (LρL† − ½{L†L, ρ}) on the row-major vec."""
    one = np.eye(len(hamiltonian))
    matrix = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T))
    for rate, jump in jumps:
        loss = jump.conj().T @ jump
        matrix += rate * np.kron(jump, jump.conj())
        matrix -= 0.5 * rate * (np.kron(loss, one) + np.kron(one, loss.T))
    return matrix


def kron_two_level(omega_h, omega_c, t_h, t_c, epsilon, kappa, approach):
    """Moments and hot current of two spins in |0⟩, |1⟩ each: no fermions, no modes, no C.

    "local" has the jumps σ∓ of LK eqs. (6) and (7); "global" those of σ_x = a + a† sorted by the
    Bohr frequencies of the four levels, as LK derive it.
    """
    lower, one = np.array([[0.0, 1.0], [0.0, 0.0]]), np.eye(2)
    a, b = np.kron(lower, one), np.kron(one, lower)
    hamiltonian = omega_h * a.T @ a + omega_c * b.T @ b + epsilon * (a.T @ b + b.T @ a)

    def gamma(omega, temperature):
        """Power spectrum, ω > 0 energy given to the bath."""
        return kappa * omega**3 / -np.expm1(-omega / temperature) * np.sign(omega)

    baths = []
    for node, own, temperature in ((a, omega_h, t_h), (b, omega_c, t_c)):
        jumps = []
        if approach == "local":
            jumps = [(gamma(own, temperature), node), (abs(gamma(-own, temperature)), node.T)]
        else:
            energies, vectors = np.linalg.eigh(hamiltonian)
            elements = vectors.T @ (node + node.T) @ vectors
            gaps = energies[None, :] - energies[:, None]
            for omega in np.unique(np.round(gaps, 9)):
                own_part = np.where(np.abs(gaps - omega) < 1e-8, elements, 0.0)
                if np.abs(own_part).max() > 1e-12:
                    jump = vectors @ own_part @ vectors.T
                    exact = gaps[np.abs(gaps - omega) < 1e-8].mean()
                    jumps.append((abs(gamma(exact, temperature)), jump))
        baths.append(jumps)
    matrix = liouvillian(hamiltonian, baths[0] + baths[1])
    state = np.linalg.svd(matrix)[2][-1].conj().reshape(4, 4)
    state = state / np.trace(state)
    hot = (liouvillian(np.zeros((4, 4)), baths[0]) @ state.ravel()).reshape(4, 4)
    return {
        "heat_current_hot": np.trace(hamiltonian @ hot).real,
        "population_a": np.trace(a.T @ a @ state).real,
        "population_b": np.trace(b.T @ b @ state).real,
        "correlation_x": np.trace((a.T @ b + a @ b.T) @ state).real,
        "correlation_y": (1j * np.trace((a.T @ b - a @ b.T) @ state)).real,
    }


def local_covariance(population_a, population_b, x, y):
    """(4, 4) V_local of LK appendix C from ⟨a†a⟩, ⟨b†b⟩, ⟨X⟩ and ⟨Y⟩."""
    a, b = population_a + 0.5, population_b + 0.5
    return np.array(
        [
            [a, 0.0, 0.5 * x, -0.5 * y],
            [0.0, a, 0.5 * y, 0.5 * x],
            [0.5 * x, 0.5 * y, b, 0.0],
            [-0.5 * y, 0.5 * x, 0.0, b],
        ]
    )


def global_covariance(population_plus, population_minus, cos_squared):
    """(4, 4) V_global of LK appendix C from ⟨d₊†d₊⟩, ⟨d₋†d₋⟩ and cos²θ."""
    sin_squared = 1.0 - cos_squared
    a = population_plus * cos_squared + population_minus * sin_squared + 0.5
    b = population_plus * sin_squared + population_minus * cos_squared + 0.5
    mixed = (population_plus - population_minus) * np.sqrt(cos_squared * sin_squared)
    return np.kron([[a, mixed], [mixed, b]], np.eye(2))


def precise_position(omega_h, omega_c, t_h, t_c, epsilon, kappa):
    """Redfield moments of oscillators on (a + a†)R, by definition, a 60-digit solve.

    Of ξ = (x_A, x_B, p_A, p_B), A = u·ξ and Λ = λ·ξ = Σ_m ½[γ(ω_m)V_qm d_m + γ(−ω_m)V_qm d_m†]
    the equation Λρ A − AΛρ + h.c. makes dσ/dt = Gσ + σGᵀ + (Ju)(J Re λ)ᵀ + h.c. with
    G = Jh + 2(Ju)(Im λ)ᵀ, J the symplectic form.
    """
    with mp.workdps(60):
        wh, wc, temperatures, eps, k = (
            mp.mpf(omega_h),
            mp.mpf(omega_c),
            (mp.mpf(t_h), mp.mpf(t_c)),
            mp.mpf(epsilon),
            mp.mpf(kappa),
        )
        h = mp.matrix([[wh, eps], [eps, wc]])
        omega, modes = mp.eigsy(h)
        form, energy = mp.zeros(4), mp.zeros(4)
        for i, j in itertools.product(range(2), repeat=2):
            energy[i, j] = energy[2 + i, 2 + j] = h[i, j]
            if i == j:
                form[i, 2 + i], form[2 + i, i] = 1, -1
        parts = []
        for site, temperature in enumerate(temperatures):
            real, imaginary = mp.zeros(4, 1), mp.zeros(4, 1)
            for m, j in itertools.product(range(2), repeat=2):
                weight = modes[site, m] * modes[j, m] / (2 * mp.sqrt(2))
                down, up = (k * s**3 / -mp.expm1(-s / temperature) for s in (omega[m], -omega[m]))
                real[j] += weight * (down + up)
                imaginary[2 + j] += weight * (down - up)
            kick = form * mp.matrix([mp.sqrt(2) if i == site else 0 for i in range(4)])
            noise = kick * (form * real).T
            parts.append((2 * kick * imaginary.T, noise + noise.T))
        drift = form * energy + parts[0][0] + parts[1][0]
        places = [(i, j) for i in range(4) for j in range(i, 4)]
        matrix, right = mp.zeros(10), mp.zeros(10, 1)
        for column, (i, j) in enumerate(places):
            unit = mp.zeros(4)
            unit[i, j] = unit[j, i] = 1
            image = drift * unit + unit * drift.T
            for row, place in enumerate(places):
                matrix[row, column] = image[place]
        for row, place in enumerate(places):
            right[row] = -parts[0][1][place] - parts[1][1][place]
        flat = mp.lu_solve(matrix, right)
        state = mp.zeros(4)
        for (i, j), value in zip(places, flat):
            state[i, j] = state[j, i] = value
        heat = []
        for damping, noise in parts:
            product = energy * (damping * state + state * damping.T + noise)
            heat.append(sum(product[i, i] for i in range(4)) / 2)
        return {
            "heat_current_hot": float(heat[0]),
            "heat_current_cold": float(heat[1]),
            "population_a": float((state[0, 0] + state[2, 2] - 1) / 2),
            "population_b": float((state[1, 1] + state[3, 3] - 1) / 2),
            "correlation_x": float(state[0, 1] + state[2, 3]),
            "correlation_y": float(state[1, 2] - state[0, 3]),
            "covariance": np.array(state.tolist(), dtype=float)[
                np.ix_([0, 2, 1, 3], [0, 2, 1, 3])
            ],
        }
