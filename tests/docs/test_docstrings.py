"""The Args of a docstring are the function's own parameters, as the site and who reads it look each one up."""

import ast
import re

from .page import ROOT

PACKAGES = ("schemas", "extractor", "pipelines", "flows")
ARGS = re.compile(r"^Args:\n((?:    .*\n|\n)+)", re.MULTILINE)
NAME = re.compile(r"^    (\S.*?):(?: |$)", re.MULTILINE)


def documented(node):
    """What the Args of a function's or a class's docstring name, each as it stands there."""
    section = ARGS.search(f"{ast.get_docstring(node) or ''}\n")
    return NAME.findall(section[1]) if section else []


def parameters(node):
    """The parameters of a function, or of a class's `__init__`, written as in a docstring; without `self` and `cls`."""
    if isinstance(node, ast.ClassDef):
        node = next(one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
    asked = node.args
    names = [one.arg for one in (*asked.posonlyargs, *asked.args, *asked.kwonlyargs)]
    names += [f"*{asked.vararg.arg}"] if asked.vararg else []
    names += [f"**{asked.kwarg.arg}"] if asked.kwarg else []
    return [name for name in names if name not in ("self", "cls")]


def described():
    """Each function and class of the packages whose docstring has Args: its place, these, and its parameters."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and (named := documented(node)):
                    yield f"{path.relative_to(ROOT)}:{node.name}", named, parameters(node)


def test_args_name_parameters_one_by_one():
    """No Args name two parameters in a line, or one that isn't there: make site is strict about it."""
    assert {place: set(named) - set(own) for place, named, own in described() if set(named) - set(own)} == {}


def test_build_and_load_graph_name_all_of_theirs():
    """What programs call with many parameters describes every one, in the order of the signature."""
    found = {place: (named, own) for place, named, own in described()}
    for place in ("pipelines/api.py:build", "pipelines/networks.py:load_graph"):
        named, own = found[place]
        assert named == own
