"""A build that reads pronouns as names: its relations, and when it doesn't."""

import json

import pyarrow.dataset as ds
import pytest

TEXT = "Ada Byron worked for Acme Corp . She lives in London ."
DOUBTFUL = {"min_confidence": 0.01, "candidate_floor": 0.001}


@pytest.fixture(scope="module")
def across(build_here, tmp_path_factory):
    """Builds the text; gives the relations between its two sentences, by the texts of their ends, with stances."""

    def across(text=TEXT, **config):
        folder = tmp_path_factory.mktemp("references")
        (folder / "letters.jsonl").write_text(json.dumps({"id": "a", "text": text}))
        report = build_here(folder / "letters.jsonl", folder / "out", **DOUBTFUL, **config)
        rows = ds.dataset(folder / "out" / "tables" / "relations").to_table().to_pylist()
        found = {
            tuple(text[row[f"{end}_begin"] : row[f"{end}_end"]] for end in ("head", "tail")): row["stance"]
            for row in rows
            if row["sentence_text"] == text
        }
        return report["config"]["references"], found

    return across


def test_what_is_said_of_her_joins_both_sentences(across):
    """Her name is the head; the relation's text is both sentences. It is on where nothing else is said."""
    is_on, found = across()
    assert is_on
    assert ("Ada Byron", "London") in found
    assert all("Ada Byron" in ends for ends in found)


def test_off_by_choice(across):
    """Then nothing joins the sentences."""
    assert across(references=False) == (False, {})


def test_off_where_sentences_are_read_together(across):
    """They see their neighbours already."""
    assert not across(passage=2)[0]


@pytest.mark.parametrize(
    ("text", "stance"),
    [
        ("Ada Byron never worked for Acme Corp . She lives in London .", ""),
        ("Ada Byron worked for Acme Corp . She never lives in London .", "negated"),
        ("Ada Byron worked for Acme Corp . She may live in London .", "hedged"),
    ],
)
def test_only_what_is_said_of_her_is_denied(across, text, stance):
    """The words between both are those of her own sentence: what the one before denies is another matter."""
    _, found = across(text)
    assert found["Ada Byron", "London"] == stance


def test_names_need_no_reference(across):
    """A sentence that names somebody before its pronoun is read once."""
    assert across("Ada Byron lives in Paris . The mayor of Rome and Bob Stone said she lives in London .") == (
        True,
        {},
    )
