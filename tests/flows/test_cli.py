"""The command line: exit codes, one line for each fault, and what it takes to start."""

import gzip
import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kgmill import __version__
from kgmill.flows import cli

KGMILL = str(Path(sys.executable).with_name("kgmill"))
HEAVY = ("torch", "transformers", "apache_beam", "prefect", "pyarrow", "spacy", "rdflib", "networkx")


# Starting


def test_help_is_quick():
    """`kgmill --help` takes less than a second."""

    def seconds():
        started = time.perf_counter()
        subprocess.run([KGMILL, "--help"], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(3)) < 1.0


def test_help_imports_nothing_heavy():
    """No command's help needs torch or Beam or Prefect or Arrow, and that of kgmill no parser either."""
    program = (
        "import sys\n"
        "from kgmill.flows.cli import lines, run\n"
        "run(['--help'])\n"
        "print([name for name in ('typer', 'pydantic', 'kgmill.flows.options') if name in sys.modules])\n"
        "codes = {run([name, '--help']) for name in lines()}\n"
        f"print(codes, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert [line for line in done.stdout.splitlines() if line.startswith(("[", "{"))] == ["[]", "{0} []"]


def test_build_imports_no_torch_and_no_prefect():
    """The parent of a build without Prefect leaves torch to its child."""
    program = (
        "import sys\n"
        "import kgmill.flows.commands.build, kgmill.flows.summary, kgmill.pipelines.building\n"
        "print([name for name in ('torch', 'transformers', 'prefect') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"


HOST = """
import logging, os, warnings
root = logging.getLogger()
logging.getLogger("transformers").setLevel(logging.INFO)

def state():
    ours = ("transformers", "prefect.flow_runs", "prefect.task_runs")
    levels = [(name, logging.getLogger(name).level, logging.getLogger(name).filters[:]) for name in ours]
    return root.level, root.handlers[:], root.filters[:], warnings.filters[:], dict(os.environ), levels

before = state()
import kgmill.pipelines, kgmill.extractor, kgmill.flows
print(state() == before)
import kgmill.pipelines.building, kgmill.flows.cli, kgmill.flows.commands.build
print((state()[:3], state()[4:]) == (before[:3], before[4:]))
import transformers
logging.getLogger("transformers").setLevel(logging.INFO)
before = state()
import kgmill.extractor.api
from transformers.utils import logging as bars
print(state()[5], "TOKENIZERS_PARALLELISM" in os.environ, bars.is_progress_bar_enabled())
kgmill.extractor.api.Extractor.from_pretrained(MODEL, device="cpu")
print(state()[5] == before[5], bars.is_progress_bar_enabled())
"""


@pytest.mark.slow
def test_imports_leave_the_host_alone(tiny_model):
    """Who imports the packages keeps the handlers, filters and levels of his logs, his warnings and environment."""
    environment = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    program = HOST.replace("MODEL", repr(str(tiny_model)))
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    quiet = "[('transformers', 20, []), ('prefect.flow_runs', 0, []), ('prefect.task_runs', 0, [])]"
    assert done.stdout.splitlines() == ["True", "True", f"{quiet} False True", "True True"]
    assert done.stderr == ""


def test_version_is_printed(capsys):
    """`kgmill --version` prints the version."""
    assert (cli.run(["--version"]), capsys.readouterr().out) == (0, f"kgmill {__version__}\n")


@pytest.fixture
def poisoned(tmp_path):
    """A current directory with folders of the packages' names that raise when they are imported."""
    for name in ("schemas", "extractor", "pipelines", "flows"):
        (tmp_path / "here" / name).mkdir(parents=True)
        (tmp_path / "here" / name / "__init__.py").write_text("raise RuntimeError('the wrong module')\n")
    return tmp_path / "here"


@pytest.mark.slow  # test_packaging imports beside such folders; this one builds
def test_build_works_beside_folders_of_the_packages_names(poisoned, source, first, tiny_model):
    """Neither the command nor its child imports what lies in the current directory; the bytes are the same."""
    command = [KGMILL, "build", source, "--out", "kg", "--model", tiny_model, "--no-prefect", "--workers", "2"]
    done = subprocess.run(command, cwd=poisoned, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "16 documents read = 16 kept + 0 rejected; 0 reused")
    assert "Traceback" not in done.stderr
    assert (
        json.loads((poisoned / "kg" / "run.json").read_text())["graph"]
        == json.loads((first.folder / "run.json").read_text())["graph"]
    )


# Failures


@pytest.mark.slow
def test_prefect_server_that_is_down_is_one_line(source, tiny_model, tmp_path):
    """A schedule and a build with Prefect say that the server doesn't answer, at which address, and what to do."""
    url = "http://127.0.0.1:1/api"
    environment = os.environ | {"PREFECT_API_URL": url, "PREFECT_HOME": str(tmp_path / "prefect")}
    for command in (["schedule", "--every", "60"], ["build"]):
        arguments = [command[0], source, "--out", tmp_path / "out", "--model", tiny_model, *command[1:]]
        done = subprocess.run([KGMILL, *arguments], env=environment, capture_output=True, text=True, check=False)
        line = f"kgmill: no Prefect server answers at {url}: [Errno 111] Connection refused; start it, or set "
        assert (done.returncode, done.stderr.count("\n"), done.stderr.startswith(line)) == (1, 1, True)


def test_wrong_setting_of_prefect_is_one_line(source, tiny_model, tmp_path):
    """Prefect's own settings may be wrong as well."""
    environment = os.environ | {"PREFECT_API_REQUEST_TIMEOUT": "soon", "PREFECT_HOME": str(tmp_path / "prefect")}
    command = [KGMILL, "schedule", source, "--out", tmp_path / "out", "--model", tiny_model, "--every", "60"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    line = "Prefect's settings: request_timeout: Input should be a valid number, unable to parse string as a number"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"kgmill: {line}")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OSError(28, "No space left on device", "/data/out"), 1, "kgmill: /data/out: No space left on device"),
        (KeyboardInterrupt(), 130, "kgmill: stopped; the next run goes on from the last committed work unit"),
    ],
)
def test_interruption_and_full_disk_are_one_line(kgmill, source, tmp_path, monkeypatch, error, code, line):
    """Ctrl-C and a full disk leave no traceback."""

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("kgmill.flows.commands.build._build_directly", fail)
    done = kgmill("build", source, "--out", tmp_path / "out")
    assert (done.code, done.errors) == (code, [line])


def test_interrupted_query_promises_nothing(kgmill, first, monkeypatch):
    """What has no next run isn't said to go on."""

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("kgmill.pipelines.triplestores.answer.answer", stop)
    done = kgmill("query", first.folder, "ASK {}")
    assert (done.code, done.errors) == (130, ["kgmill: stopped"])


def test_load_to_a_dead_store_is_one_line(kgmill, first):
    """A store that doesn't answer is a failure with its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    done = kgmill("load", first.folder, "--endpoint", url)
    assert (done.code, len(done.errors), done.errors[0].startswith(f"kgmill: {url}")) == (1, 1, True)


# Queries


def test_query_without_a_build_is_refused(kgmill, tmp_path):
    """A folder without a finished build, with the command that makes one."""
    done = kgmill("query", tmp_path, "ASK {}")
    assert (done.code, done.errors) == (
        2,
        [f"kgmill: {tmp_path}: no finished build here; run kgmill build SOURCE... --out {tmp_path} first"],
    )


def test_query_answers(kgmill, copy):
    """A fact is a triple beside its entities' names, in one graph."""
    people = '?head rdfs:label "Carl May" . ?tail rdfs:label "Dora Lane"'
    done = kgmill("query", copy, f"ASK {{ GRAPH ?g {{ ?head <urn:kgmill:dataset:kg:vocab#Kill> ?tail . {people} }} }}")
    assert (done.code, done.out, done.errors) == (0, "yes\n", [])


def test_query_draws_a_table(kgmill, copy):
    """Within 80 columns, in whole words, numbers at the right; the other formats have values as they are."""
    text = "Ada Byron, who is said to have worked for Acme Corp in Paris, and lived there for years and years after."
    sparql = f'SELECT ?n ?text ?iri {{ VALUES (?n ?text ?iri) {{ (7 "{text}" rdfs:label) (12 "London" x:owner) }} }}'
    assert kgmill("query", copy, sparql).out == (
        " n  text                                                   iri\n"
        "────────────────────────────────────────────────────────────────────────────────\n"
        " 7  Ada Byron, who is said to have worked for Acme Corp    rdfs:label\n"
        "    in Paris, and lived there for years and years after.\n"
        "12  London                                                 <urn:kgmill:ns:owner>\n"
        "\n"
        "2 rows\n"
    )
    assert kgmill("query", copy, sparql, "--whole-iris").out.count("<http://www.w3.org") == 1
    assert kgmill("query", copy, sparql, "--format", "csv").out.splitlines()[1] == (
        f'7,"{text}",http://www.w3.org/2000/01/rdf-schema#label'
    )


def test_query_draws_blocks_where_columns_have_no_room(kgmill, copy):
    """A row is a block with a line a column, so that an IRI stays whole and can be copied."""
    sparql = "SELECT ?n ?a ?b { VALUES (?n ?a ?b) { (7 owl:Class rdfs:seeAlso) (8 rdfs:label UNDEF) } }"
    assert kgmill("query", copy, sparql, "--whole-iris").out == (
        "row 1\n"
        "n      7\n"
        "a      <http://www.w3.org/2002/07/owl#Class>\n"
        "b      <http://www.w3.org/2000/01/rdf-schema#seeAlso>\n"
        "\n"
        "row 2\n"
        "n      8\n"
        "a      <http://www.w3.org/2000/01/rdf-schema#label>\n"
        "b\n"
        "\n"
        "2 rows\n"
    )


def test_query_with_one_row_says_so(kgmill, copy):
    """One row is a row, and no row has a header all the same."""
    assert kgmill("query", copy, "SELECT (1 AS ?n) {}").out == "n\n─\n1\n\n1 row\n"
    assert kgmill("query", copy, "SELECT ?n { FILTER(false) }").out == "n\n─\n\n0 rows\n"


def test_query_for_names_of_another_dataset_says_so(kgmill, copy):
    """A query that was written for another build finds nothing, and is told why; one of its own is not."""
    other = "PREFIX v: <urn:kgmill:dataset:other:vocab#> SELECT ?a { GRAPH ?g { ?a v:Work_For ?b } }"
    own = other.partition("> ")[2]

    found, mine = kgmill("query", copy, other), kgmill("query", copy, own)

    assert found.out.endswith("0 rows\n")
    assert "asks for names that begin with urn:kgmill:dataset:other:, those of" in found.errors[-1]
    assert not mine.out.endswith("\n0 rows\n")
    assert mine.errors == kgmill("query", copy, own.replace("Work_For", "Nothing")).errors == []


def test_export_of_a_folder_renames_without_the_model(kgmill, copy):
    """`kgmill export DIR --base-iri IRI` needs no sources, redoes export alone, and the folder keeps the new names."""
    before = json.loads((copy / "run.json").read_text())
    done = kgmill("export", copy, "--base-iri", "https://kg.example.net/", "--dataset", "letters")
    assert (done.code, done.errors) == (0, [])
    after = json.loads((copy / "run.json").read_text())
    assert after["model_calls"] == {"sentences": 0}
    assert (after["documents"]["kept"], after["graph"]["facts"]) == (16, before["graph"]["facts"])
    assert (after["config"]["base_iri"], after["config"]["dataset"]) == ("https://kg.example.net/", "letters")
    graph = gzip.decompress((copy / "graph" / "graph.nq.gz").read_bytes())
    assert b"<https://kg.example.net/letters/graph/kg>" in graph
    assert b"urn:kgmill:dataset:" not in graph


def test_export_of_no_build_is_refused(kgmill, tmp_path):
    """A folder without a finished build, several folders, or neither: one line, and nothing is touched."""
    done = kgmill("export", tmp_path / "none")
    assert (done.code, done.errors) == (
        2,
        [f"kgmill: {tmp_path}/none: holds no build of this version; run kgmill build first, or say --out DIR"],
    )
    done = kgmill("export", "a", "b")
    assert (done.code, done.errors) == (2, ["kgmill: wanted one output folder, or SOURCE... and --out DIR"])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["ASK {}"], "wanted DIR and a query, or a query and --endpoint URL"),
        (["d", "ASK {}", "ASK {}"], "wanted DIR and a query, or a query and --endpoint URL"),
        (["d", "ASK {}", "--dataset", "news"], "--dataset goes with --endpoint URL"),
        (["d", "ASK {}", "--profile", "fuseki"], "--profile goes with --endpoint URL"),
        (
            ["d", "ASK {}", "--dataset", "news", "--endpoint", "http://127.0.0.1:1"],
            "--dataset news: d has its dataset's name already; give one of the two",
        ),
    ],
)
def test_query_asks_one_thing(kgmill, arguments, line):
    """What is asked is a folder or a server, and whose prefixes are declared is said once."""
    done = kgmill("query", *arguments)
    assert (done.code, done.errors) == (2, [f"kgmill: {line}"])


