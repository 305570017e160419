"""Values of TOML and JSON made typed: cattrs judges the structure, the sentences are ours.

A type says what it takes: `Annotated[kind, check]` lets check(name, value) look at a value, or
change it, before it becomes a `kind`.  Checks are called with an empty name and begin their
sentence with " = value"; the place where the value stood is put before it.  Beside the check
stand, for the reference of all keys, a text: what is taken, in words, "{}" for the words of what
is inside; and of the type of a key, without which no table takes it, its `Key`.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, replace
from functools import partial
from typing import Annotated, Any, NotRequired, TypedDict, TypeVar, cast, get_type_hints

import cattrs

from manybody.errors import InputError, InputTypeError, meant, shown
from manybody.physics import arguments
from manybody.physics.keys import REQUIRED, Key

T = TypeVar("T")
MAX_SAMPLES = 1_000_000
_KINDS = {dict: "a table", list: "a list", str: "a string", bool: "true or false"}


def listed(value: Any) -> list[Any]:
    """A list as it is, anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def checked(where: str, value: object, kind: type[T]) -> T:
    """`value`, a `kind` of TOML: dict, list, str or bool; TypeError."""
    if not isinstance(value, kind):
        raise InputTypeError(f"{where} = {value!r}: {_KINDS[kind]} is needed")
    return value


def checked_words(where: str, value: object, allowed: Collection[str]) -> list[str]:
    """`value` as a list, not empty, of words among `allowed`; TypeError or ValueError."""
    if not isinstance(value, list) or not value:
        raise InputTypeError(f"{where} = {value!r}: a list of {', '.join(allowed)} is needed")
    return [arguments.choice(where, item, tuple(allowed)) for item in value]


def integer_up_to(where: str, value: object, minimum: int, maximum: int) -> int:
    """`value` as an int in [minimum, maximum]; TypeError or ValueError."""
    number = arguments.integer(where, value, minimum, most=math.inf)
    if number > maximum:
        raise InputError(f"{where} = {shown(number)}: at most {maximum}")
    return number


def _samples_of_sizes(where: str, value: object) -> int | tuple[int, ...]:
    """A number of samples, or a list of several."""
    if not isinstance(value, list):
        return integer_up_to(where, value, 1, MAX_SAMPLES)
    return tuple(integer_up_to(where, each, 1, MAX_SAMPLES) for each in value)


