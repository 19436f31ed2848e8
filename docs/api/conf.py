"""How Sphinx makes the pages of ``pipelines`` from its docstrings: ``make docs``."""

project = "MyoMIDS"
extensions = ["autoapi.extension", "sphinx.ext.napoleon"]
html_theme = "alabaster"
html_show_sourcelink = False

# The code is read, not imported.
autoapi_dirs = ["../../pipelines"]
autoapi_root = "code"
autoapi_add_toctree_entry = False
autoapi_options = ["members", "undoc-members", "show-module-summary"]
autoapi_member_order = "bysource"
autoapi_keep_files = False

napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_custom_sections = [("Attributes", "params_style")]  # words of their types are no links
napoleon_use_rtype = False
add_module_names = False

# A reference to our own code must lead somewhere; types of other packages have no page here.
nitpicky = True
suppress_warnings = [
    "autoapi.python_import_resolution",  # misses A, B = ...; mypy checks imports
    "ref.python",  # two targets: a builtin such as slice, and attributes of its name
]
nitpick_ignore_regex = [
    ("py:class", r"(collections|io|json|numpy|optuna|pandas|pathlib|pd|shap|torch|xgboost)\..*"),
    ("py:class", "Path"),
]
