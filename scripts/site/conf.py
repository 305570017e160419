"""What Sphinx is told, see build.py."""

import manybody

project = "manybody"
copyright = "the manybody authors"
version = release = manybody.__version__
language = "en-GB"
extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
# Code and formulas are said to be what they are, and "text" is not Python.
highlight_language = "text"
autodoc_typehints = "none"
add_module_names = False
python_use_unqualified_type_names = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
html_theme = "furo"
html_title = f"manybody {release}"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
