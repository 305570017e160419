"""The reference of keys: every one that parsing knows, with the default that parsing takes."""

import copy
import re
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import manybody
from manybody.cli.kinds import kind_named
from manybody.docs.keys import entries_of, entry, key_names, keys_page, sections, words
from manybody.papers.kit.case_kind import FRAME, _study
from manybody.papers.kit.curves import points_of
from manybody.papers.kit.systems import (
    DENSITIES,
    SYSTEMS,
    build_reservoir,
    model_keys,
    reservoir_keys,
)
from manybody.papers.levy_kosloff.nodes import Nodes
from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.keys import REQUIRED, InWords, Key
from manybody.physics.models.families import FAMILIES
from manybody.study import structure
from manybody.study.configuration import OUTPUTS
from manybody.study.convergence import Convergence
from manybody.study.keys import bath_keys, family_keys, study_keys
from manybody.study.parsing import builtin_studies, parse_table
from manybody.study.structure import Count, Many, key_of, keys_of, said
from manybody.study.system_tables import file_keys

PAGES = [*(Path(manybody.__file__).parent / "docs").rglob("*.md")]
FENCES = [
    tomllib.loads(text)
    for page in PAGES
    for text in re.findall(r"^```toml.*?\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
]
STUDIES = [tomllib.loads(text) for text in builtin_studies().values()]
# Values of what must be given.
NUMBERS = {"coupling": 0.2, "cutoff": 10.0, "exponent": 1.5, "beta": 2.0, "rate": 0.3}
NUMBERS |= {"strength": 0.1, "height": 1.0, "half_width": 20.0, "disorder": 1.0, "hopping": 0.3}


def filled(keys, **given):
    """A table of what must be given alone."""
    numbers = {name: NUMBERS[name] for name, kind in keys.items() if is_required(kind, name)}
    return {**numbers, **given}


def is_required(kind, name):
    return key_of(kind).default is REQUIRED and name in NUMBERS


def minimal(bath="ohmic", model="dirac_syk2", **more):
    """A study of samples with nothing in it that may be left out."""
    family = FAMILIES[model]
    own = {} if bath == "ohmic" else {"type": bath}
    return {
        "name": "least",
        "seed": 1,
        "samples": 2,
        "times": [0.0, 1.0],
        "bath": filled(bath_keys(BATH_FAMILIES[bath]), **own),
        "systems": [filled(family_keys(family), model=model, **{family.size: 2})],
        **more,
    }


def of_files():
    system = {"model": "files", "files": "h-*.npz"}
    return {key: value for key, value in minimal(systems=[system]).items() if key != "samples"}


BAND = {"density": "semi-elliptic", "height": 1.0, "half_width": 20.0, "beta": 2.0}
OHMIC = {"density": "ohmic", "coupling": 0.5, "cutoff": 10.0, "beta": 0.5}
PAIR = {"model": "pair", "n_sites": 2, "hopping": 0.3}
ENDS = {**PAIR, "contacts": "ends", "strength": 0.2, "duration": 1.0}
RESERVOIRS = {"seed": 1, "tolerance": 1e-6, "first": BAND, "last": BAND}
ENDS_ALONE = {name: value for name, value in ENDS.items() if name != "duration"}
RANGE = {"from": 1.0, "to": 2.0, "points": 2}
CASES = {
    "theorem": {
        "seed": 1,
        "strength": 0.2,
        "coupling_change": 0.01,
        "beta_ratio": 0.5,
        "fermion": BAND,
        "boson": {**OHMIC, "lowest_level": 0.5},
        "systems": [PAIR],
    },
    "exact": {**RESERVOIRS, "dynamics": [{**ENDS, "n_times": 3}]},
    "driven": {**RESERVOIRS, "runs": [{**ENDS, "n_times": 3, "amplitude": 0.1, "rate": 0.1}]},
    "hierarchy": {
        "seed": 1,
        "tolerance": 0.01,
        "cutoff": 5.0,
        "dynamics": [{**PAIR, "coupling": 0.1, "beta": 1.0, "duration": 1.0, "n_times": 3}],
    },
    "levy-kosloff": {"curves": [{"figure": "figure-3", "over": "epsilon", **RANGE}]},
    "mitchison-plenio": {"curves": [{"figure": "figure-5", "over": "h", **RANGE}]},
    "levy-rabani-limmer": {"curves": [{"figure": "figure-3", "over": "omega", **RANGE}]},
}
_NAMES = {"statistics": "boson", "approach": "local", "method": "exact", "limit": "local"}


def case(kind):
    """A study of cases with nothing in it that may be left out."""
    table = copy.deepcopy(CASES[kind])
    for curves in table.get("curves", []):
        keys = {}
        for heading, own in tables(kind).items():
            if fits(heading, curves):
                keys = own
        needed = [name for name, one in keys.items() if key_of(one).default is REQUIRED]
        curves |= {name: _NAMES.get(name, 5.0) for name in needed if name != curves["over"]}
    return {"name": "least", "kind": kind, **table}


def tables(kind):
    return import_module(f"{kind_named(kind).folder}.cases").tables()


def parsed(table):
    """What parsing makes of a study, as JSON values."""
    table = copy.deepcopy(table)
    if "kind" not in table:
        return parse_table(table, "least").to_json()
    kind = kind_named(table["kind"])
    return _study(kind.name, kind.folder, table).to_json()


def at(table, path):
    for part in path:
        table = table[part]
    return table


def fits(heading, table):
    """Whether the keys under a heading are of this table: those of a figure are of that alone."""
    return " of " not in heading or table["figure"] in heading


def reservoir(table):
    """What a reservoir is built of: the text of its table is kept as it is."""
    return build_reservoir(table["fermion"], "fermion")


def nodes(table):
    """What the points of curves are of."""
    cases = [one["parameters"] for one in parsed(table)["cases"]]
    points = [point for one in cases if one["figure"] != "errata" for point in points_of(one)]
    return [
        Nodes(**{name: point[name] for name in point if name != "approach"}) for point in points
    ]


def places():
    """(what reads a study, a study, path of a table in it, the keys of the table)."""
    yield parsed, minimal(), (), study_keys()
    yield parsed, minimal(outputs={}), ("outputs",), OUTPUTS
    yield parsed, minimal(convergence={"samples": 1}), ("convergence",), keys_of(Convergence)
    for name, kind in BATH_FAMILIES.items():
        yield parsed, minimal(bath=name), ("bath",), bath_keys(kind)
    for name, family in FAMILIES.items():
        yield parsed, minimal(model=name), ("systems", 0), family_keys(family)
    yield parsed, of_files(), ("systems", 0), file_keys(())
    for kind in CASES:
        yield from places_of(kind)
    for model, system in SYSTEMS.items():
        table = filled(model_keys(model), model=model, **{system.size: 2})
        study = {**case("theorem"), "systems": [table]}
        yield parsed, study, ("systems", 0), model_keys(model)
    for density in DENSITIES:
        keys = reservoir_keys(density)
        table = {**case("theorem"), "fermion": filled(keys, density=density)}
        yield reservoir, table, ("fermion",), keys


def places_of(kind):
    """Of a kind of cases: its own table, also without what only one of several need be."""
    top = {**FRAME, **tables(kind)[""]}
    yield parsed, case(kind), (), top
    if kind == "exact":
        yield parsed, {**case(kind), "dynamics": [], "steady": [ENDS_ALONE]}, (), top
        without = {name: value for name, value in case(kind).items() if name != "dynamics"}
        yield parsed, {**without, "steady": [ENDS_ALONE]}, (), top
    if "curves" in case(kind):
        yield parsed, {"name": "least", "kind": kind}, (), top
    for heading, keys in tables(kind).items():
        name = heading.strip("[]").partition("]")[0]
        given = case(kind).get(name)
        if heading and isinstance(given, list) and fits(heading, given[0]):
            yield nodes if kind == "levy-kosloff" else parsed, case(kind), (name, 0), keys


PLACES = [*places()]


def given_defaults(keys):
    """Name -> default of keys that have one which TOML can say."""
    found = {name: key_of(kind).default for name, kind in keys.items()}
    return {name: value for name, value in found.items() if not isinstance(value, InWords)}


def in_text(value):
    return [in_text(each) for each in value] if isinstance(value, tuple) else value


def untold(table, path, keys):
    """(name, default) of keys that a table leaves to their defaults."""
    given = given_defaults(keys)
    return [(name, value) for name, value in given.items() if name not in at(table, path)]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: "-".join(map(str, place[2])) or "top")
