"""docs/networks.md: its code runs, and what it prints and draws is what the demo's graph says."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def maker():
    """docs/make_networks.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("make_networks", DOCS / "make_networks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_code_of_the_page_runs(maker, output):
    """Each block of docs/networks.md runs, and says who is central, how two are joined, and who belongs together."""
    page, names = maker.run(maker.PAGE.read_text(encoding="utf-8"), output)

    printed = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert len(printed) == page.count("```python") == 5
    assert printed[0] == "MultiDiGraph with 8 nodes and 6 edges\n"
    assert printed[1].splitlines()[0].split("  ")[1:] == ["2 facts", "Bell"]
    assert printed[2].splitlines()[0] == "Brian Kernighan (affiliation): Brian Kernighan was at Bell."
    assert printed[3].splitlines()[:2] == [
        "Alan Turing - Princeton: educated_at 0.68",
        "    Alan Turing was at Princeton! (rumours)",
    ]
    assert names["path"] == ["alan-turing", "princeton", "brian-kernighan", "bell", "claude-shannon"]
    assert printed[4] == " 2  Alan Turing, London\n"


def test_pictures_of_the_page_are_drawn(maker, output, tmp_path):
    """Equal builds give equal pictures, with each name in them; those of the page are there, and small."""
    _, names = maker.run(maker.PAGE.read_text(encoding="utf-8"), output)
    maker.draw(names, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    maker.draw(names, tmp_path)

    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == sorted(re.findall(r"\]\((\S+\.svg)\)", maker.PAGE.read_text(encoding="utf-8")))
    assert all(b">Claude Shannon<" in svg for name, svg in before.items() if name != "networks-communities.svg")
    assert all((DOCS / name).stat().st_size < 250_000 for name in before)


@pytest.mark.slow
def test_page_is_what_the_demo_says(maker, tmp_path):
    """The page says what it prints of a build of examples/corpus: python docs/make_networks.py DIR makes it anew."""
    command = [sys.executable, "-m", "kgmill", "build", DOCS.parent / "examples/corpus", "--out", tmp_path / "demo"]
    subprocess.run([*command, "--no-prefect"], check=True)

    page = maker.PAGE.read_text(encoding="utf-8")
    assert maker.run(page, str(tmp_path / "demo"))[0] == page
