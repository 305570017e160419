"""The documentation is run: every fence of every page, from top to end, in an empty folder.

What a page says to save under a name is saved, and a `text` fence must be in the output of what
stands above it.  Words behind the language: `file=NAME`, `needs=MODULE` (left out where that is
not installed), `exit=CODE`; `cluster`, `setup`, `long` and `shown` are looked at and not run.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import page_runner
import pytest
from page_to_notebook import Fence, fences_of, main, notebook_of

from manybody import cli
from manybody.study.parsing import parse_table

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "manybody" / "docs"
READ = [ROOT / "README.md", *sorted(PAGES.rglob("*.md"))]
IDS = {"ids": lambda path: path.stem}
LANGUAGES = {"python", "sh", "toml", "text"}


def has_code(page):
    """Whether something of it is run."""
    return not all(fence.is_shown for fence in fences_of(page.read_text("utf-8")))


@pytest.mark.parametrize("page", list(filter(has_code, READ)), **IDS)
def test_a_page_runs_from_top_to_end(page, tmp_path):
    path = os.pathsep.join([str(ROOT), str(ROOT / "scripts"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, page_runner.__file__, str(page)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg", "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", READ, **IDS)
def test_what_is_not_run_is_still_right(page, monkeypatch):
    """Shell that bash reads, options that `manybody` has, parts of studies, names of files."""
    text = page.read_text("utf-8")
    for fence in fences_of(text):
        assert fence.language in LANGUAGES, f"{page.name}: {fence.language}"
        assert not fence.file or f"`{fence.file}`" in text
        if fence.language == "toml" and not fence.file:
            parse_table(whole_study(fence.text), page.name, ROOT)
        if fence.language == "sh":
            subprocess.run(["bash", "-n", "-c", fence.text], check=True)
            for command in commands_of(fence):
                check_command(command, monkeypatch)


BATH = {"coupling": 0.2, "cutoff": 10.0, "beta": 5.0}
SYSTEMS = [{"model": "anderson3d", "length": 3, "disorder": 5.0}]


def whole_study(text):
    """The tables of a part of a study, with what it leaves out."""
    part = tomllib.loads(text)
    every = {"name": "page", "seed": 1, "bath": BATH, "systems": SYSTEMS} | part
    if "trace_distance" in every.get("observables", ["trace_distance"]):
        every.setdefault("times", [0.0, 1.0])
    if any(system["model"] != "files" for system in every["systems"]):
        every.setdefault("samples", 2)
    return every


def commands_of(fence):
    """The arguments of every call of manybody in a shell fence."""
    lines = fence.text.replace("\\\n", " ").splitlines()
    words = [shlex.split(re.sub(r"\$\{?\w+\}?", "1", line), comments=True) for line in lines]
    for line in words:
        if "manybody" in line and line[0] != "cd":
            yield line[line.index("manybody") + 1 :]


class Parsed(Exception):
    """A command line that is understood."""


def check_command(words, monkeypatch):
    """Raise SystemExit for options that there are not."""
    parse = argparse.ArgumentParser.parse_args

    def stop(self, args=None, namespace=None):
        parse(self, args, namespace)
        raise Parsed

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(Parsed):
            cli.main(words)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_from_outside_the_pages_lead_somewhere(name):
    links = re.findall(r"\]\((?!https?://)([^)#]+)", (ROOT / name).read_text("utf-8"))
    assert links
    assert [target for target in links if not (ROOT / target).exists()] == []


def test_readme_is_a_screen_and_a_half():
    """With what a physicist looks for first, and one figure."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 95 and text.count("![") == 1
    first = text.partition("## ")[0]
    for word in ("H_int", "One particle", "Many particles", "dρ/dt", "[−W, W]", "J_int", "‖ρ_D"):
        assert word in first


def test_the_tutorial_is_a_notebook(tmp_path):
    """Valid, with the same fences as cells, in their order."""
    nbformat = pytest.importorskip("nbformat")
    page, target = PAGES / "tutorial.md", tmp_path / "tutorial.ipynb"
    main(str(page), str(target))
    notebook = nbformat.read(target, as_version=4)
    nbformat.validate(notebook)
    every = fences_of(page.read_text("utf-8"))
    run = [fence for fence in every if not fence.is_shown]
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert 10 < len(code) == len(run) < len(every)
    for source, fence in zip(code, run):
        assert source.endswith(fence.text.rstrip("\n"))
        assert source.startswith("%%") == (fence.language != "python" or bool(fence.file))
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_cells_of_a_page():
    pytest.importorskip("nbformat")
    page = (
        "# A\n\n```python\nx = 1\n```\n\n```text\n1\n```\n\n```toml file=a.toml\nb = 2\n```\n"
        "```sh\nls\n```\n```sh cluster\nsbatch\n```\nend\n"
    )
    cells = [(cell.cell_type, cell.source) for cell in notebook_of(page).cells]
    assert cells == [
        ("markdown", "# A\n\n"),
        ("code", "x = 1"),
        ("markdown", "```text\n1\n```\n\n"),
        ("code", "%%writefile a.toml\nb = 2"),
        ("code", "%%bash\nls"),
        ("markdown", "```sh\nsbatch\n```\nend\n"),
    ]


def test_what_is_wrong_is_seen(monkeypatch):
    """Output that is none, a command that fails, an option that is none."""
    check = page_runner.check_output
    check("a\n...\nc 2e-15", "0\na\nb\nc -1.1e-10\n")
    with pytest.raises(AssertionError, match="the page shows"):
        check("3", "12\n4\n")
    with pytest.raises(AssertionError, match="the page shows"):
        check("1e-15", "1e-05\n")
    with pytest.raises(AssertionError, match="no-such"):
        page_runner.run_shell(Fence("sh", (), "ls no-such\n"))
    with pytest.raises(AssertionError, match="0: true"):
        page_runner.run_page("```sh exit=2\ntrue\n```\n")
    with pytest.raises(SystemExit):
        check_command(["run", "x.toml", "--no-such"], monkeypatch)