def test_a_documented_default_is_what_parsing_takes(place):
    read, table, path, keys = place
    expected = read(table)
    for name, value in untold(table, path, keys):
        changed = copy.deepcopy(table)
        at(changed, path)[name] = in_text(value)
        assert read(changed) == expected, name


def test_every_default_has_been_tried():
    tried = {
        (name, key_of(keys[name]))
        for _, *place, keys in PLACES
        for name, _ in untold(*place, keys)
    }
    every = [
        (name, key_of(section.keys[name]))
        for section in sections()
        for name in given_defaults(section.keys or {})
    ]
    assert len(every) > 60
    assert [each for each in every if each not in tried] == []


def outcome(read, table):
    try:
        return read(table)
    except (ValueError, TypeError, LookupError) as error:
        return str(error)


def test_what_is_required_makes_a_difference():
    """A minimal study is refused, or another one, without any key that is documented so."""
    for read, table, path, keys in PLACES:
        expected = read(table)
        for name, kind in keys.items():
            if key_of(kind).default is REQUIRED and name in at(table, path):
                changed = copy.deepcopy(table)
                del at(changed, path)[name]
                assert outcome(read, changed) != expected, name


def test_every_key_says_what_it_means():
    page = keys_page()
    for section in sections():
        for name, kind in (section.keys or {}).items():
            key = key_of(kind)
            assert key.meaning and key.unit is not None and key.default is not None, name
            assert words(kind), name
            assert f"\n{entry(name, kind)}\n" in page, name
    assert set(key_names()) == set(re.findall(r"^`(\w+)`$", page, re.M))


