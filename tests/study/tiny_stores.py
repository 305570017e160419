"""Stores of the tiny study, for tests of what lies in them."""

from tiny import study

from manybody.study.runner import prepare, run_study
from manybody.study.store import Store


def run(directory, **changes):
    store = Store(directory)
    return store, run_study(prepare(study(**changes), store), store, quiet=True)


def files(store):
    return sorted(path for path in store.directory.rglob("*") if path.is_file())
