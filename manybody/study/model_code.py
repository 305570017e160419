"""Models by code that a study names: found, run after consent, and known by its source.

The registry below is of what this process has run: by the name of the function and the SHA-256 of
the source that it came from, so that an edited file is another model, never a stale one.
"""

import contextlib
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from manybody.errors import InputError, Unavailable, said_of
from manybody.physics.models.given import model_from
from manybody.physics.models.protocol import Model
from manybody.physics.models.single_particle import SingleParticleModel

_LOADED: dict[tuple[str, str], Callable[..., Any]] = {}


def check_consent(reference: str, allow_code: bool) -> None:
    """Raise InputError unless whoever runs a study has said that its code may run."""
    if not allow_code:
        raise InputError(
            f"model = {reference!r} runs code of the module {reference.partition(':')[0]!r} on "
            "this machine: look at it, and allow it with --allow-code, or allow_code=True in "
            "Python"
        )


def load(reference: str, folder: Path, allow_code: bool) -> str:
    """Run the module of "module:function" and keep the function; SHA-256 of the source.

    folder: a file there is found before modules of `sys.path`.  The hash is of the module itself,
    not of what it imports.  Raises InputError without consent, for what cannot be found or
    raises, and where the module has no such function.
    """
    check_consent(reference, allow_code)
    name, _, function = reference.partition(":")
    path, package = _find(name, folder)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"model = {reference!r}: {path} cannot be read: {error}") from error
    source = hashlib.sha256(content).hexdigest()
    if (reference, source) not in _LOADED:
        module = _executed(reference, path, content, package, folder)
        found = getattr(module, function, None)
        if not callable(found):
            raise InputError(f"model = {reference!r}: {path} has no function {function!r}")
        _LOADED[reference, source] = found
    return source


def check_parameters(reference: str, source: str, parameters: Mapping[str, Any]) -> None:
    """Raise InputError for parameters that the function does not take."""
    try:
        signature = inspect.signature(_LOADED[reference, source])
    except ValueError:  # of what is not written in Python: the call itself will say
        return
    try:
        signature.bind(2, None, **parameters)
    except TypeError as error:
        given = ", ".join(["size", "rng", *(f"{key}=..." for key in parameters)])
        raise InputError(
            f"model = {reference!r} is called with ({given}): {error}, it takes {signature}"
        ) from error


def defaults_of(reference: str, source: str) -> dict[str, Any]:
    """Parameters of a function that have defaults, with these; none of what was not loaded."""
    if (reference, source) not in _LOADED:
        return {}
    try:
        signature = inspect.signature(_LOADED[reference, source])
    except ValueError:  # of what is not written in Python
        return {}
    _, _, *parameters = signature.parameters.values()
    return {own.name: own.default for own in parameters if own.default is not own.empty}


def draw_sample(
    reference: tuple[str, str],
    size: int,
    rng: np.random.Generator,
    parameters: Mapping[str, Any],
    coupled_sites: tuple[int, ...] | None,
) -> Model:
    """What the function gives for a size, as a model.

    reference: "module:function" and the SHA-256 of its source.  Raises Unavailable where that
    was not loaded, RuntimeError for what the function raises, InputError for what is no model.
    """
    if reference not in _LOADED:
        raise Unavailable(
            f"model {reference[0]!r} is code that this process has not loaded: --allow-code"
        )
    try:
        value = _LOADED[reference](size, rng, **parameters)
    except MemoryError:
        raise
    except Exception as error:  # whatever a user's function does
        raise RuntimeError(
            f"model {reference[0]!r} of size {size} raised {type(error).__name__}: {error}"
        ) from error
    with said_of(f"model {reference[0]!r} of size {size}"):
        model = model_from(value)
        return model if coupled_sites is None else _coupled(model, value is model, coupled_sites)


def _coupled(model: Model, is_model: bool, coupled_sites: tuple[int, ...]) -> Model:
    """One particle with baths on some sites."""
    if is_model:
        raise InputError(
            "coupled_sites: are of functions that return a bare Hamiltonian, this one returns a "
            f"{type(model).__name__} that says itself what the baths couple to"
        )
    return SingleParticleModel(model.hamiltonian, coupled_sites, uncertainty=model.uncertainty)


def _find(name: str, folder: Path) -> tuple[Path, str]:
    """(file of a module, package that it belongs to)."""
    beside = folder.joinpath(*name.split(".")).with_suffix(".py")
    if beside.is_file():
        return beside, ""
    try:
        spec = importlib.util.find_spec(name)
    except Exception as error:  # a package above it is imported, which may do anything
        raise InputError(f"model: module {name!r} cannot be found: {error}") from error
    if spec is None:
        raise InputError(
            f"model: there is no module {name!r}, neither {beside} nor on Python's path"
        )
    if not spec.has_location or not str(spec.origin).endswith(".py"):
        raise InputError(f"model: module {name!r} has no Python source: {spec.origin}")
    return Path(str(spec.origin)), name if spec.submodule_search_locations else spec.parent or ""


def _executed(
    reference: str, path: Path, content: bytes, package: str, folder: Path
) -> ModuleType:
    """A module from these bytes alone: what is hashed is what runs."""
    module = ModuleType(f"manybody_model_{hashlib.sha256(content).hexdigest()[:16]}")
    module.__file__, module.__package__ = str(path), package
    # Dataclasses and the like look their module up.
    sys.modules[module.__name__] = module
    try:
        with _importable(folder):
            exec(compile(content, str(path), "exec"), vars(module))
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # whatever a user's module does
        del sys.modules[module.__name__]
        raise InputError(
            f"model = {reference!r}: {path} raised {type(error).__name__}: {error}"
        ) from error
    return module


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """While a module runs it finds others beside it."""
    place = str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(place)
