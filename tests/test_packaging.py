"""What is handed out: source and wheel hold what they should, and texts beside them agree."""

import email
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import manybody

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)(?:#[^)]*)?\)")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_{}(sys.argv[1])"
# What git leaves alone, and git's own.
STRANGERS = [".git", *(ROOT / ".gitignore").read_text("utf-8").split()]


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def build(what, source, out):
    command = [sys.executable, "-c", BUILD.format(what), str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A checkout without what was made in it."""
    folder = tmp_path_factory.mktemp("tree") / "manybody"
    ignored = shutil.ignore_patterns(*(name.rstrip("/") for name in STRANGERS))
    shutil.copytree(ROOT, folder, ignore=ignored, symlinks=True)
    return folder


@pytest.fixture(scope="module")
def expected(tree):
    return files_of(tree)


@pytest.fixture(scope="module")
def source(tree, expected, tmp_path_factory):
    """The source distribution, unpacked."""
    pytest.importorskip("setuptools", minversion="77")
    folder = tmp_path_factory.mktemp("source")
    shutil.unpack_archive(build("sdist", tree, tmp_path_factory.mktemp("sdist")), folder)
    (unpacked,) = folder.iterdir()
    return unpacked


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """What the source distribution makes."""
    with zipfile.ZipFile(build("wheel", source, tmp_path_factory.mktemp("wheel"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_source_is_the_checkout(source, expected):
    made = {"PKG-INFO", "setup.cfg"}
    found = {name for name in files_of(source) if not name.startswith("manybody.egg-info/")}
    assert found - made == expected - made


def test_wheel_is_the_package(wheel, expected):
    """Pages and studies among it, and nothing else but what describes it."""
    found = {name for name in wheel if ".dist-info/" not in name}
    assert found == {name for name in expected if name.startswith("manybody/")}
    assert {Path(name).suffix for name in found if "/studies/" in name} == {".toml"}
    for name in ("docs/physics.md", "docs/glossary.md", "studies/paper-fig1.toml", "py.typed"):
        assert f"manybody/{name}" in found


def described(wheel, name):
    (content,) = [wheel[each] for each in wheel if each.endswith(f".dist-info/{name}")]
    return content.decode()


def test_wheel_says_what_it_is(wheel):
    facts = email.message_from_string(described(wheel, "METADATA"))
    assert (facts["Name"], facts["Version"]) == ("manybody", manybody.__version__)
    assert facts["License-Expression"] == "BSD-3-Clause"
    assert facts.get_payload().startswith("# manybody")
    assert "manybody = manybody.__main__:main" in described(wheel, "entry_points.txt")
    assert described(wheel, "licenses/LICENSE").startswith("BSD 3-Clause")


def test_dependencies_have_no_upper_bound():
    """What is new is tried, not excluded; linters alone are the same for everybody."""
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *(each for extra in extras for each in extra)]
    bounded = [each for each in wanted if re.search(r"<|==|~=|!=", each)]
    assert sorted(each.partition("==")[0] for each in bounded) == ["mypy", "ruff"]
    assert PROJECT["requires-python"] == ">=3.11"


def test_one_version():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)[1]
    assert newest == PROJECT["version"] == manybody.__version__


def test_citation():
    """The keys that version 1.2.0 of the format demands, and the facts of the package."""
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert str(citation["cff-version"]) == "1.2.0" and citation["type"] == "software"
    assert citation["message"] and citation["title"] == PROJECT["name"]
    assert str(citation["version"]) == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert [each["name"] for each in citation["authors"]] == [
        each["name"] for each in PROJECT["authors"]
    ]
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert paper["url"] == PROJECT["urls"]["Paper"]
    assert all({"family-names", "given-names"} == author.keys() for author in paper["authors"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = LINK.findall(page.read_text("utf-8"))
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_files_that_contributors_are_sent_to():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"`((?:manybody|scripts|tests)/[\w/.-]+|manybody(?:\.[a-z]\w+)+)`", text)
    assert len(named) > 10
    for name in named:
        path = name if "/" in name else name.replace(".", "/") + ".py"
        assert (ROOT / path).exists(), name