def test_query_asks_a_server(kgmill):
    """A server that isn't there is the store's fault, and named."""
    done = kgmill("query", "ASK {}", "--endpoint", "http://127.0.0.1:9")
    assert done.code == 1
    assert done.errors[-1].startswith("kgmill: http://127.0.0.1:9: no answer (")


def test_query_is_read_from_a_file(kgmill, copy, tmp_path):
    """@FILE names a file that holds the query; one that isn't there is refused."""
    (tmp_path / "q.rq").write_text('ASK { ?entity rdfs:label "Nobody" }')
    assert kgmill("query", copy, f"@{tmp_path}/q.rq").out == "no\n"
    (tmp_path / "q.rq").write_bytes((tmp_path / "q.rq").read_text().encode("utf-8-sig"))
    assert kgmill("query", copy, f"@{tmp_path}/q.rq").out == "no\n"  # as Notepad saves it
    missing = kgmill("query", copy, f"@{tmp_path}/none.rq")
    assert (missing.code, missing.errors) == (2, [f"kgmill: {tmp_path}/none.rq: No such file or directory"])


def test_query_file_may_begin_with_a_byte_order_mark(kgmill, copy, tmp_path):
    """A query that Notepad saved is the query."""
    (tmp_path / "q.rq").write_text('ASK { ?entity rdfs:label "Carl May" }', encoding="utf-8-sig")
    done = kgmill("query", copy, f"@{tmp_path}/q.rq")
    assert (done.code, done.out, done.errors) == (0, "yes\n", [])


