"""The questions of docs/queries.md, read from the page, asked of the graph of examples/corpus wherever it can be."""

import csv
import io
import re
from pathlib import Path

import pytest
from real_stores import OTHERS_ARE_MARKED, ROWS_AS_IT_COMES

from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.endpoint import ask
from kgmill.pipelines.triplestores.load import load
from kgmill.pipelines.triplestores.query import format_result, prefixes_of, query

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
QUESTIONS = {
    int(number): (question, sparql)
    for number, question, sparql in re.findall(r"^(\d+)\. (.+)\n\n```sparql\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)
}


@pytest.fixture(scope="module")
def corpus(build_here, tmp_path_factory):
    """The graph that the page speaks of: that of the shipped model."""
    out = tmp_path_factory.mktemp("queries") / "out"
    build_here(ROOT / "examples/corpus", out, model="default", decisions=str(ROOT / "examples/decisions.toml"))
    return out


@pytest.fixture(params=OTHERS_ARE_MARKED)
def store(request, started, logged_in):
    """A real server in its default configuration, but for the login."""
    store = started(request.param, ROWS_AS_IT_COMES)
    logged_in(store)
    return store


@pytest.fixture(scope="module")
def loaded(corpus):
    """Loads it into a store, once."""
    done = set()

    def loaded(profile, endpoint):
        if endpoint not in done:
            load(corpus, endpoint, profile, wishes=Wishes(prune=True, yes=True))
            done.add(endpoint)

    return loaded


def rows(result):
    return [tuple(row) for row in csv.reader(io.StringIO(format_result(result, "csv"), newline=""))]


def test_page_has_twenty_questions():
    """They are numbered, and each has its query."""
    assert (sorted(QUESTIONS), PAGE.count("```sparql")) == (list(range(1, 21)), 20)


@pytest.mark.parametrize("number", QUESTIONS)
def test_question_has_an_answer(corpus, number):
    """Each finds something in the graph of the example, and no cell of it is empty."""
    header, *found = rows(query(corpus, QUESTIONS[number][1]))
    assert found
    assert all(len(row) == len(header) and all(row) for row in found)


@pytest.mark.parametrize(
    ("number", "row"),
    [
        (6, ("Claude Shannon", "Bell Laboratories", "Murray Hill")),
        (14, ("claude-shannon.txt",)),
        (16, ("Albert Einstein", "Einstein")),
    ],
)
def test_answer_is_in_the_texts(corpus, number, row):
    """What the texts say is found."""
    assert row in rows(query(corpus, QUESTIONS[number][1]))


def test_every_question_has_the_same_rows(store, corpus, loaded):
    """A server gives what the embedded store gives, for each question of the page."""
    loaded(store.profile, store.endpoint)
    differing = {
        number: (question, set(there) ^ set(here))
        for number, (question, sparql) in QUESTIONS.items()
        for here in [rows(query(corpus, sparql))]
        for there in [rows(ask(store.endpoint, sparql, prefixes_of(corpus), store.profile))]
        if sorted(there) != sorted(here)
    }
    assert differing == {}
