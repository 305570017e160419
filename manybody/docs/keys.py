"""The reference of every key of a study, made of the types that parse it."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, get_args

from manybody.cli.kinds import KIND_NAMES, kind_named
from manybody.docs.api import summary
from manybody.papers.kit.case_kind import FRAME, CaseKind
from manybody.papers.kit.systems import DENSITIES, SYSTEMS, model_keys, reservoir_keys
from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.keys import REQUIRED, InWords
from manybody.physics.models.families import FAMILIES
from manybody.study.configuration import OUTPUTS
from manybody.study.convergence import Convergence
from manybody.study.keys import TIMES, bath_keys, family_keys, region_keys, study_keys
from manybody.study.structure import key_of, keys_of
from manybody.study.system_tables import file_keys, function_keys, size_keys, system_keys

_INTRODUCTION = """\
# Keys of a study

A study is a TOML file: `manybody run FILE`. This page is made of the declarations that parse it,
so it names every key there is; an unknown one is refused. ħ = k_B = 1: energies are in units of
J, whatever the parameters of your model are in, and times in 1/J.

Where a key of a `[[systems]]` table takes "a list of them", every combination is a system of its
own. `manybody docs beta` finds a key, `manybody docs bath` a table, and `manybody docs white` or
`manybody docs theorem` what such a bath, or kind of study, has. Of this one nothing can be left
out:

