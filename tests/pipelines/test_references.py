"""A build that reads pronouns as names: its relations, and when it doesn't."""

import json

import pyarrow.dataset as ds
import pytest

TEXT = "Ada Byron worked for Acme Corp . She lives in London ."
DOUBTFUL = {"min_confidence": 0.01, "candidate_floor": 0.001}


@pytest.fixture(scope="module")
def across(build_here, tmp_path_factory):
    """Builds the text; gives the relations between its two sentences, as the texts of their ends."""

    def across(text=TEXT, **config):
        folder = tmp_path_factory.mktemp("references")
        (folder / "letters.jsonl").write_text(json.dumps({"id": "a", "text": text}))
        report = build_here(folder / "letters.jsonl", folder / "out", **DOUBTFUL, **config)
        rows = ds.dataset(folder / "out" / "tables" / "relations").to_table().to_pylist()
        found = {
            tuple(text[row[f"{end}_begin"] : row[f"{end}_end"]] for end in ("head", "tail"))
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


@pytest.mark.parametrize("config", [{"references": False}, {"passage": 2}])
def test_off(across, config):
    """By choice, and where sentences are read together."""
    is_on, found = across(**config)
    assert not is_on
    assert not found or "passage" in config


def test_names_need_no_reference(across):
    """A sentence that names somebody before its pronoun is read once."""
    assert across("Ada Byron lives in Paris . The mayor of Rome and Bob Stone said she lives in London .") == (
        True,
        set(),
    )
