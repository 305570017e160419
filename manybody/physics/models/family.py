"""What a study and its report know of a model that is drawn by name."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.lattices import Chain, Cube, Lattice
from manybody.physics.models.occupations import hard_core_basis
from manybody.physics.models.protocol import Model

Parameters = Mapping[str, Any]
_NONE: Mapping[str, Any] = MappingProxyType({})


class Family(ABC):
    """A family of models: how a sample is drawn, and the facts and words that go with it.

    A new one is a subclass in a file of its own that says what differs from a model of one
    particle without a lattice, and `families.register`.

    name: what studies call it; title, short_title: what figures and tables call it, and
    legends; size, size_symbol: the parameter that sets the size, and its letter; reals: real
    parameters with their defaults (None: must be given); words: word parameters with default
    and choices; counts: numbers of particles, "half" or integers, with their defaults (None:
    where absent, the model is of one particle and has no such parameter); integers: others >= 1,
    with their defaults; statistics: of the particles, where no parameter of this name says it;
    shape: of the lattice, made of a size and the parameter `boundary`, or None; smallest: a size
    that the defaults allow; is_real: whether H is; build: (size, parameters, seed) by name ->
    model.
    """

    name: str
    title: str
    size: str = "n_sites"
    size_symbol: str = "N"
    reals: Mapping[str, float | None] = _NONE
    words: Mapping[str, tuple[str, tuple[str, ...]]] = _NONE
    counts: Mapping[str, int | str | None] = _NONE
    integers: Mapping[str, int | None] = _NONE
    statistics: str = "fermion"
    shape: type[Chain] | type[Cube] | None = None
    smallest: int = 1
    # H with its disorder as reports print it, in Unicode; empty where that is not known.
    hamiltonian: str = ""
    is_real: bool
    build: Callable[..., Model]

    @property
    def short_title(self) -> str:
        """For legends."""
        return self.title

    @abstractmethod
    def bandwidth(self, size: int, parameters: Parameters) -> float:
        """Typical E_max − E_min, which the number of applications scales with."""

    def with_defaults(self, parameters: Parameters) -> dict[str, Any]:
        """These parameters, and the default of every other that has one."""
        words = {key: default for key, (default, _) in self.words.items()}
        everything = {**self.reals, **words, **self.counts, **self.integers, **parameters}
        return {key: value for key, value in everything.items() if value is not None}

    def check(self, sizes: Sequence[int], parameters: Parameters) -> None:
        """Raise TypeError or ValueError for what no model of these sizes can have.

        The model itself knows its bounds (W >= 0, J > 0): a small one is asked.
        """
        for size in sizes:
            self.basis(size, parameters)
        bounded = {key: value for key, value in parameters.items() if key not in self.counts}
        self.build(**{self.size: self.smallest}, **bounded, seed=0)

    def draw(
        self, size: int, parameters: Parameters, sample: int, rng: np.random.Generator
    ) -> Model:
        """One disorder sample; `rng` is all that tells it from others of these parameters."""
        return self.build(**{self.size: size}, **parameters, seed=rng)

    def n_sites(self, size: int, parameters: Parameters) -> int:
        """Number of sites N."""
        return size

    def coupled(self, size: int, parameters: Parameters) -> NDArray[np.bool_]:
        """(N,) True for sites with a bath."""
        return np.ones(self.n_sites(size, parameters), dtype=bool)

    def regions(self, size: int, parameters: Parameters) -> Mapping[str, NDArray[np.intp]]:
        """Sites that studies may give baths of their own, by name: disjoint ones."""
        return {}

    def basis(self, size: int, parameters: Parameters) -> FockBasis | None:
        """The states of many particles, None for one particle.  Raises TypeError or ValueError.

        Here of as many as `counts` says, at most one a site.
        """
        given = self.with_defaults(parameters)
        if "n_particles" not in self.counts or "n_particles" not in given:
            return None
        statistics = given.get("statistics", self.statistics)
        return hard_core_basis(self.n_sites(size, parameters), given["n_particles"], statistics)

    def n_particles(self, size: int, parameters: Parameters) -> int:
        """How many of the particles that `basis` counts there are."""
        basis = self.basis(size, parameters)
        return 0 if basis is None else int(basis.n_particles or 0)

    def is_many(self, size: int, parameters: Parameters) -> bool:
        """Whether its models are of many particles."""
        return self.basis(size, parameters) is not None

    def dimension(self, size: int, parameters: Parameters) -> int:
        """Number of states, N for one particle."""
        basis = self.basis(size, parameters)
        return self.n_sites(size, parameters) if basis is None else basis.dimension

    def lattice(self, size: int, parameters: Parameters) -> Lattice | None:
        """Where the sites lie, None where they lie nowhere."""
        if self.shape is None:
            return None
        return self.shape(size, self.with_defaults(parameters)["boundary"])

    def has_terms(self, parameters: Parameters) -> bool:
        """Whether H comes with its terms on the sites of a lattice, which patches are cut from.

        Here where many particles are on a lattice of a `shape`: one particle has no patches.
        """
        return self.shape is not None and "n_particles" in self.with_defaults(parameters)

    def parameters_in_words(self, parameters: Parameters, plain: bool) -> str:
        """To follow the title, with commas in front; `plain` without mathematics markup.

        Here the particles, the numbers that differ from their defaults and, if plain, the words.
        """
        reals = [
            f", {key} = {parameters[key]:g}"
            for key, default in {**self.reals, **self.integers}.items()
            if key in parameters and parameters[key] != default
        ]
        words = [f", {parameters[key]}" for key in self.words if plain and key in parameters]
        return "".join([self.particles_in_words(parameters), *reals, *words])

    def particles_in_words(self, parameters: Parameters) -> str:
        """The part of `parameters_in_words` on `counts`: those that differ from their defaults."""
        given = [
            parameters[key]
            for key, default in self.counts.items()
            if parameters.get(key, default) != default
        ]
        return "".join(f", {_particles(number)}" for number in given)

    def size_label(self, size: int, parameters: Parameters = _NONE) -> str:
        """Of one curve among those of other sizes: the size, the sites and the states."""
        n_sites, dimension = self.n_sites(size, parameters), self.dimension(size, parameters)
        facts = [] if self.size_symbol == "N" else [f"$N = {n_sites}$"]
        facts += [] if dimension == n_sites else [f"$D = {dimension}$"]
        label = f"${self.size_symbol} = {size}$"
        return f"{label} ({', '.join(facts)})" if facts else label

    def why_apart(self, size: int, parameters: Parameters) -> str:
        """Why this size has no part in laws over sizes; empty where it has."""
        return ""

    def notes(self, systems: Sequence[tuple[Parameters, Sequence[int]]]) -> list[str]:
        """Lines that a figure says once of all its systems, (parameters, sizes), of the family."""
        return []


def _particles(number: int | str) -> str:
    if isinstance(number, str):
        return f"{number} filling"
    return f"{number} particle" if number == 1 else f"{number} particles"
