"""Pages: contents, numbers, captions and links; warnings at the top and beside the numbers."""

import html.parser
import re

import pytest
from tiny import TINY
from tiny_cases import EXACT, THEOREM, case_store, compute, parse_cases

from manybody.papers.kit.pages import write_report as write_pages
from manybody.report.page.document import (
    Column,
    Document,
    Picture,
    Section,
    Table,
    Text,
    without_nothing,
)
from manybody.report.page.drawing import Drawing, drawing_of
from manybody.report.page.html import to_html
from manybody.report.page.markdown import to_markdown
from manybody.report.read import load_results
from manybody.report.writing import lay_out, report_figures, write_report
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

STRONG = TINY.replace("coupling = 0.2", "coupling = 5.0")


def computed(folder, text):
    wanted, store = parse_study(text, "study.toml"), Store(folder)
    run_study(prepare(wanted, store), store, quiet=True)
    return store


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The HTML and the Markdown of a study of every sort."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, text in (("tiny", TINY), ("strong", STRONG)):
        write_report(computed(folder / name, text), ["html", "markdown"])
        found[name] = folder / name
    for name, text in (("theorem", THEOREM), ("exact", EXACT)):
        study = parse_cases(text, "file.toml")
        store = case_store(folder / name, study.kind)
        compute(study, store, text)
        write_pages(store, ["html", "markdown"])
        found[name] = folder / name
    return {
        name: [(own / "report" / each).read_text() for each in ("index.html", "report.md")]
        for name, own in found.items()
    }


