"""A million quads of hostile text by our writer: what pyoxigraph and serdi read is what was written, to the byte."""

import random
import shutil
import subprocess
from itertools import zip_longest

import pyoxigraph as ox
import pytest

from kgmill.pipelines.graph.lines import decimal, integer, iri, literal, point_in_time, quad, tagged, typed
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.literals import XSD
from kgmill.schemas.ontology import parse_ontology

N_QUADS = 1_000_000
NS = Namespace("https://kg.example.org/", "news", parse_ontology({"entities": {"A": {}}}, "test"))
HOSTILE = [chr(code) for code in (*range(1, 0x21), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0xFDD0, 0xFEFF)]
HOSTILE += ["\ud800", "\udfff", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff", "😀", "e\u0301", "عربي", "中"]
HOSTILE += ['"', "\\", '\\"', "\\n", "\\u0041", "\\U0001F600", "'", "'''", '"""', "<", ">", "@en", "^^", " .\n", "_:b"]
LANGUAGES = ("en", "de", "ar", "zh-hans", "pt-br", "x-y1")


def lines(n):
    """Lines with subjects, graphs and values as the graph has them, the same in each run."""
    draw = random.Random(14)  # noqa: S311
    makers = (
        lambda text: literal(text),
        lambda text: tagged(text, draw.choice(LANGUAGES)),
        lambda text: typed(text, f"{XSD}string"),
        lambda text: typed(text, f"{XSD}gYear"),
        lambda text: typed(text, "urn:some:type"),
        lambda text: iri(NS.document(text)),
        lambda text: iri(NS.chars(text, 0, draw.randrange(9))),
        lambda text: integer(draw.randrange(1 << 40)),
        lambda text: decimal(draw.random()),
        lambda text: point_in_time(f"{draw.randrange(1000, 2100)}-{draw.randrange(1, 13):02}") or literal(text),
    )
    for _ in range(n):
        text = "".join(draw.choices(HOSTILE, k=draw.randrange(1, 8))) + chr(draw.randrange(0x20, 0xD800))
        subject = iri(NS.document(text) if draw.random() < 0.5 else NS.entity("ada-01"))
        yield quad(subject, iri(NS.term("sentence")), draw.choice(makers)(text), iri(NS.document_graph(text)))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The file of a million quads."""
    path = tmp_path_factory.mktemp("fuzzed") / "fuzzed.nq"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(lines(N_QUADS))
    return path


@pytest.mark.slow
def test_pyoxigraph_reads_what_was_written(written):
    """Each quad, written again by pyoxigraph, is its line: nothing was lost, nothing can be written in another way."""
    again = written.with_name("by_pyoxigraph.nq")
    ox.serialize(ox.parse(path=written), again, ox.RdfFormat.N_QUADS)
    assert again.read_bytes() == written.read_bytes()


@pytest.mark.slow
def test_serdi_reads_what_was_written(written):
    """A parser in C reads each quad to the same terms, in the same order, and finds no fault."""
    if not shutil.which("serdi"):
        pytest.skip("serdi is not here: apt-get install serdi")
    again = written.with_name("by_serdi.nq")
    with again.open("wb") as out:
        command = ["serdi", "-i", "nquads", "-o", "nquads", str(written)]
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    both = zip_longest(ox.parse(path=written), ox.parse(path=again))
    assert next((pair for pair in both if pair[0] != pair[1]), None) is None