def test_every_table_that_parsing_knows_is_on_the_page(monkeypatch):
    """While studies are parsed each table says which keys it has."""
    seen = []

    def seeing(keys, original=structure.table_of):
        seen.append(dict(keys))
        return original(keys)

    for module in [m for name, m in sys.modules.items() if name.startswith("manybody")]:
        if getattr(module, "table_of", None) is structure.table_of:
            monkeypatch.setattr(module, "table_of", seeing)
    for study in [*STUDIES, *(table for _, table, *_ in PLACES)]:
        parsed(study)
    documented = {
        (name, key_of(kind).meaning)
        for section in sections()
        for name, kind in (section.keys or {}).items()
    }
    known = {
        (name, key_of(kind).meaning)
        for keys in seen
        for name, kind in keys.items()
        if not name.startswith("at.")
        and key_of(kind).meaning != "of this system; several values make a system each"
    }
    assert len(known) > 80
    assert sorted(known - documented) == []


def names_in(table):
    """Every key of a text, but those that a model of one's own, or a region, is called by."""
    for name, value in table.items():
        yield name
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and name == "at":
                yield from (key for own in inner.values() for key in own)
            elif isinstance(inner, dict) and name not in ("parameters", "expectations"):
                yield from names_in(inner)


def test_keys_of_studies_and_pages_are_known():
    used = {name for table in [*STUDIES, *FENCES] for name in names_in(table)}
    assert len(FENCES) > 5 and len(used) > 70
    # A region, and a file of a start.
    assert used - set(key_names()) <= {"at", "file"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (int, "an integer"),
        (Many[float], "a number, or a list of them"),
        (Many[Count] | None, "an integer >= 1, or a list of them"),
        (said("two words", "meaning", ""), "two words"),
    ],
)
def test_words_of_types(kind, expected):
    assert words(kind) == expected


def test_a_key_without_words_or_default_is_refused():
    with pytest.raises(TypeError, match="does not say what it takes"):
        words(tuple[list, ...])
    with pytest.raises(TypeError, match="'a' does not say what it means"):
        entry("a", said("a number", "meaning", "", None))


def test_models_and_baths_say_what_they_are():
    for section in sections():
        model = re.fullmatch(r'\[\[systems\]\] of model = "(\w+)"', section.title)
        if model and model[1] in FAMILIES:
            assert "H = " in section.text, model[1]
        if section.title.startswith("[bath] of"):
            assert "γ(ω) = " in section.text


def test_the_example_of_the_page_is_a_study_of_which_nothing_can_be_left_out():
    (text,) = re.findall(r"^```toml\n(.*?)^```", keys_page(), re.M | re.S)
    table = tomllib.loads(text)
    expected = parsed(table)
    for path in ((), ("times",), ("bath",), ("systems", 0)):
        for name in at(table, path):
            changed = copy.deepcopy(table)
            del at(changed, path)[name]
            assert outcome(parsed, changed) != expected, name
            with pytest.raises(ValueError, match="is missing"):
                parsed(changed)


def test_entries():
    kind = said("a number", "half of it", "1/J", 0.5)
    assert entry("a", kind) == "`a`\n: Half of it. Takes a number; in 1/J; default `0.5`."
    assert entry("b", said("x", "β of it", "")) == "`b`\n: β of it. Takes x; required."
    lists = said("x", "all", "", ("a", True, float("inf")))
    assert entry("c", lists).endswith('default `["a", true, inf]`.')
    assert entry("d", said("x", "all", "", InWords("none"))).endswith("without it: none.")
    assert "### [convergence]" in entries_of("max_sites")
    assert entries_of("max_site") == ""
    assert re.findall(r"^### (.*)", entries_of("drude-lorentz"), re.M) == [
        '[bath] of type = "drude-lorentz"',
        'Reservoirs of density = "drude-lorentz"',
    ]
    assert "`rate`\n" in entries_of("bath") and "[bath.at.REGION]" in entries_of("bath")
    assert Key("a", "") != Key("a", "J")
