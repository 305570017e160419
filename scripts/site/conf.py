"""What Sphinx is told, see build.py."""

import re
from typing import Any

import manybody

project = "manybody"
copyright = "the manybody authors"
version = release = manybody.__version__
language = "en"
extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
# What does not say its language is text.
highlight_language = "text"
# Quotation marks of words that are typed stay as they are typed.
smartquotes = False
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "inherited-members": False}
add_module_names = False
numpydoc_show_class_members = False
html_theme = "furo"
html_title = f"manybody {release}"
html_show_sphinx = False
# Search finds names; the list of all is wider than a telephone.
html_use_index = False
html_copy_source = False
html_show_sourcelink = False
html_css_files = ["narrow.css"]
html_static_path = ["static"]


def without_markup(*event: Any) -> None:
    """Kets, norms and names that end in an underscore are no markup; examples stay."""
    lines = event[-1]
    is_example = False
    for index, line in enumerate(lines):
        is_example = line.lstrip().startswith(">>>") or (is_example and bool(line.strip()))
        if not is_example:
            parts = re.split(r"(`[^`]*`)", line)
            parts[::2] = [re.sub(r"\||(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
            lines[index] = "".join(parts)


def setup(app: Any) -> None:
    """Before numpydoc makes sections of it."""
    app.connect("autodoc-process-docstring", without_markup, priority=400)
