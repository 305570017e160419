"""Model, bath and Lamb shift of a sample, and what follows from them: each once, when asked for.

Every equation and every observable of a sample takes its `Problem`, never its model, so that a
Hamiltonian is diagonalised once whatever is made of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics.bath_groups import BathGroup, bath_groups
from manybody.physics.baths.several import AnyBaths, SeveralBaths
from manybody.physics.couplings import Couplings
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.protocol import Model
from manybody.physics.spectra import Clustering, Spectrum, build_spectrum, cluster_bohr_frequencies

T = TypeVar("T")


class Problem:
    """A stack of samples of one kind: same size, realness, couplings and baths.

    What is derived is derived once and shared, also by selections.

    Parameters
    ----------
    models : sequence of Model
        Of the samples, in their order.
    bath : Bath or SeveralBaths
        Of every coupling, or a bath of its own for each.
    lamb_shift : bool, default False
        Whether η(ω) is kept.

    Examples
    --------
    >>> import manybody as mb
    >>> from manybody.physics.problem import Problem
    >>> problem = Problem([mb.dirac_syk2(n_sites=4)], mb.OhmicBath(0.2, 10.0, 5.0))
    >>> problem.spectrum.energies.shape, problem.rates.shape
    ((1, 4), (1, 4, 4))
    """

    def __init__(self, models: Sequence[Model], bath: AnyBaths, lamb_shift: bool = False) -> None:
        self.models, self.bath, self.lamb_shift = tuple(models), bath, lamb_shift
        self._derived: dict[str, Any] = {}
        self._samples: dict[int, Problem] = {}

    @classmethod
    def of_spectrum(
        cls, spectrum: Spectrum, bath: AnyBaths, lamb_shift: bool = False
    ) -> "Problem":
        """The problem of samples whose spectrum is known, without their models.

        Parameters
        ----------
        spectrum : Spectrum
            Of the samples.
        bath : Bath or SeveralBaths
            As of a problem.
        lamb_shift : bool, default False
            As of a problem.

        Returns
        -------
        Problem
            Which has no `model`.
        """
        problem = cls((), bath, lamb_shift)
        vars(problem)["spectrum"] = spectrum
        return problem

    @property
    def model(self) -> Model:
        """The model of a stack of one sample."""
        (model,) = self.models
        return model

    @property
    def n_samples(self) -> int:
        """Number of samples, without a look at any spectrum."""
        return len(self.models) if self.models else self.spectrum.n_samples

    @property
    def dimension(self) -> int:
        """Number of states D, without a look at any spectrum."""
        return self.models[0].dimension if self.models else self.spectrum.dimension

    @cached_property
    def spectrum(self) -> Spectrum:
        """Energies and eigenvectors; couplings as they round best."""
        found = build_spectrum(self.models)
        couplings = found.couplings.centred(self.lamb_shift, shifts_of(self.bath, self.lamb_shift))
        return found if couplings is found.couplings else replace(found, couplings=couplings)

    @property
    def couplings(self) -> Couplings:
        """What the baths couple to."""
        return self.spectrum.couplings

    @cached_property
    def basis(self) -> FockBasis | None:
        """Occupations of the states, None where they have none or differ from model to model."""
        found = {getattr(model, "basis", None) for model in self.models}
        return found.pop() if len(found) == 1 else None

    @cached_property
    def hamiltonians(self) -> tuple[Any, ...]:
        """Hamiltonian of every sample as its model has it: CSR or an array."""
        return tuple(model.hamiltonian for model in self.models)

    @property
    def norms(self) -> Real:
        """Norm ‖H‖₂ in J, (samples,), where H was diagonalised, else ‖H‖_∞, which bounds it."""
        if "spectrum" in vars(self):
            return self.spectrum.norms
        return np.array([float(abs(one).sum(axis=1).max()) for one in self.hamiltonians])

    @cached_property
    def groups(self) -> tuple[BathGroup, ...]:
        """The couplings by their bath, with its Γ(E_k − E_l)."""
        return bath_groups(self.spectrum, self.bath, self.lamb_shift)

    @property
    def rates(self) -> NDArray[Any]:
        """Rates G_lk = Γ(E_k − E_l) of the one bath of all couplings, (samples, D, D), in J.

        Raises InputError where there are several baths.
        """
        if len(self.groups) > 1:
            raise InputError(
                f"there are {len(self.groups)} different baths: this is had for one alone"
            )
        return self.groups[0].rates

    @cached_property
    def clusterings(self) -> tuple[Clustering, ...]:
        """Which Bohr frequencies coincide, sample by sample."""
        return tuple(cluster_bohr_frequencies(self.spectrum))

    @property
    def clustering(self) -> Clustering:
        """Which Bohr frequencies coincide, of a stack of one sample."""
        (clustering,) = self.clusterings
        return clustering

    @cached_property
    def kms_residuals(self) -> tuple[float, ...]:
        """How far the bath breaks detailed balance at the Bohr frequencies, sample by sample."""
        return tuple(self.bath.kms_residual(own) for own in self.spectrum.bohr_frequencies)

    def clustering_on(self, spectrum: Spectrum) -> Clustering:
        """Which Bohr frequencies of a spectrum of this sample coincide.

        Parameters
        ----------
        spectrum : Spectrum
            Of this sample.

        Returns
        -------
        Clustering
            See docs/physics.md section 4.
        """
        if spectrum is self.spectrum:
            return self.clustering
        return cluster_bohr_frequencies(spectrum)[0]

    def once(self, name: str, build: Callable[[], T]) -> T:
        """What is made at the first call with this name alone.

        Parameters
        ----------
        name : str
            Under which it is kept.
        build : callable
            It makes it, without arguments.

        Returns
        -------
        object
            The same at every call.
        """
        if name not in self._derived:
            self._derived[name] = build()
        found: T = self._derived[name]
        return found

    def give(self, name: str, value: object) -> None:
        """Let `once` find a value under a name.

        Parameters
        ----------
        name : str
            The name.
        value : object
            The value.
        """
        self._derived[name] = value

    def select(self, samples: NDArray[np.intp] | slice) -> "Problem":
        """The problem of some samples, in the given order; what was derived is not lost.

        Parameters
        ----------
        samples : array of int or slice
            Their indices.

        Returns
        -------
        Problem
            With as many samples.
        """
        indices = np.arange(self.n_samples)[samples]
        models = [self.models[index] for index in indices] if self.models else []
        chosen = Problem(models, self.bath, self.lamb_shift)
        # Nothing is diagonalised in order to be chosen from.
        if "spectrum" in vars(self):
            vars(chosen)["spectrum"] = self.spectrum.select(samples)
            own = chosen.spectrum
            vars(chosen)["groups"] = tuple(group.select(own, samples) for group in self.groups)
        # Some models may agree where not all do.
        if "basis" in vars(self) and not models:
            vars(chosen)["basis"] = self.basis
        for name in ("clusterings", "kms_residuals", "hamiltonians"):
            if name in vars(self):
                vars(chosen)[name] = tuple(vars(self)[name][index] for index in indices)
        for name, value in self._derived.items():
            if hasattr(value, "select"):
                chosen._derived[name] = value.select(samples)
        return chosen

    def only(self, coupling: int) -> "Problem":
        """The problem with one of the couplings alone and what is known of H and its levels.

        Which Bohr frequencies coincide is that of the whole, so that equations of all couplings
        are sums of those.  Without models: equations that are made from one have none of their
        parts.

        Parameters
        ----------
        coupling : int
            Its number.

        Returns
        -------
        Problem
            Of that coupling and its bath.
        """
        (group,) = (one for one in self.groups if coupling in one.members)
        place = np.flatnonzero(group.members == coupling)
        own = self.couplings.some(np.array([coupling]))
        spectrum = replace(self.spectrum, couplings=own)
        alone = Problem.of_spectrum(spectrum, group.bath, self.lamb_shift)
        factors = group.factors[place]
        scaled = own if factors[0] == 1.0 else group.couplings.some(place)
        part = BathGroup(spectrum, group.bath, scaled, np.array([0]), factors, group.rates)
        vars(alone).update(groups=(part,), clusterings=self.clusterings)
        if "hamiltonians" in vars(self) or self.models:
            vars(alone)["hamiltonians"] = self.hamiltonians
        return alone

    def sample(self, index: int) -> "Problem":
        """The problem of one sample.

        Parameters
        ----------
        index : int
            Its place in the stack.

        Returns
        -------
        Problem
            The same one at every call.
        """
        if self.n_samples == 1:
            return self
        if index not in self._samples:
            self._samples[index] = self.select(slice(index, index + 1))
        return self._samples[index]


def shifts_of(baths: AnyBaths, lamb_shift: bool) -> Real | None:
    """(couplings,) η(0) of the bath of each, None where there is one or no Lamb shift."""
    if not lamb_shift or not isinstance(baths, SeveralBaths):
        return None
    return np.array([float(bath.eta(0.0)) for bath in baths.each])
