"""The glossary and the architecture page agree with each other and with the tree."""

import re
from pathlib import Path

import pytest
from test_structure import ALLOWED

import manybody
from manybody.docs.pages import page as text_of
from manybody.docs.pages import page_names

PACKAGE = Path(manybody.__file__).parent
DOCS = PACKAGE / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text("utf-8")
ARCHITECTURE = (DOCS / "architecture.md").read_text("utf-8")
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(content):
    """Of headings, as GitHub and Sphinx make them."""
    titles = re.findall(r"^#+ (.+)$", content, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", ["physics", "architecture", "glossary"])
def test_links_lead_to_pages(name):
    content = (DOCS / f"{name}.md").read_text("utf-8")
    links = LINK.findall(content)
    assert links
    for page, anchor in links:
        wanted = page.removesuffix(".md") or name
        assert wanted in page_names(), page
        assert not anchor or anchor in anchors(text_of(wanted)), anchor


def entries():
    """Words of the glossary with what is said of each."""
    parts = re.split(r"^### (.+)$", GLOSSARY.partition("## Symbols")[0], flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], map(str.strip, parts[1::2])))


def test_the_glossary_is_alphabetical():
    words = [*entries()]
    assert len(words) > 70
    assert words == sorted(words, key=lambda word: re.sub(r"[^a-z]", "", word.lower()))
    assert all(entries().values())


# What stands in reports, in plan, status and the log.
MET = (
    "application, block, Bohr block, Bohr frequency, Bohr frequency cluster, case, certificate, "
    "checkpoint, claim, cost model, gap, half form, kind, patch, point, sample, shard, stack, "
    "store, study, system, trace distance, verdict"
)


def test_words_that_people_meet_are_in_the_glossary():
    assert [word for word in MET.split(", ") if word not in entries()] == []


def test_words_that_an_entry_sends_to_are_there():
    texts = " ".join(entries().values())
    sent = re.findall(r"\b[Ss]ee ([a-z ]+)", texts)
    assert len(sent) > 4
    assert [word for word in sent if word not in entries()] == []


def test_floors_of_the_architecture_are_those_of_the_tree():
    """The table of imports, against the one that is enforced."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", ARCHITECTURE, re.MULTILINE)
    table = {floor: set(re.findall(r"`(\w+)`", allowed)) for floor, allowed in rows}
    assert table == ALLOWED


def test_files_that_the_architecture_names_exist():
    named = re.findall(r"`((?:\w+/)*\w+(?:/|\.py))`", ARCHITECTURE)
    assert len(named) > 10
    places = (PACKAGE, PACKAGE.parent)
    assert [name for name in named if not any((place / name).exists() for place in places)] == []
    folders = re.findall(r"(?:^  |^    |  )(\w+)/(?= |$)", ARCHITECTURE, re.MULTILINE)
    assert [name for name in folders if not [*PACKAGE.rglob(name)]] == []


def test_registries_of_the_architecture_are_there():
    for name in re.findall(r"`([a-z.]+)\.register`", ARCHITECTURE):
        module = PACKAGE.joinpath(*name.split(".")).with_suffix(".py")
        assert "\ndef register(" in module.read_text("utf-8"), name
