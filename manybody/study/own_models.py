"""Models that a study brings along, as data: what a store knows of them without code or files.

`model_code` and `matrix_files` draw their samples, `model_loading` finds out what is said here.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.families import FAMILIES
from manybody.physics.models.family import Family, Parameters
from manybody.physics.models.protocol import Model
from manybody.study.description import changes_between
from manybody.study.matrix_files import read_sample
from manybody.study.model_code import draw_sample

FILES = "files"
_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_WORD = re.compile(r"[A-Za-z0-9+_.-]{1,80}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# Names of folders have 255 bytes, those of claims some letters more than those of points.
_LONGEST_NAME = 200
# Files that a table names.
_SHOWN = 2


@dataclass(frozen=True)
class Facts:
    """What is known of samples of one size, from the first of them.

    n_sites, dimension: N and D; is_real: whether H is; is_many: whether of many particles;
    bandwidth: E_max − E_min in J, to two digits; n_baths, bath_bytes: of many particles, how
    many couplings, and what a kernel keeps of them; basis: occupations of the states, if any.
    """

    size: int
    n_sites: int
    dimension: int
    is_real: bool
    is_many: bool
    bandwidth: float
    n_baths: int = 0
    bath_bytes: int = 0
    basis: FockBasis | None = None


@dataclass(frozen=True)
class MatrixFiles:
    """The files of one size, a sample each.

    paths: under the folder of the study; digests: SHA-256 of what is in them, in hexadecimal.
    """

    size: int
    paths: tuple[str, ...]
    digests: tuple[str, ...]


@dataclass(frozen=True)
class OwnModel:
    """A model that a study brings along.

    name: what reports and folders call it, empty for what the study calls the model;
    coupled_sites: sites of one particle with a bath, None for all, or for what the model says;
    wanted: of files, a pattern or paths under the folder of the study; dataset: the name of the
    Hamiltonian in files of several arrays; source: SHA-256 of the source of the module; facts:
    by size, empty until somebody has looked; files: by size, empty for code.
    """

    name: str = ""
    coupled_sites: tuple[int, ...] | None = None
    wanted: tuple[str, ...] = ()
    dataset: str = "hamiltonian"
    source: str = ""
    facts: tuple[Facts, ...] = ()
    files: tuple[MatrixFiles, ...] = ()

    def __post_init__(self) -> None:
        if self.name and not _NAME.fullmatch(self.name):
            raise InputError(
                f"name = {self.name!r}: up to 80 letters, digits, '.', '_' and '-', beginning "
                "with a letter or digit"
            )
        if self.name in FAMILIES or self.name == FILES:
            raise InputError(f"name = {self.name!r}: is taken by a model of manybody")
        for path in (*self.wanted, *(path for each in self.files for path in each.paths)):
            check_path(path)

    def __hash__(self) -> int:
        # Of thousands of files every time that a point is looked up would take long.
        return hash((self.name, self.coupled_sites, self.wanted, self.source))

    @property
    def is_known(self) -> bool:
        """Whether somebody has looked at its code or files."""
        return bool(self.facts)

    @cached_property
    def _facts(self) -> dict[int, Facts]:
        return {each.size: each for each in self.facts}

    @cached_property
    def _files(self) -> dict[int, MatrixFiles]:
        return {each.size: each for each in self.files}

    def facts_of(self, size: int) -> Facts:
        """Those of a size."""
        return self._facts[size]

    def digest_of(self, size: int, sample: int) -> str:
        """SHA-256 of the file of a sample.  Raises InputError where there is none."""
        digests = self._files[size].digests
        if not 0 <= sample < len(digests):
            raise InputError(f"sample {sample}: there are {len(digests)} files of {size} states")
        return digests[sample]

    def entropy(self, size: int, sample: int) -> tuple[int, ...] | None:
        """Four 64-bit words that name a sample of files by its content, None for code."""
        if not self.files:
            return None
        digest = bytes.fromhex(self.digest_of(size, sample))
        return tuple(int.from_bytes(digest[start : start + 8], "big") for start in (0, 8, 16, 24))

    @property
    def coupled_words(self) -> str:
        """The coupled sites as text, "0-3.7" for 0, 1, 2, 3 and 7; empty where none are named."""
        found: list[list[int]] = []
        for site in self.coupled_sites or ():
            if found and site == found[-1][1] + 1:
                found[-1][1] = site
            else:
                found.append([site, site])
        return ".".join(f"{a}" if a == b else f"{a}-{b}" for a, b in found)

    @property
    def traits(self) -> dict[str, str]:
        """What tells it from others by the same code or from files, beside parameters."""
        return {"name": self.name, "baths": self.coupled_words}

    @property
    def origin(self) -> dict[str, str]:
        """What a block of samples says of it, beside model, parameters and seeds."""
        return {"model_source": self.source, "coupled_sites": self.coupled_words}

    def merged(self, other: "OwnModel") -> "OwnModel":
        """With the sizes and files of both, which agree where both have them."""
        facts = {**other._facts, **self._facts}
        files = dict(self._files)
        for size, own in other._files.items():
            if size not in files or len(own.digests) > len(files[size].digests):
                files[size] = own
        return replace(
            self,
            facts=tuple(facts[size] for size in sorted(facts)),
            files=tuple(files[size] for size in sorted(files)),
        )


class OwnFamily(Family):
    """What reports and forecasts ask of a model that a study brings along."""

    size, size_symbol = "size", "N"

    def __init__(self, model: str, own: OwnModel) -> None:
        self._model, self._own = model, own
        self.name = model
        self.title = own.name or model
        self.hamiltonian = ": ".join(filter(None, (own.name, _origin(model, own))))
        self.is_real = all(each.is_real for each in own.facts)

    def draw(
        self, size: int, parameters: Parameters, sample: int, rng: np.random.Generator
    ) -> Model:
        """By its function, or from its file.

        Raises InputError for what is no model of this size, RuntimeError for what the function
        raises, Unavailable where code or files were not loaded.
        """
        own = self._own
        if own.files:
            model = read_sample(own.digest_of(size, sample), own.dataset, own.coupled_sites)
        else:
            reference = (self._model, own.source)
            model = draw_sample(reference, size, rng, parameters, own.coupled_sites)
        if own.is_known:
            self._check_alike(model, own.facts_of(size), sample)
        return model

    def _check_alike(self, model: Model, facts: Facts, sample: int) -> None:
        there = (facts.n_sites, facts.dimension, facts.is_many, facts.basis)
        here = (model.n_sites, model.dimension, is_many(model), getattr(model, "basis", None))
        names = ("n_sites", "dimension", "many particles", "basis")
        for name, one, other in zip(names, there, here):
            if one != other:
                raise InputError(
                    f"model {self._model!r} of size {facts.size}: {name} is {other} in sample "
                    f"{sample} and {one} in sample 0"
                )

    def bandwidth(self, size: int, parameters: Parameters) -> float:
        """That of sample 0."""
        return self._own.facts_of(size).bandwidth

    def n_sites(self, size: int, parameters: Parameters) -> int:
        """That of sample 0."""
        return self._own.facts_of(size).n_sites

    def dimension(self, size: int, parameters: Parameters) -> int:
        """That of sample 0."""
        return self._own.facts_of(size).dimension

    def coupled(self, size: int, parameters: Parameters) -> NDArray[np.bool_]:
        """Those that the study names; of what code says itself nothing is known: all."""
        mask = super().coupled(size, parameters)
        if self._own.coupled_sites is not None:
            mask[:] = False
            mask[list(self._own.coupled_sites)] = True
        return mask

    def basis(self, size: int, parameters: Parameters) -> FockBasis | None:
        """That of sample 0."""
        return self._own.facts_of(size).basis

    def is_many(self, size: int, parameters: Parameters) -> bool:
        """Whether sample 0 is of many particles."""
        return self._own.facts_of(size).is_many

    def parameters_in_words(self, parameters: Parameters, plain: bool) -> str:
        """All of them, and the coupled sites."""
        words = [f", {key} = {value}" for key, value in parameters.items()]
        coupled = self._own.coupled_words
        return "".join(words) + (f", baths on sites {coupled}" if coupled else "")


def _origin(model: str, own: OwnModel) -> str:
    """Where the Hamiltonians of a model come from, in words."""
    if model != FILES:
        module, _, function = model.partition(":")
        return f"function {function} of module {module}"
    shown, others = own.wanted[:_SHOWN], len(own.wanted[_SHOWN:])
    return f"files {', '.join(shown)}" + (f" and {others} others" if others else "")


def is_many(model: Any) -> bool:
    """Whether a model is of many particles: it says, or may say, which occupations states have."""
    return hasattr(model, "basis")


def is_own(model: object) -> bool:
    """Whether a study means a model that it brings along."""
    return isinstance(model, str) and (":" in model or model == FILES)


def check_reference(model: str) -> None:
    """Raise InputError unless `model` is "files" or names a function of a module."""
    if model != FILES and not _REFERENCE.fullmatch(model):
        raise InputError(
            f"model = {model!r}: 'module:function' is needed, names of Python with dots between "
            "those of modules"
        )


def checked_parameter(where: str, name: str, value: object) -> int | float | bool | str:
    """A parameter of an own model: its name and value become part of the name of a folder."""
    if not _PARAMETER.fullmatch(name) or name in ("size", "rng"):
        raise InputError(
            f"{where}: {name!r} is no name of a parameter: up to 64 letters, digits and '_', "
            "neither 'size' nor 'rng'"
        )
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return arguments.real(f"{where}.{name}", value)
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    raise InputTypeError(
        f"{where}.{name} = {value!r}: a number, true, false, or a word of up to 80 letters, "
        "digits, '+', '-', '_' and '.' is needed"
    )


def checked_coupled_sites(where: str, value: object) -> tuple[int, ...]:
    """Ascending sites, each once."""
    if not isinstance(value, list) or not value:
        raise InputTypeError(f"{where} = {value!r}: a list of site indices is needed")
    sites = sorted(arguments.integer(f"{where} entry", site, 0) for site in value)
    if len(set(sites)) != len(sites):
        raise InputError(f"{where} = {value!r}: each site may appear once")
    return tuple(sites)


def check_path(path: str) -> None:
    """Raise InputError for a path that may leave the folder of a study, or search all of it."""
    parts = path.split("/")
    if not path or path.startswith(("/", "~")) or "\\" in path or "\0" in path:
        raise InputError(f"files: {path!r}: a path relative to the study file is needed")
    if any(part in ("..", "", "**") for part in parts):
        raise InputError(
            f"files: {path!r}: parts '..' and '**' and empty ones are not allowed; files of "
            "another folder are named by --models FOLDER"
        )


def check_point_name(name: str) -> None:
    """Raise InputError for a name that is too long for a folder."""
    if len(name) > _LONGEST_NAME:
        raise InputError(
            f"systems: {name[:60]!r}... has {len(name)} letters as the name of a folder, at most "
            f"{_LONGEST_NAME} are allowed: use fewer or shorter parameters and coupled_sites"
        )


def changes_of(there: Any, here: Any) -> list[tuple[str, Any, Any]]:
    """(key, there, here) of what makes the numbers of two studies others, sources included."""
    changed = changes_between(there.identity(), here.identity())
    return [*changed, *source_changes(there.systems, here.systems)]


def source_changes(there: Iterable[Any], here: Iterable[Any]) -> list[tuple[str, Any, Any]]:
    """(what, there, here) of code and files in which systems of two studies differ.

    Code by the name of its function: a study has one source of it, whatever the parameters.
    Files sample by sample, as far as both have them: more may be added.
    """
    left, right = list(there), list(here)
    sources = [
        {each.model: each.own.source for each in systems if each.own and each.own.source}
        for systems in (left, right)
    ]
    changed = [
        (f"the source of model {name!r}", sources[0][name][:12], sources[1][name][:12])
        for name in sources[0].keys() & sources[1].keys()
        if sources[0][name] != sources[1][name]
    ]
    others = {each.key: each.own for each in right if each.own and each.own.files}
    for each in left:
        if each.key in others and each.own.files:
            changed += _file_changes(each.own, others[each.key])
    return sorted(changed)


def _file_changes(there: OwnModel, here: OwnModel) -> Sequence[tuple[str, Any, Any]]:
    """The first of each size."""
    found: list[tuple[str, Any, Any]] = []
    for size in there._files.keys() & here._files.keys():
        pairs = zip(there._files[size].digests, here._files[size].digests)
        different = next((i for i, (one, other) in enumerate(pairs) if one != other), None)
        if different is not None:
            name = f"the file of sample {different} of size {size}"
            one, other = (each.digest_of(size, different)[:12] for each in (there, here))
            found.append((name, one, other))
    return found