def test_query_has_a_time_limit(kgmill, copy):
    """A query that would take hours ends with one line."""
    patterns = " . ".join(f"?a{n} ?b{n} ?c{n}" for n in range(6))
    done = kgmill("query", copy, f"SELECT (COUNT(*) AS ?n) {{ {patterns} }}", "--timeout", "0.5")
    assert (done.code, done.errors[0][:42]) == (1, "kgmill: no answer within 0.5 s (--timeout)")


# The model


def test_predict_prints_mentions_and_relations(kgmill, tiny_model):
    """A JSON line a text, offsets in characters of that text."""
    text = "Yes . Carl May killed Dora Lane in Rome ."
    done = kgmill("predict", "--model", tiny_model, "--device", "cpu", "--text", text)
    line = json.loads(done.out)
    mentions = [(text[m["begin"] : m["end"]], m["type"]) for m in line["mentions"]]
    assert (done.code, line["source"], line["n_characters"]) == (0, "--text", 41)
    assert mentions == [("Carl May", "Peop"), ("Dora Lane", "Peop"), ("Rome", "Loc")]
    assert [(r["head"], r["type"], r["tail"]) for r in line["relations"]] == [(0, "Kill", 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"GIF89a\0", "wanted text, got a file with NUL bytes; save it as UTF-8"),
    ],
)
def test_text_that_cannot_be_read_is_refused(kgmill, tiny_model, tmp_path, content, message):
    """A missing file and one that is no text, before the model is loaded."""
    if content:
        (tmp_path / "a.txt").write_bytes(content)
    done = kgmill("predict", "--model", tiny_model, tmp_path / "a.txt")
    assert (done.code, done.errors) == (2, [f"kgmill: {tmp_path}/a.txt: {message}"])


