"""The site of docs/: each page is in its navigation, and it is built without a warning and asks no network."""

import re
import subprocess
import sys

import pytest
import yaml

from .page import ROOT

CONFIG = ROOT / "docs/site/mkdocs.yml"
MADE = {"index.md", "changelog.md"}  # of README.md and CHANGELOG.md


def pages(entries):
    """The pages of a navigation, in its order."""
    for entry in entries:
        for where in entry.values() if isinstance(entry, dict) else [entry]:
            yield from [where] if isinstance(where, str) else pages(where)


def test_navigation_has_each_page():
    """Every page of the handbook is there once; decisions are in their own index."""
    found = list(pages(yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["nav"]))
    docs = ROOT / "docs"
    there = {f"{path.relative_to(docs)}" for path in docs.rglob("*.md") if not path.name.startswith("0")}
    assert sorted(found) == sorted({*there, *MADE})


@pytest.mark.slow
def test_site_is_built_strictly(tmp_path):
    """No link or anchor leads nowhere, no page loads anything from another host, and a search needs no server."""
    pytest.importorskip("material", reason="make site installs what builds the site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-f", CONFIG, "-d", tmp_path / "site"]
    subprocess.run(command, check=True, env={"NO_MKDOCS_2_WARNING": "1"})

    html = {path: path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html")}
    loaded = re.compile(
        r"""<(?:script|img|iframe|link(?! rel="canonical"))[^>]+(?:src|href)=["']?((?:https?:)?//[^"'> ]+)"""
    )
    assert {str(path): loaded.findall(text) for path, text in html.items() if loaded.search(text)} == {}
    assert "Extracts from texts" in (tmp_path / "site/reference/api.html").read_text(encoding="utf-8")
    assert (tmp_path / "site/search/search_index.js").stat().st_size > 100_000
