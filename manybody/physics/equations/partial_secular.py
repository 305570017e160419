"""The partial secular equation: of Redfield what joins coherences of nearly equal frequency.

dρ/dt = −i[H, ρ] + Σ_j Σ_{|ω − ω'| <= Ω} Γ(ω) (A_j(ω)ρA_j(ω')† − A_j(ω')†A_j(ω)ρ) + h.c.,
A_j(ω) = Σ_{E_k − E_l = ω} |l⟩⟨l|A_j|k⟩⟨k| (SNM eq. (18) before their secular approximation;
docs/physics.md section 11).  In the energy basis these are the elements (l, n) ← (k, m) of
Redfield with |(E_k − E_m) − (E_l − E_n)| <= Ω: a rule for pairs, not for clusters, so that a chain
of near frequencies is not merged by its links.  Ω = 0 is Davies, Ω = ∞ Redfield.  Pairs that lie
on the cutoff to rounding are kept, and so are all that the clustering rule takes for equal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.couplings import Couplings, SiteProjectors
from manybody.physics.equations.half_kernel import HalfKernel
from manybody.physics.equations.protocol import Equation, Guarantees, SystemFacts, adjoint
from manybody.physics.equations.redfield import redfield_of
from manybody.physics.problem import Problem
from manybody.physics.spectra import Spectrum, degeneracy_tolerance

# What the kept elements of one sample may take.
MAX_BYTES = 4 << 30
# A structural cluster of equal frequencies is no wider than so many tolerances.
_WIDEST_CLUSTER = 3.0
# Elements that are made at once, kept or not.
_AT_ONCE = 1 << 20
# Sources that are as quickly looked at as fewer.
_NARROW = 256
# Of the rates of the built-in bath, in bandwidths: what forecasts know of a cutoff that follows
# from the sample.
_EXPECTED_CUTOFF = 0.02
# Flops of dense products that one of a sparse product takes as long as.
_SPARSE_SLOWER = 15.0


@dataclass(frozen=True, eq=False)
class PartialSecularGenerator:
    """The generator of a stack of samples.

    spectrum: eigensystems; cutoffs: (samples,) Ω of each, in J; dissipators: of every sample
    the kept elements but for −i[H, ·], (D², D²) CSR in the energy basis on the row-major vec,
    rows of coherences (l, n) with l < n, and half of those with l = n: with their adjoint they
    are all; spectral_box, spectral_outline: estimates, from those of Redfield, of which the
    elements are.
    """

    spectrum: Spectrum
    cutoffs: Real
    dissipators: tuple[sp.csr_array, ...]
    spectral_box: Real
    spectral_outline: Complex | None

    def kernel(self, columns: slice = slice(None)) -> "_Kernel":
        """X for the given columns of ρ, a contiguous range of [0, D), with its own workspaces."""
        return _Kernel(self, columns)


def build_partial_secular(problem: Problem, cutoff: float | None) -> PartialSecularGenerator:
    """The generator of a problem.

    cutoff: Ω >= 0 in J, None for the largest rate at which Davies has a level left, Σ_{l≠k}
    γ(E_k − E_l) O_lk, of each sample: no number added to an A_j, and no Lamb shift, changes it.
    Raises InputError where the kept elements take more than `MAX_BYTES`.
    """
    redfield = redfield_of(problem)
    if cutoff is None:
        jumps = redfield.jumps
        jumps[:, np.arange(problem.dimension), np.arange(problem.dimension)] = 0.0
        cutoffs = jumps.sum(axis=1).max(axis=1)
    else:
        cutoffs = np.full(problem.n_samples, cutoff)
    dissipators = tuple(
        _dissipator(problem.sample(index), float(own)) for index, own in enumerate(cutoffs)
    )
    # Where all coherences decay alike, as Davies has it, down to four times the largest ⟨K⟩.
    box = redfield.spectral_box * np.array([1.0, 2.0, 1.0])
    return PartialSecularGenerator(
        problem.spectrum, cutoffs, dissipators, box, redfield.spectral_outline
    )


def partial_secular_of(problem: Problem, cutoff: float | None) -> PartialSecularGenerator:
    """The generator of a problem, built once."""
    return problem.once(
        f"partial-secular-{cutoff}", lambda: build_partial_secular(problem, cutoff)
    )


def _dissipators(problem: Problem, rho: Complex, cutoff: float | None) -> Iterator[Complex]:
    """D_j[ρ] of every coupling, with the cutoff of all of them."""
    (own,) = partial_secular_of(problem, cutoff).cutoffs
    vectors = problem.spectrum.vectors[0]
    in_energy = np.ascontiguousarray(vectors.conj().T @ rho @ vectors, dtype=np.complex128)
    for coupling in range(problem.couplings.n_baths):
        matrix = _dissipator(problem.only(coupling), float(own))
        half = vectors @ _applied(matrix, in_energy) @ vectors.conj().T
        yield half + half.conj().T


@dataclass(frozen=True, eq=False)
class _Kept:
    """Which elements are kept, of targets (l, n), l <= n, and sources (k, m) by frequency.

    Both are indices l D + n; elements of target number i are those of the sources
    order[first[i]:stop[i]], targets in the order of frequency too.
    """

    targets: NDArray[np.intp]
    order: NDArray[np.intp]
    first: NDArray[np.intp]
    stop: NDArray[np.intp]

    @property
    def count(self) -> int:
        """How many elements there are."""
        return int((self.stop - self.first).sum())

    def chunks(self) -> Iterator[slice]:
        """Targets whose common window of sources is neither large nor mostly not their own."""
        start = 0
        while start < len(self.targets):
            own = max(int(self.stop[start] - self.first[start]), _NARROW)
            most = min(2 * own, _AT_ONCE)
            # Windows only move on: how far the common one reaches ascends.
            within = int(np.searchsorted(self.stop, self.first[start] + most, side="right"))
            stop = max(start + 1, min(within, start + max(1, _AT_ONCE // most)))
            yield slice(start, stop)
            start = stop


def kept_elements(spectrum: Spectrum, cutoff: float) -> _Kept:
    """The pairs of coherences of one sample whose frequencies differ by at most Ω."""
    energies, n = spectrum.energies[0], spectrum.dimension
    frequencies = (energies[:, None] - energies).ravel()
    order = np.argsort(frequencies, kind="stable")
    is_target = (order // n) <= (order % n)
    targets = order[is_target]
    reach = cutoff + _WIDEST_CLUSTER * degeneracy_tolerance(spectrum)
    ascending, wanted = frequencies[order], frequencies[targets]
    first = np.searchsorted(ascending, wanted - reach, side="left")
    stop = np.searchsorted(ascending, wanted + reach, side="right")
    return _Kept(targets, order, first, stop)


def _dissipator(sample: Problem, cutoff: float) -> sp.csr_array:
    """The kept elements of Redfield of one sample, less −i[H, ·]; see the generator."""
    spectrum, n = sample.spectrum, sample.dimension
    kept = kept_elements(spectrum, cutoff)
    redfield = redfield_of(sample)
    is_real = redfield.is_split
    needed = kept.count * ((8 if is_real else 16) + 4)
    if needed > MAX_BYTES:
        raise InputError(
            f"equations: partial secular with a cutoff of {cutoff:g} keeps {kept.count} elements "
            f"of a system of {n} states, {needed / 2**30:.3g} GiB, allowed are "
            f"{MAX_BYTES / 2**30:g} GiB: take a smaller cutoff"
        )
    vectors = spectrum.vectors[0]
    decay = vectors.conj().T @ redfield.decay[0] @ vectors
    values = np.empty(kept.count, dtype=np.float64 if is_real else np.complex128)
    sources = np.empty(kept.count, dtype=np.int32)
    lengths = np.zeros(n * n + 1, dtype=np.int64)
    lengths[1:][kept.targets] = kept.stop - kept.first
    starts = np.cumsum(lengths)
    for some in kept.chunks():
        first, stop = kept.first[some, None], kept.stop[some, None]
        window = kept.order[first[0, 0] : stop[-1, 0]]
        block = _elements(sample, decay, kept.targets[some], window)
        offset = np.arange(len(window)) + first[0, 0]
        inside = (offset >= first) & (offset < stop)
        # In the order of rows at once: a second copy of all would be as large.
        places = (starts[kept.targets[some], None] + offset - first)[inside]
        values[places] = block[inside]
        sources[places] = np.broadcast_to(window, inside.shape)[inside]
    matrix = sp.csr_array((values, sources, starts), shape=(n * n, n * n))
    matrix.sort_indices()
    return matrix


def _elements(
    sample: Problem, decay: NDArray[Any], targets: NDArray[np.intp], sources: NDArray[np.intp]
) -> NDArray[Any]:
    """(targets, sources) (l, n) ← (k, m): Σ_j (Γ_j(E_k − E_l) + Γ_j(E_m − E_n)*) A_lk A_nm* −
    K_lk δ_mn − K_nm* δ_lk, half of it where l = n."""
    size = sample.dimension
    (to_l, to_n), (from_k, from_m) = np.divmod(targets, size), np.divmod(sources, size)
    to_l, to_n = to_l[:, None], to_n[:, None]
    total: NDArray[Any] = np.zeros((len(targets), len(sources)), dtype=np.float64)
    for group in sample.groups:
        rates = group.rates[0]
        both = rates[to_l, from_k] + rates[to_n, from_m].conj()
        total = total + both * _overlaps(sample, group.couplings, targets, sources)
    total = total - decay[to_l, from_k] * (to_n == from_m)
    total = total - decay[to_n, from_m].conj() * (to_l == from_k)
    total *= np.where(to_l == to_n, 0.5, 1.0)
    return total


def _overlaps(
    sample: Problem, couplings: Couplings, targets: NDArray[np.intp], sources: NDArray[np.intp]
) -> NDArray[Any]:
    """(targets, sources) Σ_j A^j_lk A^j_nm* of coherences (l, n) and (k, m)."""
    vectors = sample.spectrum.vectors
    (to_l, to_n), (from_k, from_m) = (
        np.divmod(each, sample.dimension) for each in (targets, sources)
    )
    if isinstance(couplings, SiteProjectors):
        # A^j_lk A^j_nm* = s_j² ⟨l|j⟩⟨j|n⟩ · ⟨j|k⟩⟨m|j⟩, a product over sites.
        rows = vectors[0][couplings.coupled]
        left, right = (
            rows[:, to_l].conj() * rows[:, to_n],
            rows[:, from_k] * rows[:, from_m].conj(),
        )
        if couplings.strengths is not None:
            left = left * (couplings.strengths[couplings.coupled] ** 2)[:, None]
        found: NDArray[Any] = left.T @ right
        return found
    to_l, to_n = to_l[:, None], to_n[:, None]
    total: NDArray[Any] = np.zeros((len(targets), len(sources)), dtype=np.float64)
    for (turned,) in couplings.turned(vectors):
        total = total + turned[to_l, from_k] * turned[to_n, from_m].conj()
    return total


def partial_secular(cutoff: float | None = None) -> Equation:
    """The equation "partial-secular-<cutoff>", or "partial-secular".

    cutoff: Ω >= 0 in J; None for the largest rate at which Davies has a level left, the largest
    Σ_{l≠k} γ(E_k − E_l) O_lk over k, of each sample: faster beats average out while anything
    decays.  Raises InputError for anything else.
    """
    if cutoff is not None:
        cutoff = arguments.real("cutoff", cutoff, minimum=0.0)
    word = "" if cutoff is None else f"-{cutoff_word(cutoff)}"
    return Equation(
        name=f"partial-secular{word}",
        title="Partial secular" + ("" if cutoff is None else f" (cutoff {cutoff_word(cutoff)})"),
        symbol="P" if cutoff is None else f"{{P,{cutoff_word(cutoff)}}}",
        source="SNM eq. (18), pairs of frequencies within a cutoff",
        formula=(
            "dρ/dt = −i[H, ρ] + Σ_j Σ_{|ω − ω′| ≤ Ω} Γ(ω) "
            "(A_j(ω) ρ A_j(ω′)† − A_j(ω′)†A_j(ω) ρ) + h.c., Ω the cutoff"
        ),
        # L[ρ_G] is that of Redfield, its elements beyond the cutoff left out.
        keeps=Guarantees(gibbs=True),
        flops=_flops,
        generator=partial(partial_secular_of, cutoff=cutoff),
        application_flops=partial(_application_flops, cutoff=cutoff),
        own_bytes=partial(_own_bytes, cutoff=cutoff),
        dissipators=partial(_dissipators, cutoff=cutoff),
    )


def cutoff_word(cutoff: float) -> str:
    """A cutoff as it stands in a name: decimals, no more of them than needed."""
    word = np.format_float_positional(cutoff, trim="-")
    return str(word)


def _flops(is_real: bool, _lamb_shift: bool) -> float:
    """To the energy basis and back, in D³."""
    return 16.0 if is_real else 32.0


def _expected(facts: SystemFacts, cutoff: float | None) -> float:
    """Elements that a cutoff keeps of D⁴/2, about: gaps spread over twice the bandwidth of a
    lattice or of the built-in random models."""
    share = _EXPECTED_CUTOFF if cutoff is None else cutoff / 4.0
    least = 2.0 / float(facts.dimension) ** 2
    return 0.5 * min(1.0, max(least, 1.3 * share)) * float(facts.dimension) ** 4


def _application_flops(facts: SystemFacts, cutoff: float | None) -> float:
    """Four products, and two sparse ones."""
    each = 4.0 if facts.is_real and not facts.lamb_shift else 8.0
    dense = _flops(facts.is_real, facts.lamb_shift) * float(facts.dimension) ** 3
    return dense + _SPARSE_SLOWER * each * _expected(facts, cutoff)


def _own_bytes(facts: SystemFacts, cutoff: float | None) -> float:
    """The kept elements, and V and ρ in the energy basis."""
    number = 8.0 if facts.is_real and not facts.lamb_shift else 16.0
    return (number + 4.0) * _expected(facts, cutoff) + 64.0 * float(facts.dimension) ** 2


class _Kernel(HalfKernel):
    """X = V [−iE ∘ σ + D(σ)] V† with σ = V†ρV, D half of the dissipator.  It mixes columns."""

    needs_whole = True

    def __init__(self, generator: PartialSecularGenerator, columns: slice) -> None:
        spectrum = generator.spectrum
        super().__init__(spectrum.n_samples, spectrum.dimension, columns)
        self._vectors, self._adjoint = spectrum.vectors, adjoint(spectrum.vectors)
        self._energies = spectrum.energies
        self._dissipators = generator.dissipators

    def __call__(self, rho: Complex, out: Complex, whole: Complex | None = None) -> None:
        """Write X into `out`; whole: (samples, D, D) all columns, None for `rho` itself."""
        every = rho if whole is None else whole
        for index, (state, result) in enumerate(zip(every, out)):
            vectors, turned = self._vectors[index], self._adjoint[index]
            in_energy = np.ascontiguousarray(turned @ (state @ vectors))
            half = _applied(self._dissipators[index], in_energy)
            half += -1j * self._energies[index][:, None] * in_energy
            np.matmul(vectors, half @ turned[:, self.columns], out=result)
            result *= self.factors[index]


def _applied(matrix: sp.csr_array, state: Complex) -> Complex:
    """The matrix on the vec of a state; a real one meets complex numbers as two real ones."""
    if np.iscomplexobj(matrix):
        found: Complex = (matrix @ state.ravel()).reshape(state.shape)
        return found
    both = np.ascontiguousarray(matrix @ state.view(np.float64).reshape(-1, 2))
    return both.view(np.complex128).reshape(state.shape)