class Structure(html.parser.HTMLParser):
    """Identifiers, links to places of the page, and the labels of figures and tables."""

    def __init__(self, page):
        super().__init__()
        self.identifiers, self.links, self.captions, self._open = [], [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        if "id" in own:
            self.identifiers.append(own["id"])
        self.links += [own[key] for key in ("href", "xlink:href") if key in own]
        if tag == "figcaption" or own.get("class") == "caption":
            self.captions.append("")
            self._open = tag

    def handle_endtag(self, tag):
        if tag == self._open:
            self._open = None

    def handle_data(self, data):
        if self._open:
            self.captions[-1] += data


KINDS = ["tiny", "strong", "theorem", "exact"]


@pytest.mark.parametrize("kind", KINDS)
def test_identifiers_are_unique_and_links_lead_somewhere(pages, kind):
    page, _ = pages[kind]
    found = Structure(page)
    assert len(set(found.identifiers)) == len(found.identifiers) > 0
    places = {link[1:] for link in found.links if link.startswith("#")}
    assert places and places <= set(found.identifiers)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(found.identifiers)


@pytest.mark.parametrize("kind", KINDS)
def test_figures_and_tables_are_numbered_with_captions_that_say_what_they_are(pages, kind):
    page, note = pages[kind]
    captions = Structure(page).captions
    assert len(captions) == page.count("<figure ") + page.count('class="table"') > 2
    for word in ("Figure", "Table"):
        own = [each for each in captions if each.startswith(f"{word} ")]
        numbers = [int(re.match(rf"{word} (\d+)\. ", each)[1]) for each in own]
        assert numbers == list(range(1, len(own) + 1))
        assert len(re.findall(rf"^\*\*{word} \d+\.\*\* ", note, re.MULTILINE)) == len(own)
    assert all(len(each) > 25 for each in captions)


@pytest.mark.parametrize("kind", KINDS)
def test_the_contents_name_every_section(pages, kind):
    page, note = pages[kind]
    contents = re.search(r"<nav.*?</nav>", page, re.DOTALL)[0]
    sections = re.findall(
        r'<section id="([^"]+)">(?:<div class="keep">)?<h2>(\d+)&ensp;([^<]+)</h2>', page
    )
    assert [int(number) for _, number, _ in sections] == list(range(1, len(sections) + 1))
    for anchor, number, title in sections:
        assert f'<a href="#{anchor}">{title}</a>' in contents
        assert f"## {number} {title}" in note.replace("&#x27;", "'")
    for anchor in re.findall(r'<(?:figure|div class="table") id="([^"]+)"', page):
        assert f'href="#{anchor}"' in contents


def test_what_was_computed_stands_there_with_the_equations_and_the_paper(pages):
    page, note = pages["tiny"]
    assert '<a href="https://arxiv.org/abs/2507.10080">' in page
    assert "[arXiv:2507.10080](https://arxiv.org/abs/2507.10080)" in note
    assert "Redfield: dρ/dt = −i[H, ρ] + Σ_j (Λ_j ρ A_j − A_j Λ_j ρ + h.c.)" in note
    assert "| ω_c |" in note and "| 10 |" in note and "E|h_ij|² = J²/N".replace("|", "\\|") in note
    assert re.search(r"Written on \d{4}-\d\d-\d\d by manybody ", page)
    assert "Σ<sub>j</sub>" in page


def test_captions_stand_alone(pages):
    _, note = pages["tiny"]
    own = re.search(r"\*\*Figure 1\.\*\* (.*)", note)[1]
    for word in (
        "trace norm",
        "Redfield",
        "Davies",
        "standard deviation",
        "J_int = 0.2",
        "5 samples",
    ):
        assert word in own


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_for_paper_telephones_and_the_night(pages, kind):
    page, _ = pages[kind]
    for rule in ("prefers-color-scheme: dark", "@media print", "overflow-x: auto", "auto-fit"):
        assert rule in page
    # Tables scroll in a frame of their own, figures flow in panels on a ground that stays light.
    assert page.count('<div class="scroll"') == page.count("<table>")
    assert "filter: invert" not in page


def test_unphysical_results_are_warned_of_at_the_top_and_beside_the_numbers(pages):
    page, note = pages["strong"]
    assert '<ul class="warning">' not in pages["tiny"][0]
    warnings = list(re.finditer(r'<ul class="warning">.*?</ul>', page, re.DOTALL))
    assert len(warnings) == 2
    assert warnings[0].start() < page.index("<nav")
    assert page.index('id="section-distance-of-the-two-equations"') < warnings[1].start()
    for each in warnings:
        assert "leaves the states" in each[0] and "smallest eigenvalue -0." in each[0]
    assert note.count("> **Warning.** ") > 2


def test_negative_weight_is_said_where_it_is_not_small(tmp_path):
    """Far from 2, and above -0.1: no state is out of bounds, and the distance is not of states."""
    result = load_results(computed(tmp_path, TINY)).points[1]
    assert result.warnings == ()
    result.arrays["smallest_eigenvalue_in_time"][:] = -0.04
    assert not result.outside.any()
    (words,) = result.warnings
    assert "smallest eigenvalue down to -0.04, on average -0.04, which puts it 0.08" in words
    result.arrays["smallest_eigenvalue_in_time"][:] = -0.04 * result.summary.maximum
    assert result.warnings == ()


def test_findings_stand_beside_their_figures(pages):
    page, _ = pages["theorem"]
    section = re.search(r'<section id="section-the-theorem">.*?</section>', page, re.DOTALL)[0]
    sentence = re.search(r'<ul class="answer"><li>(.*?)</li>', section)[1]
    assert section.index(sentence) < section.index("<figure ")
    top = page[: page.index('id="section-what-is-compared"')]
    assert f'{sentence} <a class="reference" href="#figure-theorem">→ Figure 1</a>' in top


def test_panels_have_one_frame_and_lose_nothing(tmp_path):
    figures = report_figures(computed(tmp_path, TINY).directory)
    for figure in figures.values():
        lay_out(figure)
        drawing = drawing_of(figure)
        parts = drawing.parts("x-")
        visible = [axis for axis in figure.axes if axis.get_visible()]
        assert len(parts) == (1 if len(visible) == 1 else len(visible) + len(figure.legends))
        sizes = {(round(p.box[2], 3), round(p.box[3], 3)) for p, _ in parts if not p.is_wide}
        assert len(sizes) == 1
        whole = "".join(svg for _, svg in parts)
        for kind in ("<path ", "<use "):
            background = drawing.svg.count(kind) - whole.replace("xlink:href", "href").count(kind)
            assert background == (0 if len(parts) == 1 else kind == "<path ")


def test_a_drawing_with_parts_of_its_own_is_shown_whole():
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 5"><g id="figure_1">'
        '<g id="patch_1"/><g id="panel_0"/><g id="line_7"/></g></svg>'
    )
    ((panel, text),) = Drawing(svg, ()).parts("a-")
    assert panel.box == (0.0, 0.0, 9.0, 5.0) and 'id="a-line_7"' in text


