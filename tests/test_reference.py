"""docs/reference is what the code says."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def maker():
    """docs/make_reference.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["configuration.md", "commands.md", "api.md"])
def test_reference_is_what_the_code_says(maker, name):
    """The page is what its maker writes now: python docs/make_reference.py makes it anew."""
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == maker.PAGES[name]()


def test_tables_are_what_the_records_say(maker):
    """docs/data.md has every table and column, as the docstrings of the records have it."""
    page = maker.DATA.read_text(encoding="utf-8")
    assert page == maker.with_tables(page)
    assert page.count(maker.BEGIN) == page.count(maker.END) == 1


def test_each_page_is_made(maker):
    """Nothing else lies among them."""
    assert {path.name for path in (DOCS / "reference").iterdir()} == set(maker.PAGES)
