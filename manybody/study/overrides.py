"""KEY=VALUE on a command line -> another text of a study: what runs is what is kept."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from manybody.errors import InputError
from manybody.study.parsing import load_toml


def overridden(text: str, origin: str, settings: Sequence[str]) -> str:
    """The TOML text of a study with other values; the text itself where there are none.

    settings: KEY=VALUE, KEY dotted and with an index where a list is (``systems.0.n_sites``),
    VALUE as TOML has it.  Raises InputError for what cannot be set; whether the study knows the
    key and the value fits is for its parser to say.
    """
    if not settings:
        return text
    table = load_toml(text, origin)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise InputError(f"--set {setting}: KEY=VALUE is needed, as in samples=4")
        _put(table, key.strip(), _value(setting, value))
    # A list may have lines, of which a comment has one.
    changed = "".join(f"# --set {' '.join(setting.split())}\n" for setting in settings)
    return f"# {origin}\n{changed}{toml_of(table)}"


def _value(setting: str, text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        found = {}
    if [*found] != ["value"]:
        raise InputError(
            f"--set {setting}: the value is none of TOML: a number, true, false, a list or a text "
            f"in quotes of its own, as in '{_quoted(setting)}'"
        )
    return found["value"]


def _quoted(setting: str) -> str:
    """What was probably meant: a word without its quotes."""
    key, _, value = setting.partition("=")
    word = value.strip()
    is_word = word.replace("-", "").replace("_", "").isalnum()
    return f'{key}="{word}"' if is_word else 'stepper="dop853"'


def _put(table: Any, key: str, value: Any) -> None:
    """Set the value of a dotted key; tables on the way are made."""
    *path, last = key.split(".")
    at = table
    for step in path:
        at = at.setdefault(step, {}) if isinstance(at, dict) else at[_index(at, step, key)]
        if not isinstance(at, (dict, list)):
            raise InputError(f"--set {key}: {step} = {at!r} is no table")
    at[last if isinstance(at, dict) else _index(at, last, key)] = value


def _index(values: list[Any], text: str, key: str) -> int:
    if not text.isdecimal() or int(text) >= len(values):
        raise InputError(
            f"--set {key}: {text} is no index of a list of {len(values)}, 0 to {len(values) - 1} "
            "are, as in systems.0.samples"
        )
    return int(text)


def toml_of(table: Mapping[str, Any], path: str = "") -> str:
    """A table as TOML: its values first, then tables within, then lists of tables."""
    lines = [f"{_key(key)} = {_inline(own)}\n" for key, own in table.items() if not _below(own)]
    for key, own in table.items():
        name = f"{path}{_key(key)}"
        if isinstance(own, dict):
            lines.append(f"\n[{name}]\n{toml_of(own, f'{name}.')}")
        elif _below(own):
            lines += [f"\n[[{name}]]\n{toml_of(each, f'{name}.')}" for each in own]
    return "".join(lines)


def _below(value: Any) -> bool:
    """Whether it is a table, or a list of tables."""
    is_list = isinstance(value, list) and bool(value)
    return isinstance(value, dict) or (is_list and all(isinstance(v, dict) for v in value))


def _key(text: str) -> str:
    plain = text.replace("_", "").replace("-", "")
    return text if plain.isalnum() and text.isascii() else _inline(text)


def _inline(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + " }"
    if isinstance(value, str):
        # As JSON has it but for pairs of surrogates, and a letter that TOML has escaped alone.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else str(value)