```toml
name = "cubes"
seed = 7
samples = 20
times = { start = 0.0, stop = 20.0, count = 41 }

[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0

[[systems]]
model = "anderson3d"
length = [2, 3]
disorder = 5.0
```
"""
_PLAIN = {float: "a number", str: "a text", bool: "true or false", int: "an integer"}


@dataclass(frozen=True)
class Section:
    """A heading, 2 or 3 deep, what it is about, and types by key."""

    title: str
    text: str = ""
    keys: Mapping[str, Any] | None = None
    depth: int = 3

    def __str__(self) -> str:
        keys = {} if self.keys is None else self.keys
        # A reader begins with what must be there.
        order = sorted(keys, key=lambda name: _key(name, keys[name]).default is not REQUIRED)
        parts = ["#" * self.depth + " " + self.title, self.text]
        return "\n\n".join(filter(None, [*parts, *(entry(name, keys[name]) for name in order)]))


def keys_page() -> str:
    """The page, in Markdown."""
    return "\n\n".join([_INTRODUCTION.rstrip(), *map(str, sections())]) + "\n"


def entries_of(name: str) -> str:
    """What the page says of a key, wherever it may stand, or of a table; empty for others."""
    found = []
    for each in sections():
        # A table by its name; a type, a model or a kind by what says it.
        if re.search(rf'^\[+{re.escape(name)}[\].]|"{re.escape(name)}"$', each.title):
            found.append(each)
        elif each.keys is not None and name in each.keys:
            found.append(Section(each.title, "", {name: each.keys[name]}))
    return "\n\n".join(map(str, found))


def key_names() -> list[str]:
    """Every key, once."""
    return list(dict.fromkeys(name for each in sections() for name in each.keys or {}))


def sections() -> Iterator[Section]:
    """Every table of every kind of study."""
    yield Section(
        "Studies of samples",
        "Disorder samples of models with a bath on every site, the equations side by side.",
        depth=2,
    )
    yield Section("Top level", "", study_keys())
    yield Section("[times]", "Equal steps, in place of a list.", TIMES)
    yield Section("[outputs]", "", OUTPUTS)
    yield Section("[convergence]", "One thing is changed at a time.", keys_of(Convergence))
    yield from _baths()
    yield from _systems()
    yield Section(
        "Studies of cases",
        "Deterministic calculations, a `kind` each: what papers claim, computed.",
        depth=2,
    )
    yield Section("Top level of every kind", "And [outputs] as above.", FRAME)
    for kind in KIND_NAMES:
        if kind != "samples":
            yield from _cases(kind)
    for model in SYSTEMS:
        text = "In every table of cases that names a model."
        yield Section(f'Cases of model = "{model}"', text, model_keys(model))
    for density in DENSITIES:
        text = "In every table of a reservoir: [first], [last], [fermion], [boson]."
        yield Section(f'Reservoirs of density = "{density}"', text, reservoir_keys(density))


def _baths() -> Iterator[Section]:
    for kind in BATH_FAMILIES.values():
        text = ": ".join(filter(None, [kind.title, kind.formula]))
        yield Section(f'[bath] of type = "{kind.name}"', f"{text}.", bath_keys(kind))
    every = {
        name: own for kind in BATH_FAMILIES.values() for name, own in region_keys(kind).items()
    }
    yield Section(
        "[bath.at.REGION]",
        "What the bath of a region has of its own, left or right of `anderson_bar`: parameters of "
        "the bath's type.",
        every,
    )


def _systems() -> Iterator[Section]:
    yield Section("[[systems]]", "Of every model but for files.", system_keys(()))
    for family in FAMILIES.values():
        keys = {**size_keys(family), **family_keys(family)}
        # What builds a sample says what H is.
        text = summary(family.build)
        yield Section(f'[[systems]] of model = "{family.name}"', text, keys)
    yield Section(
        '[[systems]] of model = "module:function"',
        "A function of yours, called with size, rng and its parameters: `run --allow-code`.",
        function_keys(()),
    )
    yield Section('[[systems]] of model = "files"', "Sizes are found in the files.", file_keys(()))
    yield Section(
        "[systems.bath]",
        "Any parameter that [bath] has in this study, those of a region as "
        "`at = { left = { beta = 1.0 } }`: a number, or a list of them.",
    )


def _cases(kind: str) -> Iterator[Section]:
    own = kind_named(kind)
    assert isinstance(own, CaseKind)
    module = import_module(f"{own.folder}.cases")
    about = (module.__doc__ or "").partition("\n")[0]
    for heading, keys in module.tables().items():
        place = f"{heading} of kind" if heading else "Top level of kind"
        yield Section(f'{place} = "{kind}"', "" if heading else about, keys)


def entry(name: str, kind: Any) -> str:
    """One key as an item of a Markdown definition list."""
    key = _key(name, kind)
    facts = [f"takes {words(kind)}"]
    facts += [f"in {key.unit}"] if key.unit else []
    facts += [_default(key.default)]
    return f"`{name}`\n: {_capital(key.meaning)}. {_capital('; '.join(facts))}."


def words(kind: Any) -> str:
    """What a type takes.  Raises TypeError for one that does not say it."""
    inside = [each for each in get_args(kind) if each not in (type(None), ...)]
    texts = [each for each in getattr(kind, "__metadata__", ()) if isinstance(each, str)]
    if texts:
        inner = get_args(kind.__origin__)
        return texts[-1].replace("{}", words(inner[0])) if "{}" in texts[-1] else texts[-1]
    if kind in _PLAIN:
        return _PLAIN[kind]
    if not inside or inside[0] is Any:
        raise TypeError(f"{kind!r} does not say what it takes")
    return words(inside[0])


def _key(name: str, kind: Any) -> Any:
    key = key_of(kind)
    if key is None or key.default is None:
        raise TypeError(f"key {name!r} does not say what it means, or stands for when absent")
    return key


def _default(value: Any) -> str:
    if value is REQUIRED:
        return str(value)
    return f"without it: {value}" if isinstance(value, InWords) else f"default `{in_toml(value)}`"


def in_toml(value: Any) -> str:
    """A default as a study would say it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(in_toml, value))}]"
    if isinstance(value, float):
        return "inf" if value == math.inf else repr(value)
    return json.dumps(value, ensure_ascii=False)


def _capital(text: str) -> str:
    """With a capital letter, unless it begins with a symbol."""
    first = text.split()[0]
    return text[0].upper() + text[1:] if len(first) > 1 and first.isalpha() else text
