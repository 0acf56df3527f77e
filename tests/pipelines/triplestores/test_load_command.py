"""What `kgmill load` prints."""

import subprocess
import sys

import httpx
from store_builds import FACTS, GRAPHS, make_build

from kgmill.flows.cli import run


def load(capsys, *arguments):
    code = run(["load", *map(str, arguments)])
    out, errors = capsys.readouterr()
    return code, out, [line for line in errors.splitlines() if not line.startswith("{")]


def test_load_says_how_to_ask(build, endpoint, capsys):
    """The query that it ends with finds facts in the store as it comes."""
    code, out, errors = load(capsys, build, "--endpoint", endpoint)
    said, _, sparql = out.partition("\n\n")
    assert (code, errors) == (0, [])
    assert said == (
        "6 graphs, 24 quads: 6 graphs loaded, 0 unchanged, 0 removed\n"
        f"Entities and facts are in graph <{FACTS}>; ask for some:"
    )
    answer = httpx.post(f"{endpoint}/query", data={"query": sparql}, headers={"Accept": "text/csv"})
    relation = "https://kg.example.org/vocab#Live_In"
    assert answer.text == f"head,relation,tail\r\nAda Łovelace,{relation},London\r\n"


def test_load_into_the_default_graph_says_how_to_ask(build, endpoint, capsys):
    """Without GRAPH the same query finds the same."""
    out = load(capsys, build, "--endpoint", endpoint, "--facts", "default")[1]
    said, _, sparql = out.partition("\n\n")
    assert said.splitlines()[1] == "Entities and facts are in the store's default graph; ask for some:"
    assert "GRAPH" not in sparql
    answer = httpx.post(f"{endpoint}/query", data={"query": sparql}, headers={"Accept": "text/csv"})
    assert answer.text.count("Ada Łovelace") == 1


def test_a_load_imports_little(build, endpoint):
    """Most of what a load without changes costs is its start: that needs no tables."""
    program = (
        "import sys\n"
        "from kgmill.flows.cli import run\n"
        f"print(run(['load', {str(build)!r}, '--endpoint', {endpoint!r}, '--quiet']))\n"
        "print([name for name in ('pyarrow', 'numpy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "0\n[]\n"


def test_another_corpus_is_one_line(build, tmp_path, endpoint, capsys):
    """Graphs of another folder are exit code 2 and one line; --prune goes on."""
    load(capsys, build, "--endpoint", endpoint)
    make_build(tmp_path / "second", {FACTS: GRAPHS[FACTS]})
    code, out, errors = load(capsys, tmp_path / "second", "--endpoint", endpoint)
    assert (code, out, len(errors)) == (2, "", 1)
    assert "6 graphs under <https://kg.example.org/news/graph/> were loaded by another output folder" in errors[0]
    assert load(capsys, tmp_path / "second", "--endpoint", endpoint, "--prune", "--yes")[0] == 0


def test_old_build_says_nothing_of_facts(build, endpoint, capsys):
    """A build of kgmill 0.1.0 has its facts in many graphs, and no query for one of them."""
    make_build(build, {f"{FACTS}/0a": GRAPHS[FACTS]})
    out = load(capsys, build, "--endpoint", endpoint)[1]
    assert out == "1 graphs, 12 quads: 1 graphs loaded, 0 unchanged, 0 removed\n"
