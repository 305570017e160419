"""The static site: strict about its own links, and whole."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from manybody.docs.api import public_names
from manybody.docs.pages import page_names

for _needed in ("sphinx", "myst_parser", "numpydoc", "furo"):
    pytest.importorskip(_needed, reason="the extra 'docs' is not installed: pip install '.[docs]'")

SITE = Path(__file__).parents[2] / "scripts" / "site"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(SITE / "build.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "html"


def test_every_page_is_there_and_in_the_side_bar(site):
    index = (site / "index.html").read_text("utf-8")
    for name in page_names():
        assert (site / f"{name}.html").is_file()
        assert name == "index" or f'href="{name}.html"' in index
    headings = re.findall(r'<p class="caption".*?<span class="caption-text">(.+?)</span>', index)
    assert headings == ["Start", "How-tos", "Results", "Reference", "Background"]
    assert (site / "searchindex.js").is_file()
    assert 'name="viewport"' in index and "theme-toggle" in index


def test_every_public_name_has_its_docstring(site):
    text = (site / "api.html").read_text("utf-8")
    made = set(re.findall(r'id="manybody\.([\w.]+)"', text))
    named = [name for name in public_names() if name not in ("EQUATIONS", "OPERATORS", "STEPPERS")]
    assert [name for name in named if name not in made and name != "networks"] == []
    assert "no factor ½" in text and "&gt;&gt;&gt; " in text


def test_what_leads_nowhere_ends_the_build(tmp_path):
    wrong = ["[a](nowhere.md)", "[a](index.md#nothing)", "{nothing}`x`"]
    (tmp_path / "index.md").write_text("\n\n".join(["# Title", *wrong]), "utf-8")
    options = ["-W", "--keep-going", "-q", "-b", "html", "-c", str(SITE)]
    command = [sys.executable, "-m", "sphinx", *options, str(tmp_path), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    lines = {int(number) for number in re.findall(r"index\.md:(\d+)", done.stderr)}
    assert lines == {3, 5, 7}