@pytest.mark.parametrize(
    ("content", "n_characters", "errors"),
    [
        ("\ufeffZoë Brontë lives in London .".encode(), 28, []),
        ("Zoë Brontë lives in London .".encode() + b"\xff", 29, ["broken bytes replaced by U+FFFD: 1"]),
        ("Zoë Brontë lives in London .".encode("cp1252"), 28, ["not UTF-8, read as cp1252"]),
    ],
)
@pytest.mark.parametrize("place", ["file", "standard input"])
def test_predict_reads_text_as_a_build_does(
    kgmill, tiny_model, tmp_path, monkeypatch, place, content, n_characters, errors
):
    """A mark is no text, a broken byte costs one character, another encoding is found; what was done is said."""
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), "ascii"))
    name = str(path) if place == "file" else place
    done = kgmill("predict", "--model", tiny_model, "--device", "cpu", *([path] if place == "file" else []))
    found = (json.loads(done.out)["n_characters"], done.errors)
    assert found == (n_characters, [f"{name}: {error}" for error in errors])


def test_evaluate_prints_the_contracts_json(kgmill, tiny_model, tiny_sentences):
    """Sentences that the model knows by heart, scored as the contract says."""
    done = kgmill(
        *("evaluate", "--model", tiny_model, "--device", "cpu", "--data", tiny_sentences, "--json", "--format", "spert")
    )
    report = json.loads(done.out)
    assert (done.code, report["n_sentences"]) == (0, 8)
    assert {"entities", "relations", "n_sentences", "seconds"} <= set(report)
    scores = [report[task][rule]["f1"] for task in ("entities", "relations") for rule in ("strict", "boundaries")]
    assert scores == [1.0, 1.0, 1.0, 1.0]
    assert sorted(report["relations"]["strict"]["by_type"]) == ["Kill", "Live_In", "Work_For"]


def test_argument_that_is_not_utf8_is_refused(capsys):
    """A name that can't be printed or written as text is one line."""
    assert cli.run(["build", "corpus", "--out", "out\udcff"]) == 2
    assert capsys.readouterr().err == "kgmill: out\\udcff: not UTF-8; give a name that is\n"
