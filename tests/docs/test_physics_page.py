"""docs/physics.md: whoever cites it finds what is cited, and its numbers are those of the code."""

import re
from pathlib import Path

import pytest

import manybody as mb

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "manybody"
PAGE = (PACKAGE / "docs" / "physics.md").read_text("utf-8")
HEADINGS = re.findall(r"^## (\d+)\. \S", PAGE, re.MULTILINE)
SUFFIXES = (".py", ".toml", ".sh", ".sbatch", ".md")
# Whatever of ours may cite the page; other pages cite their own sections by links.
CITING = [
    path
    for folder in ("manybody", "scripts", "slurm", "tests")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in SUFFIXES and "docs" not in path.relative_to(ROOT).parts
] + [ROOT / "README.md"]
# Papers have Roman sections, books theirs with a dot: an Arabic number is one of the page.
CITED = re.compile(
    r"(?P<before>\S*[\s#]+)?\(?\b[Ss]ections?[\s#]+"
    r"(?P<numbers>\d+(?:(?:,|,? and| to)[\s#]+\d+)*)(?!\.?\d)"
)
PAPERS = {
    "SNM": ("Shiraishi", "Nakagawa", "Mori", "2507.10080"),
    "LK": ("Levy", "Kosloff", "1402.3825"),
    "MP": ("Mitchison", "Plenio", "1708.05574"),
    "LRL": ("Levy", "Rabani", "Limmer", "2010.03929"),
}


def text(path):
    return path.read_text("utf-8")


def cited(content):
    """What is cited, and the numbers of its sections."""
    return [
        ((own["before"] or "").rstrip("# \n"), re.findall(r"\d+", own["numbers"]))
        for own in CITED.finditer(content)
    ]


def test_sections_keep_their_numbers():
    assert [str(number) for number in range(1, 13)] == HEADINGS


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("(docs/physics.md sections 2, 6).", [("(docs/physics.md", ["2", "6"])]),
        ("docs/physics.md\n    section 10; K", [("docs/physics.md", ["10"])]),
        ("# in docs/physics.md\n# section 3", [("docs/physics.md", ["3"])]),
        ("see (section 4) and", [("see", ["4"])]),
        ("Problem, sections 3.3 and 11.5", []),
        ("LRL section III C", []),
    ],
)
def test_what_a_citation_is(content, expected):
    assert cited(content) == expected


def test_every_section_that_is_cited_is_there():
    found = [(path, *each) for path in CITING for each in cited(text(path))]
    assert len(found) > 60
    astray = [
        each
        for each in found
        if not each[1].endswith("docs/physics.md") or not {*HEADINGS}.issuperset(each[2])
    ]
    assert astray == []
    inside = [number for _, numbers in cited(PAGE) for number in numbers]
    assert len(inside) > 10 and {*HEADINGS}.issuperset(inside)


def test_the_page_has_one_name():
    old = "PHYSICS" + ".md"
    assert [path for path in CITING if old in text(path)] == []


@pytest.mark.parametrize("letters", PAPERS)
def test_papers_are_named_in_full(letters):
    (row,) = re.findall(rf"^\| \*\*{letters}\*\* \|.*$", PAGE, re.MULTILINE)
    assert [word for word in PAPERS[letters] if word not in row] == []


def places(path):
    """Where a module may say what letters mean: a public one itself, or a package around it."""
    home = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    around = [folder / "__init__.py" for folder in path.parents if PACKAGE in folder.parents]
    return [path] if home in mb._HOME.values() else [path, *around]


def test_letters_of_papers_are_explained_where_they_are_used():
    unexplained = [
        (path, letters)
        for path in sorted(PACKAGE.rglob("*.py"))
        for letters in PAPERS
        if re.search(rf"\b{letters}\b", text(path))
        and not any(
            "docs/physics.md" in text(place) or PAPERS[letters][0] in text(place)
            for place in places(path)
        )
    ]
    assert unexplained == []


def number(word):
    return float(word.replace("−", "-"))


def test_values_of_the_lamb_shift():
    rows = re.findall(r"\| (−?[\d.]+)(?:, with \((.*)\))? \| (−0\.\d{16}) \|", PAGE)
    assert len(rows) == 6
    for omega, given, value in rows:
        bath = mb.OhmicBath(*map(float, (given or "0.2, 10, 5").split(",")))
        assert bath.eta(number(omega)) == pytest.approx(number(value), abs=2e-15)


def test_guarantees_of_equations():
    """The table of section 11, against what every equation declares."""
    table = re.findall(r"^\| `([\w-]+)`.*?((?: \| (?:yes|no)){4}) \|$", PAGE, re.MULTILINE)
    declared = {}
    for name, keeps in ((name, equation.keeps) for name, equation in mb.EQUATIONS.items()):
        assert keeps.trace == keeps.hermiticity
        laws = keeps.trace, keeps.complete_positivity, keeps.gibbs, keeps.gibbs_with_lamb_shift
        own = "".join(" | yes" if law else " | no" for law in laws)
        assert declared.setdefault(re.sub(r"\d+$", "R", name), own) == own
    assert dict(table) == declared