def test_rows_of_one_system_stand_under_its_title():
    columns = (
        Column("system", "system"),
        Column("n", "N"),
        Column("x", "x", str, "e"),
        Column("e"),
    )
    rows = (("A", 1, 0.5, 0.01), ("A", 2, 0.25, 0.02), ("B", 1, 0.125, None))
    table = Table("t", "Things", columns, rows, "What they are.")
    page = to_html(Document("d", "", (Section("s", (table,)),)))
    assert page.count('scope="rowgroup"') == 2 and "<td>0.500(10)</td>" in page
    assert "<td>0.125</td>" in page and "Things. What they are. (t.csv)" in page
    assert "| A | 2 | 0.25(2) |" in to_markdown(Document("d", "", (Section("s", (table,)),)), str)


def test_a_line_leads_to_what_it_is_about():
    drawing = Drawing('<svg xmlns="http://www.w3.org/2000/svg"><g id="figure_1"/></svg>')
    parts = (Text(("one", "two", "three"), "answer", ("f", "nothing")), Picture("f", "c", drawing))
    document = Document("d", "", without_nothing((Section("s", parts), Section("e", (Text(()),)))))
    assert len(document.sections) == 1
    page = to_html(document)
    assert '<li>one <a class="reference" href="#figure-f">→ Figure 1</a></li>' in page
    assert "<li>two</li><li>three</li>" in page
    assert "* one [→ Figure 1](#figure-f)" in to_markdown(document, str)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "J_int² ω, ω_c, A_j, H_LS",
            "J<sub>int</sub>² ω, ω<sub>c</sub>, A<sub>j</sub>, H<sub>LS</sub>",
        ),
        ("Σ_{j,k} e^{−βω_c}", "Σ<sub>j,k</sub> e<sup>−βω<sub>c</sub></sup>"),
        ("a N^-c, N^1.2(3)", "a N<sup>-c</sup>, N<sup>1.2(3)</sup>"),
        ("C − C_exact: 4.1e-15", "C − C<sub>exact</sub>: 4.1·10<sup>-15</sup>"),
        ("one_site_largest, n_sites.csv", "one_site_largest, n_sites.csv"),
        ("arXiv 2507.10080", '<a href="https://arxiv.org/abs/2507.10080">arXiv:2507.10080</a>'),
        ("T̄^2.230. L[ρ_Gibbs]", "T̄<sup>2.230</sup>. L[ρ<sub>Gibbs</sub>]"),
        ("Φ^(1,2) of H_0", "Φ<sup>(1,2)</sup> of H<sub>0</sub>"),
        ("2n̄_- + 1, e^{−iω_+t}", "2n̄<sub>-</sub> + 1, e<sup>−iω<sub>+</sub>t</sup>"),
        ("σ_x^A, n_-^α", "σ<sub>x</sub><sup>A</sup>, n<sub>-</sub><sup>α</sup>"),
        ("d_-³", "d<sub>-</sub>³"),
        ("<i> x_y", "&lt;i&gt; x<sub>y</sub>"),
    ],
)
def test_mathematics_in_sentences(text, shown):
    page = to_html(Document("d", "", (Section("s", (Text((text,)),)),)))
    assert f"<p>{shown}</p>" in page
