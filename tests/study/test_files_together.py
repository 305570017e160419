"""Files that are written together: all of them, or nothing is left behind."""

import os

import pytest

from manybody.parallel.files import write_together

CONTENTS = {"table.csv": b"1", "index.html": b"2"}


def test_all_are_there(tmp_path):
    write_together(tmp_path / "report", CONTENTS)
    assert {path.name: path.read_bytes() for path in (tmp_path / "report").iterdir()} == CONTENTS


@pytest.mark.parametrize("is_new", [True, False])
def test_of_what_cannot_be_written_nothing_is_left(is_new, tmp_path, monkeypatch):
    folder = tmp_path / "report"
    if not is_new:
        write_together(folder, {"index.html": b"before"})
    written = []

    def full(file):
        written.append(file)
        if len(written) == len(CONTENTS):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_together(folder, CONTENTS)
    left = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == ({} if is_new else {"index.html": b"before"})
    assert folder.exists() is not is_new
