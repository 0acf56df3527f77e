"""Builds from and into a real S3 server: the commands, with the bytes of a local build."""

import json
import subprocess
import sys

import pytest

from kgmill.pipelines.storage import open_storage

pytestmark = pytest.mark.slow  # each command is a process of its own, which learns of the server when it starts
NAMES = ("--dataset", "kg", "--base-iri", "https://kg.example.org/")


def kgmill(*arguments):
    command = [sys.executable, "-m", "kgmill", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    return done.returncode, done.stdout, errors


@pytest.fixture(scope="module")
def bucket(s3, source, tiny_model, tmp_path_factory):
    """A bucket with the corpus under in/ and a build of it under out/; and the output folder of a local build."""
    storage = open_storage(f"{s3}/flows/in")
    for path in (path for path in source.rglob("*") if path.is_file()):
        storage.write(path.relative_to(source).as_posix(), path.read_bytes())
    local = tmp_path_factory.mktemp("local") / "out"
    for out in (f"{s3}/flows/out", local):
        code, _, errors = kgmill("build", f"{s3}/flows/in", "--out", out, "--model", tiny_model, *NAMES)
        assert (code, errors) == (0, [])
    return f"{s3}/flows", local


def test_bytes_are_those_of_a_local_build(bucket):
    """Every file of the graph, and every table by its name."""
    far, local = open_storage(f"{bucket[0]}/out"), open_storage(str(bucket[1]))
    for below in ("graph", "tables"):
        there, here = ([entry.name for entry in storage.entries(below)] for storage in (far, local))
        assert there == here != []
        assert {name: far.read(name) for name in there} == {name: local.read(name) for name in here}


def test_second_build_and_plan_have_nothing_to_do(bucket, tiny_model):
    """The output on objects is reused as one on a disk is."""
    where, _ = bucket
    code, out, errors = kgmill("build", f"{where}/in", "--out", f"{where}/out", "--model", tiny_model)
    assert (code, errors, out.splitlines()[1].split(";")[0]) == (0, [], "0 sentences met the model")
    code, out, errors = kgmill("plan", f"{where}/in", "--out", f"{where}/out", "--model", tiny_model, "--json")
    assert (code, errors) == (0, [])
    assert {name: stage["run"] for name, stage in json.loads(out)["stages"].items()} == dict.fromkeys(
        ("ingest", "extract", "decode", "aggregate", "export"), 0
    )


def test_query_gc_and_refusals(bucket, tiny_model):
    """The graph answers from afar, leftovers go, and what has no build, or would read its own output, is refused."""
    where, _ = bucket
    count = "SELECT (count(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }"
    quads = json.loads(open_storage(f"{where}/out").read("run.json"))["graph"]["quads"]
    code, out, errors = kgmill("query", f"{where}/out", count, "--format", "csv")
    assert (code, out.split(), errors) == (0, ["n", str(quads)], [])
    assert kgmill("gc", f"{where}/out")[0] == 0
    code, _, errors = kgmill("query", f"{where}/none", count)
    assert (code, errors) == (
        2,
        [
            f"kgmill: {where}/none: no finished build here; run kgmill build SOURCE... --out {where}/none first",
        ],
    )
    code, _, errors = kgmill("build", f"{where}/out/graph", "--out", f"{where}/out", "--model", tiny_model)
    assert (code, errors) == (
        2,
        [f"kgmill: {where}/out: the source {where}/out/graph lies inside; give --out a folder of its own"],
    )
