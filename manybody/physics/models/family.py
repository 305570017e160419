"""What a study and its report know of a model that is drawn by name."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from manybody.physics.models.lattices import Lattice
from manybody.physics.models.single_particle import SingleParticleModel

Parameters = Mapping[str, Any]
_NONE: Mapping[str, Any] = MappingProxyType({})


class Family(ABC):
    """A family of models: how a sample is drawn, and the facts and words that go with it.

    A new one is a subclass in a file of its own that says what differs from a model of one
    particle without a lattice, and `families.register`.

    name: what studies call it; title, short_title: what figures and tables call it, and
    legends; size, size_symbol: the parameter that sets the size, and its letter; reals: real
    parameters with their defaults (None: must be given); words: word parameters with default
    and choices; is_real: whether H is; build: (size, parameters, seed) by name -> model.
    """

    name: str
    title: str
    size: str = "n_sites"
    size_symbol: str = "N"
    reals: Mapping[str, float | None] = _NONE
    words: Mapping[str, tuple[str, tuple[str, ...]]] = _NONE
    is_real: bool
    build: Callable[..., SingleParticleModel]

    @property
    def short_title(self) -> str:
        """For legends."""
        return self.title

    @abstractmethod
    def bandwidth(self, parameters: Parameters) -> float:
        """Typical E_max − E_min, which the number of applications scales with."""

    def n_sites(self, size: int) -> int:
        """Number of sites N."""
        return size

    def dimension(self, size: int, parameters: Parameters) -> int:
        """Number of states, N for one particle."""
        return self.n_sites(size)

    def lattice(self, size: int, parameters: Parameters) -> Lattice | None:
        """Where the sites lie, None where they lie nowhere."""
        return None

    def parameters_in_words(self, parameters: Parameters, plain: bool) -> str:
        """To follow the title, with commas in front; `plain` without mathematics markup.

        Here the real parameters that differ from their defaults and, if plain, the words.
        """
        reals = [
            f", {key} = {parameters[key]:g}"
            for key, default in self.reals.items()
            if key in parameters and parameters[key] != default
        ]
        words = [f", {parameters[key]}" for key in self.words if plain and key in parameters]
        return "".join([*reals, *words])

    def size_label(self, size: int) -> str:
        """Of one curve among those of other sizes."""
        n_sites = self.n_sites(size)
        label = f"${self.size_symbol} = {size}$"
        return label if self.size_symbol == "N" else f"{label} ({n_sites})"

    def why_apart(self, size: int, parameters: Parameters) -> str:
        """Why this size has no part in laws over sizes; empty where it has."""
        return ""

    def notes(self, systems: Sequence[tuple[Parameters, Sequence[int]]]) -> list[str]:
        """Lines that a figure says once of all its systems, (parameters, sizes), of the family."""
        return []
