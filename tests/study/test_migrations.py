"""Formats of stores: the first is still read and extended, one to come is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from manybody.cli.kinds import open_store
from manybody.study.blocks import read_block
from manybody.study.migrations import FORMAT, hash_in, identity_in
from manybody.study.store import Store

ARCHIVES = Path(__file__).parents[1] / "stores"


@pytest.fixture(params=["evolution", "observables"])
def old(request, tmp_path):
    """A store of the first format."""
    shutil.unpack_archive(ARCHIVES / f"{request.param}.tar.xz", tmp_path)
    return Store(tmp_path / request.param)


def content_of(store):
    return json.loads((store.directory / "study.json").read_text())


def test_the_identity_in_blocks_of_the_first_format_is_known(old):
    stores = [old, *(old.variant(name) for name in old.study.variants())]
    blocks = [
        (store.study, read_block(path))
        for store in stores
        for system in store.study.systems
        for point in system.points
        for path in store.block_paths(point)
    ]
    assert blocks and len(stores) == 1 + len(old.study.variants())
    for study, block in blocks:
        assert block.attributes["store_format"] == 1
        assert identity_in(study, 1) == json.loads(block.attributes["study"])
        assert hash_in(study, 1) == block.attributes["study_hash"]
        assert hash_in(study, FORMAT) == study.hash() != hash_in(study, 1)


def test_what_the_first_format_could_not_express_is_of_no_block_of_it(old):
    study = old.study
    other = replace(study, equations=("redfield", "davies", "third"))
    assert hash_in(other, 1) != hash_in(study, 1)
    with pytest.raises(ValueError, match="holds another study: equations is .*third"):
        old.check(other)
    for change in (
        {"operator": "assembled"},
        {"initial_beta": 1.0},
        {"drop_tolerance": 0.1},
        {"expectations": ("energy",)},
    ):
        assert hash_in(replace(study, **change), 1) != hash_in(study, 1)


def test_an_extended_store_is_of_this_format(old):
    study = old.study
    more = replace(study, systems=tuple(replace(s, samples=9) for s in study.systems))
    assert content_of(old)["format"] == 1
    assert old.create(more) == old.study == more
    content = content_of(old)
    assert content["format"] == FORMAT == 5
    assert {"operator", "drop_tolerance", "observables", "initial_beta", "equations"} <= {
        *content["study"]
    } & {*study.identity()}
    for system in study.systems:
        for point in system.points:
            blocks, problems = old.read(old.study, point)
            assert blocks and not problems


@pytest.mark.parametrize("name", ["evolution", "theorem"])
def test_a_format_to_come_is_refused(name, tmp_path):
    shutil.unpack_archive(ARCHIVES / f"{name}.tar.xz", tmp_path)
    later, readable = {
        "evolution": (6, "1 or 2 or 3 or 4 or 5"),
        "theorem": ("cases-3", "'cases-2'"),
    }[name]
    store = open_store(tmp_path / name)
    path = store.directory / "study.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "format": later}))
    assert store.kind.name == ("samples" if name == "evolution" else "theorem")
    with pytest.raises(
        ValueError, match=f"a later version: store format {later!r}, {readable} is"
    ):
        _ = store.study
    # What says nothing of its format is no study either.
    for odd in ([], {"format": [1]}, {"format": None}):
        path.write_text(json.dumps(odd))
        with pytest.raises(ValueError, match="another kind of study"):
            _ = store.study
