"""The names of a dataset: where they come from, and what keeps them."""

import gzip
import json

import pytest

from kgmill.pipelines.checks import named
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.config import BuildConfig


@pytest.fixture
def folder(tmp_path):
    """An output folder called `news`, which an earlier run left with the names it is given."""

    def folder(**before):
        (tmp_path / "news").mkdir()
        (tmp_path / "news" / "run.json").write_text(json.dumps({"config": before} if before else {}))
        return tmp_path / "news"

    return folder


def names(out, **given):
    config = named(BuildConfig.load(None, given), Store(out))
    return config.dataset, config.base_iri


def test_names_come_from_the_folder(folder):
    """A new folder, or one of a version that wrote no names down, is called as it is called."""
    assert names(folder()) == ("news", "urn:kgmill:dataset:news:")


def test_given_names_win(folder):
    """What is asked for is taken; a base that nobody chose follows a new dataset."""
    out = folder(dataset="old", base_iri="urn:kgmill:dataset:old:")
    assert names(out, dataset="new") == ("new", "urn:kgmill:dataset:new:")
    assert names(out, base_iri="https://a.org/") == ("old", "https://a.org/")


def test_folder_keeps_its_names(folder):
    """A moved folder, or a run without the flags of the last one, renames nothing."""
    assert names(folder(dataset="old", base_iri="https://a.org/")) == ("old", "https://a.org/")


def lines(folder):
    return set(gzip.decompress((folder / "graph" / "graph.nq.gz").read_bytes()).decode().splitlines())


@pytest.mark.slow
def test_record_that_goes_moves_nobody(build_here, tmp_path):
    """When the first of many records leaves, the graphs of the others stay as they are, line numbers and all."""
    records = [
        f'{{"id": "d{n}", "text": "Ada Byron worked for Acme Corp in Paris . Report {n} ."}}\n' for n in range(9)
    ]
    source, out = tmp_path / "a.jsonl", tmp_path / "out"
    source.write_text("".join(records))
    build_here(source, out)
    before = lines(out)
    source.write_text("".join(records[1:]))
    build_here(source, out, started="2026-01-02T00:00:00Z")
    changed = {line.rsplit(" ", 2)[1] for line in before ^ lines(out)}
    graphs = {name.rpartition("/graph/")[2].rstrip(">") for name in changed}
    assert graphs == {"doc/d0", "kg", "links", "meta"}


def test_nothing_claims_a_host(build_here, tmp_path):
    """Without a base, every name of the graph is a URN of the dataset, ours, or a vocabulary's."""
    source, out = tmp_path / "a.txt", tmp_path / "news"
    source.write_text("Ada Byron worked for Acme Corp in Paris .")
    build_here(source, out, **dict(zip(("dataset", "base_iri"), names(out), strict=True)))
    text = gzip.decompress((out / "graph" / "graph.nq.gz").read_bytes()).decode()
    assert "example.org" not in text
    assert "<urn:kgmill:dataset:news:news/graph/kg>" in text
