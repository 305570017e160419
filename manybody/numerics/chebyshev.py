"""Chebyshev series of e^{Lt} for a spectrum near the imaginary axis: the default stepper.

e^{Lt} = Σ_k c_k(t) φ_k with c_0 = J_0(δt), c_k = 2 J_k(δt), φ_0 = x, φ_1 = Lx/δ,
φ_{k+1} = 2Lφ_k/δ + φ_{k−1} and |Im λ| <= δ.  All output times share the recursion,
there are no inner products, and the coefficients are real, so Hermitian data
stay Hermitian.  A Re λ ≠ 0 makes φ_k grow like e^{k |Re λ|/δ}, harmless over
segments short enough (PHYSICS.md section 5).
"""

from typing import Any

import numpy as np

from manybody.numerics.protocols import (
    Array,
    Linearity,
    Operator,
    Real,
    Segment,
    Solution,
    cut,
    dyadic_length,
)

EPSILON = float(np.finfo(np.float64).eps)
# Terms that are summed by one product.  Part of the result's bits: the same for
# every stack.
_BLOCK = 64
# Largest δt of one series: beyond, its z^{1/3} overhead is 2 % and only the table grows.
_MAX_ARGUMENT = 4000.0
MAX_APPLICATIONS = 1e8


class Chebyshev:
    """Chebyshev propagation to a tolerance.

    tolerance: aim for the Frobenius-norm error of every state; at least 1e-13.
    """

    name = "chebyshev"
    linearity: Linearity = "hermitian"

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance

    def segments(self, operator: Operator, times: Real) -> list[Segment]:
        """The dyadic segment length with the fewest applications for the slowest sample."""
        last = float(times[-1])
        if last == 0.0:
            return [Segment(0.0, 0.0, (0.0,) * len(times), 0, 1.0)]
        longest = dyadic_length(2.0 * last)
        lengths = longest * 0.5 ** np.arange(60)
        cost = np.zeros(lengths.size)
        for box in operator.spectral_box:
            own = [_fewest_terms(box, min(length, last), self.tolerance) for length in lengths]
            rate = [terms / min(length, last) for (_, terms), length in zip(own, lengths)]
            cost = np.maximum(cost, rate)
        best = int(np.argmin(cost))
        if not cost[best] * last <= MAX_APPLICATIONS:
            raise ValueError(
                f"times up to {last:g} with a spectrum of half-width "
                f"{float(operator.spectral_box[:, 0].max()):g} need about "
                f"{cost[best] * last:.1e} applications, allowed are {MAX_APPLICATIONS:g}: "
                "are energies and times in the same units?"
            )
        return cut(times, float(lengths[best]))

    def advance(self, operator: Operator, state: Array, segment: Segment) -> Solution:
        """One series for all output times of the segment and its end."""
        n_samples, shape = state.shape[0], state.shape[1:]
        duration = segment.stop - segment.start
        times = np.array([*segment.times, segment.stop]) - segment.start
        if duration == 0.0:
            states = np.repeat(state[:, None], len(segment.times), axis=1)
            none = np.zeros(n_samples, dtype=np.int64)
            return Solution(states, state.copy(), "converged", none, np.zeros(n_samples))
        series = []
        for box in operator.spectral_box:
            width, _ = _fewest_terms(box, duration, self.tolerance)
            allowed = self.tolerance * segment.share
            series.append((width, *_coefficients(width, times, _growth(box, width), allowed)))
        terms = np.array([count for _, _, count, _ in series], dtype=np.int64)
        n_blocks = -(-int(terms.max()) // _BLOCK)
        coefficients = np.zeros((n_samples, len(times), n_blocks * _BLOCK))
        for s, (_, table, count, _) in enumerate(series):
            coefficients[s, :, :count] = table[:, :count]

        scale = np.array([2.0 / width for width, *_ in series])[:, None, None]
        # Slots 0 and 1 carry the last two vectors of the block before.
        phi = np.zeros((n_samples, _BLOCK + 2, *shape), dtype=np.complex128)
        flat = phi.reshape(n_samples, _BLOCK + 2, -1).view(np.float64)
        states = np.zeros((n_samples, len(times), *shape), dtype=np.complex128)
        accumulated = states.reshape(n_samples, len(times), -1).view(np.float64)
        largest, last_norm = np.zeros(n_samples), np.zeros(n_samples)
        for block in range(n_blocks):
            for slot in range(2, _BLOCK + 2):
                k = block * _BLOCK + slot - 2
                target = phi[:, slot]
                if k == 0:
                    target[...] = state
                else:
                    if k >= terms.max():
                        target[...] = 0.0
                        continue
                    operator.apply(phi[:, slot - 1], target)
                    target *= scale if k > 1 else 0.5 * scale
                    if k > 1:
                        target += phi[:, slot - 2]
                    # Beyond its last term a sample would only grow, and spoil 0 · φ_k.
                    target[k >= terms] = 0.0
            first, stop = block * _BLOCK, (block + 1) * _BLOCK
            for s in range(n_samples):
                own = flat[s, 2:]
                accumulated[s] += coefficients[s, :, first:stop] @ own
                used = min(int(terms[s]) - first, _BLOCK)
                if used > 0:
                    norms = np.sqrt(np.einsum("ki,ki->k", own[:used], own[:used]))
                    largest[s] = max(largest[s], norms.max())
                    # Two, since every other φ_k may vanish by symmetry.
                    last_norm[s] = norms[-2:].max() if used > 1 else max(norms[0], last_norm[s])
            phi[:, :2] = phi[:, -2:]
        if not np.all(np.isfinite(accumulated[:, -1])):
            raise RuntimeError(
                f"the Chebyshev series diverged between t = {segment.start:g} and "
                f"{segment.stop:g}: the spectrum lies outside its box"
            )
        tails = np.array([tail for *_, tail in series])
        rounding = EPSILON * largest * (10.0 + terms)
        return Solution(
            states[:, :-1],
            states[:, -1].copy(),
            "converged",
            terms - 1,
            tails * last_norm + rounding,
        )


def _growth(box: Real, width: float | Real) -> Any:
    """log |φ_{k+1}/φ_k| at the worst corner of the spectral box, scaled by `width`.

    T_k(w) grows like |w + √(w² − 1)|^k off the interval [−1, 1], fastest near its
    ends: room between |Im λ| and `width` is what keeps φ_k small.
    """
    corner = (box[0] + 1j * max(-box[1], box[2])) / width
    return np.log(np.abs(corner + np.sqrt(corner - 1.0) * np.sqrt(corner + 1.0)))


def _fewest_terms(box: Real, duration: float, tolerance: float) -> tuple[float, float]:
    """Width δ with the fewest terms whose growth leaves rounding below the tolerance.

    Returns the width and the predicted number of terms, infinite if no width up to
    sixteen times the box will do or the series would be too long for one table.
    """
    # Growth that would carry rounding to the tolerance if the whole state sat in the
    # worst corner of the box; growth e⁵ is always accepted.
    allowed = max(5.0, np.log(tolerance / EPSILON))
    floor = max(box[0], -box[1], box[2], 1e-3 / duration)
    widths = floor * (1.0 + np.geomspace(1e-3, 15.0, 200))
    z = widths * duration
    terms = z + 3.0 * np.log10(1.0 / tolerance) ** (2.0 / 3.0) * z ** (1.0 / 3.0) + 4.0
    terms[_growth(box, widths) * terms > allowed] = np.inf
    terms[z > _MAX_ARGUMENT] = np.inf
    best = int(np.argmin(terms))
    return float(widths[best]), float(terms[best])


def _coefficients(
    width: float, times: Real, growth: float, allowed: float
) -> tuple[Real, int, float]:
    """Table c_k(t), number of terms kept and sum of the |c_k| dropped.

    The dropped terms are weighed with their growth relative to the last term
    kept, so that its measured norm can stand for them.
    """
    table = bessel_table(width * times)
    exponent = np.minimum(growth * np.arange(table.shape[1]), 600.0)
    weights = np.abs(table).max(axis=0) * np.exp(exponent)
    # Sum from the end: what is left out if the series stops after k terms.
    left_out = np.append(np.cumsum(weights[::-1])[::-1], 0.0)
    count = max(2, int(np.argmax(left_out <= max(0.1 * allowed, 10.0 * EPSILON))))
    return table, count, float(left_out[count] * np.exp(-exponent[count - 1]))


def bessel_table(arguments: Real) -> Real:
    """c_k(z) = (2 − δ_k0) J_k(z) for all k until they vanish to rounding.

    J_k(z) = ∫ dθ/2π e^{i(z sin θ − kθ)} by the trapezoidal rule, exact up to
    J_{M−k}, so one FFT serves every k.  arguments: (T,) z >= 0 -> (T, K).
    """
    largest = float(np.max(arguments))
    n_terms = int(largest + 20.0 * (largest + 1.0) ** (1.0 / 3.0) + 40.0)
    points = 1 << int(np.ceil(np.log2(2 * n_terms)))
    theta = 2.0 * np.pi * np.arange(points) / points
    samples = np.exp(1j * arguments[:, None] * np.sin(theta))
    table = 2.0 * np.fft.fft(samples, axis=1)[:, :n_terms].real / points
    table[:, 0] *= 0.5
    # Rounding of the phases, not information: grown by e^{k Re λ/δ} it would feign a tail.
    table[np.abs(table) < EPSILON * (4.0 + 0.05 * largest)] = 0.0
    return table