def _name(where: str, value: object) -> str:
    """The name of a study is the name of its figure."""
    name = checked(where, value, str)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise InputError(
            f"{where} = {name!r}: up to 80 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    return name


Name = Annotated[str, _name, "up to 80 letters, digits, '.', '_' and '-'"]
Natural = Annotated[int, partial(arguments.integer, minimum=0), "an integer >= 0"]
Count = Annotated[int, partial(arguments.integer, minimum=1), "an integer >= 1"]
Samples = Annotated[
    int,
    partial(integer_up_to, minimum=1, maximum=MAX_SAMPLES),
    f"an integer from 1 to {MAX_SAMPLES}",
]
# A number for all sizes, or one for each in their order.
SamplesOfSizes = Annotated[
    Any,
    lambda where, value: _samples_of_sizes(where, value),
    f"an integer from 1 to {MAX_SAMPLES}, or a list of one for each size",
]
Table = Annotated[T, partial(checked, kind=dict), "a table"]
Listed = Annotated[tuple[T, ...], partial(checked, kind=list), "a list: {}"]
# A value stands for a list of one.
Many = Annotated[tuple[T, ...], lambda _, value: listed(value), "{}, or a list of them"]
# Names and values, a table in the text.
Pairs = Annotated[
    tuple[tuple[str, Any], ...], lambda where, value: checked(where, value, dict).items()
]


def _annotated(kind: Any) -> Any:
    """How cattrs makes a value of an annotated type."""
    structure_inner = _CONVERTER.get_structure_hook(kind.__origin__)
    check = next(filter(callable, kind.__metadata__), lambda _, value: value)
    return lambda value, _: structure_inner(check("", value), kind.__origin__)


_CONVERTER = cattrs.Converter(forbid_extra_keys=True, unstruct_collection_overrides={tuple: list})
_CONVERTER.register_structure_hook_factory(lambda kind: hasattr(kind, "__metadata__"), _annotated)
_CONVERTER.register_structure_hook(float, lambda value, _: arguments.real("", value))
for _kind in (str, bool):
    _CONVERTER.register_structure_hook(_kind, partial(checked, ""))
_CONVERTER.register_unstructure_hook_func(lambda kind: kind == Pairs, dict)


def key_of(kind: Any) -> Key | None:
    """What the type of a key says of its meaning."""
    found = [each for each in getattr(kind, "__metadata__", ()) if isinstance(each, Key)]
    return found[-1] if found else None


def said(takes: str, meaning: str, unit: str, default: Any = REQUIRED) -> Any:
    """The type of a key whose value is checked elsewhere; takes: what is allowed, in words."""
    return Annotated[Any, takes, Key(meaning, unit, default)]


def keys_of(kind: type) -> dict[str, Any]:
    """The keys of a dataclass by name: types of its fields, which say their defaults."""
    found = {}
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        key = key_of(hints[field.name])
        if key is not None and key.default is REQUIRED and field.default is not MISSING:
            hints[field.name] = Annotated[hints[field.name], replace(key, default=field.default)]
        found[field.name] = hints[field.name]
    return found


def table_of(keys: Mapping[str, Any]) -> Any:
    """The type of a table, a dict, by the types of its keys; those without default are required.

    Raises TypeError for a key that does not say what it means.
    """
    build, table = cast(Any, TypedDict), cast(Any, Table)
    found = {}
    for name, kind in keys.items():
        key = key_of(kind)
        if key is None:
            raise TypeError(f"key {name!r} does not say what it means: a Key is needed")
        found[name] = kind if key.default is REQUIRED else NotRequired[kind]
    return table[build("Keys", found)]


def structure(value: object, kind: type[T], where: str = "") -> T:
    """`value` as a `kind`: a dataclass or a `table_of`, at `where` in the text.

    Raises ValueError or TypeError with a sentence that names the place.
    """
    try:
        return _CONVERTER.structure(checked(where, value, dict), kind)
    except cattrs.BaseValidationError as error:
        raise _complaint(error, where) from None


def unstructure(value: object) -> dict[str, Any]:
    """A dataclass as JSON values; `structure` inverts it."""
    found: dict[str, Any] = _CONVERTER.unstructure(value)
    return found


def check_keys(where: str, table: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
    """ValueError for a key that is unknown or missing."""
    structure(dict(table), table_of(keys), where)


def _complaint(error: Exception, where: str) -> Exception:
    """The first thing that is wrong, an unknown key before all else."""
    if isinstance(error, cattrs.ClassValidationError):
        named, others = error.group_exceptions()
        for other in others:
            if isinstance(other, cattrs.ForbiddenExtraKeysError):
                # Mappings from Python may have keys that are no text.
                key = min(other.extra_fields, key=str)
                known = sorted(error.cl.__annotations__)
                hint = ", of which 'parameters' has those of a function of yours"
                return InputError(
                    f"{where or 'study'}: unknown key {key!r}, allowed are {', '.join(known)}"
                    f"{hint if 'parameters' in known else ''}{meant(str(key), known)}"
                )
        if not named:
            # Keys that do not go together.
            return _complaint(others[0], where)
        inner, note = named[0]
        if isinstance(inner, KeyError) and inner.args == (note.name,):
            return InputError(f"{where or 'study'}: key {note.name!r} is missing")
        return _complaint(inner, f"{where}.{note.name}" if where else note.name)
    if isinstance(error, cattrs.IterableValidationError):
        element, index = error.group_exceptions()[0][0]
        # Of a list of values the value says which one is meant.
        is_table = isinstance(element, cattrs.BaseValidationError)
        return _complaint(element, f"{where}[{index.index}]" if is_table else where)
    if not isinstance(error, InputError):
        return error
    text, table = str(error), where.rpartition(".")[0]
    if text.startswith(" = "):
        return type(error)(where + text)
    return type(error)(f"{table}: {text}" if table else text)
