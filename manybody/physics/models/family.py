"""What a study and its report know of a model that is drawn by name."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.physics.fock.basis import FockBasis
from manybody.physics.keys import Key
from manybody.physics.models.lattices import Chain, Cube, Lattice
from manybody.physics.models.occupations import hard_core_basis
from manybody.physics.models.protocol import Model

Parameters = Mapping[str, Any]
_NONE: Mapping[str, Any] = MappingProxyType({})
# What parameters mean in every family that does not say otherwise.
_USUAL = {
    "n_sites": Key("number of sites N", ""),
    "length": Key("length L of the cube, of N = L³ sites", ""),
    "size": Key("whatever the model calls its size", ""),
    "n_particles": Key(
        "number of particles: the states are all that have so many on the sites", ""
    ),
    "hopping": Key("hopping between neighbours; the unit J of all energies where it is 1", "J"),
    "disorder": Key("W >= 0: energies of sites are uniform in [−W, W]", "J"),
    "boundary": Key(
        "boundary of the lattice; periodic with two sites in a row counts their bond once", ""
    ),
    "statistics": Key("at most one particle a site: hard-core bosons (spins ½), or fermions", ""),
}


class Family(ABC):
    """A family of models: how a sample is drawn, and the facts and words that go with it.

    A new one is a subclass in a file of its own that says what differs from a model of one
    particle without a lattice, and `families.register`.

    Attributes
    ----------
    name : str
        What studies call it.
    title : str
        What figures and tables call it.
    size : str, default "n_sites"
        The parameter that sets the size.
    size_symbol : str, default "N"
        Its letter.
    reals : mapping of str to float or None
        Real parameters with their defaults; None: must be given.
    words : mapping of str to (str, tuple of str)
        Word parameters with default and choices.
    counts : mapping of str to int, "half" or None
        Numbers of particles with their defaults; None: where absent, the model is of one particle
        and has no such parameter.
    integers : mapping of str to int or None
        Other integers >= 1, with their defaults.
    meanings : mapping of str to Key
        Meanings and units of parameters that are not usual, or mean something else.
    statistics : str, default "fermion"
        Of the particles, where no parameter of this name says it.
    shape : type or None
        Of the lattice, made of a size and the parameter `boundary`.
    smallest : int, default 1
        A size that the defaults allow.
    hamiltonian : str, default ""
        H with its disorder as reports print it, in Unicode; empty where that is not known.
    is_real : bool
        Whether H is.
    build : callable
        A model from the size, the parameters and the seed, all by name.

    Notes
    -----
    In the methods `size` is the value of the parameter that sets the size, and `parameters` are
    all others of the study but the seed.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> from manybody.physics.models.family import Family
    >>> def chain(n_sites, seed=0):
    ...     hops = np.diag(np.ones(n_sites - 1), 1)
    ...     return mb.SingleParticleModel(hops + hops.T)
    >>> class CleanChain(Family):
    ...     name, title, is_real, build = "clean_chain", "clean chain", True, staticmethod(chain)
    ...     def bandwidth(self, size, parameters):
    ...         return 4.0
    >>> CleanChain().draw(6, {}, 0, np.random.default_rng(1)).n_sites
    6
    """

    name: str
    title: str
    size: str = "n_sites"
    size_symbol: str = "N"
    reals: Mapping[str, float | None] = _NONE
    words: Mapping[str, tuple[str, tuple[str, ...]]] = _NONE
    counts: Mapping[str, int | str | None] = _NONE
    integers: Mapping[str, int | None] = _NONE
    meanings: Mapping[str, Key] = _NONE
    statistics: str = "fermion"
    shape: type[Chain] | type[Cube] | None = None
    smallest: int = 1
    hamiltonian: str = ""
    is_real: bool
    build: Callable[..., Model]

    @property
    def short_title(self) -> str:
        """What legends call it."""
        return self.title

    def meaning(self, parameter: str) -> Key:
        """What one of its parameters, or the size, means.

        Parameters
        ----------
        parameter : str
            Its name.

        Returns
        -------
        Key
            With its unit; defaults are said elsewhere.

        Raises
        ------
        TypeError
            Nobody says it.
        """
        if parameter not in {**_USUAL, **self.meanings}:
            raise TypeError(f"family {type(self).__name__} does not say what {parameter!r} means")
        return {**_USUAL, **self.meanings}[parameter]

    @property
    def parameters(self) -> list[str]:
        """Names of all that a study may give beside the size."""
        return [*self.reals, *self.words, *self.counts, *self.integers]

    @abstractmethod
    def bandwidth(self, size: int, parameters: Parameters) -> float:
        """Typical E_max − E_min, which the number of applications scales with.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        float
            In J.
        """

    def with_defaults(self, parameters: Parameters) -> dict[str, Any]:
        """These parameters, and the default of every other that has one.

        Parameters
        ----------
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        dict
            Without those that are None.
        """
        words = {key: default for key, (default, _) in self.words.items()}
        everything = {**self.reals, **words, **self.counts, **self.integers, **parameters}
        return {key: value for key, value in everything.items() if value is not None}

    def check(self, sizes: Sequence[int], parameters: Parameters) -> None:
        """Refuse what no model of these sizes can have.

        The model itself knows its bounds (W >= 0, J > 0): a small one is asked.

        Parameters
        ----------
        sizes : sequence of int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Raises
        ------
        InputError
            A parameter is out of range or of a wrong type.
        """
        for size in sizes:
            self.basis(size, parameters)
        bounded = {key: value for key, value in parameters.items() if key not in self.counts}
        self.build(**{self.size: self.smallest}, **bounded, seed=0)

    def draw(
        self, size: int, parameters: Parameters, sample: int, rng: np.random.Generator
    ) -> Model:
        """One disorder sample.

        Parameters
        ----------
        size : int
            Of the model.
        parameters : mapping
            Of the model, by name.
        sample : int
            Which one it is.
        rng : Generator
            All that tells it from others of these parameters.

        Returns
        -------
        Model
            As `build` makes it.
        """
        return self.build(**{self.size: size}, **parameters, seed=rng)

    def n_sites(self, size: int, parameters: Parameters) -> int:
        """Number of sites N.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        int
            Of each model.
        """
        return size

    def coupled(self, size: int, parameters: Parameters) -> NDArray[np.bool_]:
        """Which sites have a bath.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        (N,) array of bool
            True for sites with a bath.
        """
        return np.ones(self.n_sites(size, parameters), dtype=bool)

    def regions(self, size: int, parameters: Parameters) -> Mapping[str, NDArray[np.intp]]:
        """Sites that studies may give baths of their own, by name: disjoint ones.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        mapping of str to array of int
            Indices of the sites of each region.
        """
        return {}

    def basis(self, size: int, parameters: Parameters) -> FockBasis | None:
        """The states of many particles: here of as many as `counts` says, at most one a site.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        FockBasis or None
            None for one particle.

        Raises
        ------
        InputError
            There are no such states.
        """
        given = self.with_defaults(parameters)
        if "n_particles" not in self.counts or "n_particles" not in given:
            return None
        statistics = given.get("statistics", self.statistics)
        return hard_core_basis(self.n_sites(size, parameters), given["n_particles"], statistics)

    def n_particles(self, size: int, parameters: Parameters) -> int:
        """How many of the particles that `basis` counts there are.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        int
            0 for models of one particle.
        """
        basis = self.basis(size, parameters)
        return 0 if basis is None else int(basis.n_particles or 0)

    def is_many(self, size: int, parameters: Parameters) -> bool:
        """Whether its models are of many particles.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        bool
            False for one particle.
        """
        return self.basis(size, parameters) is not None

    def dimension(self, size: int, parameters: Parameters) -> int:
        """Number of states.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        int
            D, for one particle N.
        """
        basis = self.basis(size, parameters)
        return self.n_sites(size, parameters) if basis is None else basis.dimension

    def lattice(self, size: int, parameters: Parameters) -> Lattice | None:
        """Where the sites lie.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        Lattice or None
            None where they lie nowhere.
        """
        if self.shape is None:
            return None
        return self.shape(size, self.with_defaults(parameters)["boundary"])

    def has_terms(self, parameters: Parameters) -> bool:
        """Whether H comes with its terms on the sites of a lattice, which patches are cut from.

        Here where many particles are on a lattice of a `shape`: one particle has no patches.

        Parameters
        ----------
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        bool
            Whether `ManyBodyModel.terms` is given.
        """
        return self.shape is not None and "n_particles" in self.with_defaults(parameters)

    def parameters_in_words(self, parameters: Parameters, plain: bool) -> str:
        """What follows the title, with commas in front.

        Here the particles, the numbers that differ from their defaults, the disorder where its
        default is one, and, if plain, the words.

        Parameters
        ----------
        parameters : mapping
            Of the models, by name.
        plain : bool
            Without mathematics markup.

        Returns
        -------
        str
            Empty where nothing is to be said.
        """
        reals = [
            f", {key} = {parameters[key]:g}"
            for key, default in {**self.reals, **self.integers}.items()
            if key in parameters and (parameters[key] != default or key == "disorder" and default)
        ]
        words = [f", {parameters[key]}" for key in self.words if plain and key in parameters]
        return "".join([self.particles_in_words(parameters), *reals, *words])

    def particles_in_words(self, parameters: Parameters) -> str:
        """The part of `parameters_in_words` on `counts`: those that differ from their defaults.

        Parameters
        ----------
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        str
            Empty where nothing is to be said.
        """
        given = [
            parameters[key]
            for key, default in self.counts.items()
            if parameters.get(key, default) != default
        ]
        return "".join(f", {_particles(number)}" for number in given)

    def size_label(self, size: int, parameters: Parameters = _NONE) -> str:
        """Label of one curve among those of other sizes: the size, the sites and the states.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping, default {}
            Of the models, by name.

        Returns
        -------
        str
            With mathematics markup.
        """
        n_sites, dimension = self.n_sites(size, parameters), self.dimension(size, parameters)
        facts = [] if self.size_symbol == "N" else [f"$N = {n_sites}$"]
        facts += [] if dimension == n_sites else [f"$D = {dimension}$"]
        label = f"${self.size_symbol} = {size}$"
        return f"{label} ({', '.join(facts)})" if facts else label

    def why_apart(self, size: int, parameters: Parameters) -> str:
        """Why this size has no part in laws over sizes.

        Parameters
        ----------
        size : int
            Of the models.
        parameters : mapping
            Of the models, by name.

        Returns
        -------
        str
            Empty where it has.
        """
        return ""

    def notes(self, systems: Sequence[tuple[Parameters, Sequence[int]]]) -> list[str]:
        """Lines that a figure says once of all its systems of the family.

        Parameters
        ----------
        systems : sequence of (mapping, sequence of int)
            Parameters and sizes of each.

        Returns
        -------
        list of str
            Here none.
        """
        return []


def _particles(number: int | str) -> str:
    if isinstance(number, str):
        return f"{number} filling"
    return f"{number} particle" if number == 1 else f"{number} particles"
