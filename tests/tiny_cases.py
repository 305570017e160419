"""Studies of cases that take a second, for tests of everything around the physics."""

from soak_studies import theorem_text

from manybody.cli.kinds import kind_in, kind_named
from manybody.papers.kit.case_kind import read_records
from manybody.study.block_store import BlockStore
from manybody.study.runner import prepare, run_study

THEOREM = theorem_text(
    "tiny-theorem",
    "n_sites = [3, 6]",
    "samples = 2",
    "lamb_shift = false",
    'checks = ["equal", "one_coupling"]',
)

EXACT = """
name = "tiny-exact"
kind = "exact"
seed = 3
tolerance = 1e-8
[first]
density = "semi-elliptic"
height = 1.0
half_width = 4.0
beta = 1.0
chemical_potential = 0.5
[last]
density = "semi-elliptic"
height = 1.0
half_width = 4.0
beta = 4.0
chemical_potential = -0.5
[[dynamics]]
model = "pair"
n_sites = 2
detuning = 0.3
hopping = 0.2
contacts = "ends"
strength = [0.4, 0.5, 0.6]
duration = 1.0
n_times = 60
[[dynamics]]
model = "random"
n_sites = [1, 2, 3]
contacts = "all"
strength = 0.5
duration = 1.0
n_times = 4
[[steady]]
model = "pair"
n_sites = 2
detuning = [-1.0, 0.0, 2.0]
hopping = 0.05
level = 0.4
contacts = "ends"
strength = 0.2
[[routes]]
model = "pair"
n_sites = 2
detuning = 0.2
hopping = 0.3
contacts = "ends"
strength = 0.8
duration = 30.0
[outputs]
formats = ["csv"]
"""

HIERARCHY = """
name = "tiny-hierarchy"
kind = "hierarchy"
seed = 3
tolerance = 0.05
cutoff = 2.0
equations = ["redfield", "davies", "universal-lindblad", "local"]
[[dynamics]]
model = "pair"
n_sites = 2
detuning = 1.0
hopping = 0.5
coupling = [0.1, 0.2, 0.4]
beta = 0.5
duration = 6.0
n_times = 60
[[dynamics]]
model = "pair"
n_sites = 2
detuning = 1.0
hopping = 0.5
coupling = 0.2
beta = [0.25, 1.0]
duration = 6.0
n_times = 60
[[dynamics]]
model = "pair"
n_sites = 2
detuning = [0.1, 0.3, 2.0]
hopping = 0.05
coupling = 0.2
beta = 0.5
duration = 6.0
n_times = 60
[outputs]
formats = ["csv"]
"""

DRIVEN = """
name = "tiny-driven"
kind = "driven"
seed = 3
tolerance = 1e-5
[first]
density = "semi-elliptic"
height = 1.0
half_width = 4.0
beta = 1.0
chemical_potential = 0.5
[last]
density = "semi-elliptic"
height = 1.0
half_width = 4.0
beta = 2.0
chemical_potential = -0.5
[[runs]]
model = "pair"
n_sites = 2
detuning = 0.0
hopping = 0.05
level = 0.4
contacts = "all"
strength = 0.6
amplitude = 1.0
rate = [0.0, 0.5, 2.0]
duration = 1.0
n_times = 2
[[runs]]
model = "pair"
n_sites = 2
detuning = 0.0
hopping = 0.05
level = 0.4
contacts = "ends"
strength = [0.5, 0.6, 0.7]
amplitude = 1.0
rate = 0.5
duration = 1.0
n_times = 2
[outputs]
formats = ["csv"]
"""


def theorem_study(*replacements):
    """The first study with pieces of its text replaced."""
    return _parsed(THEOREM, replacements)


def exact_study(*replacements):
    """The second study with pieces of its text replaced."""
    return _parsed(EXACT, replacements)


def hierarchy_study(*replacements):
    """The third study with pieces of its text replaced."""
    return _parsed(HIERARCHY, replacements)


def driven_study(*replacements):
    """The fourth study with pieces of its text replaced."""
    return _parsed(DRIVEN, replacements)


def _parsed(text, replacements):
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return parse_cases(text, "tiny.toml")


def parse_cases(text, origin):
    """The study of a text that says its kind."""
    return kind_in(text, origin).parse(text, origin, None)


def case_store(folder, kind="theorem"):
    """The store of cases of a kind in a folder."""
    return BlockStore(folder, kind_named(kind))


def compute(study, store, text="", **options):
    """Prepare a store and compute what it lacks."""
    prepare(study, store, text=text)
    return run_study(study, store, quiet=True, **options)


def finished(store):
    """Names of cases that are in a store."""
    return {case.name for case in store.study.cases if store.finished(case)}


def numbers_of(store):
    """{case: results} of everything that is there."""
    records, problems = read_records(store, store.study)
    assert problems == []
    return {record.case.name: dict(record.results) for record in records}
