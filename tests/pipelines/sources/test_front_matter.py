"""Front matter of Markdown files: what it says is read, and what it can't be read as costs no document."""

import json

import pytest

from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.pipelines.sources.parsing.front_matter import FrontMatter, split


def read(folder, text):
    """The document of a Markdown file of that text."""
    (folder / "a.md").write_text(text)
    [document] = read_records(SourceFile(str(folder / "a.md"), "a.md", len(text)))
    return document


def test_keys_of_front_matter_are_read(tmp_path):
    """Title and date are the document's, everything else is metadata by its own name; none of it is in the text."""
    document = read(
        tmp_path,
        "---\ntitle: 'Letters: a choice'\ndate: 1843-07-10\ntags: [letters, engines]\ndraft: false\nauthor:\n"
        "  name: Ada\n  born: 1815-12-10\n---\n# Heading\n\nAda lived in London.\n",
    )
    assert (document.title, document.date) == ("Letters: a choice", "1843-07-10")
    assert document.text == "Heading\n\nAda lived in London."
    assert json.loads(document.metadata) == {
        "author": {"name": "Ada", "born": "1815-12-10"},
        "draft": False,
        "tags": ["letters", "engines"],
    }
    assert document.notes == ""


def test_title_and_date_are_kept_as_written(tmp_path):
    """A title that YAML takes for a number or for no, and a date with a time, lose nothing; keys in any case."""
    document = read(tmp_path, "---\nTitle: No\nDate: 2024-05-03 10:00:00Z\n---\nAda\n")
    assert (document.title, document.date) == ("No", "2024-05-03T10:00:00+00:00")
    assert split("---\ntitle: 1984\n---\n")[0].title == "1984"
    assert split("---\ntitle: 12:30:45\n---\n")[0].title == "12:30:45"


def test_first_heading_is_the_title_where_front_matter_has_none(tmp_path):
    """A front matter without a title leaves it to the text."""
    assert read(tmp_path, "---\ntags: []\n---\n# Letters\n\nAda\n").title == "Letters"


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("n: .nan", {"n": ".nan"}),
        ("n: -.inf", {"n": "-.inf"}),
        ("at: 12:30:45", {"at": "12:30:45"}),
        ("when: 2024-05-03T10:00:00Z", {"when": "2024-05-03T10:00:00Z"}),
        ("n: 1e3\nm: 7\nx: 1.5\nnone: ~\nyes: true", {"n": "1e3", "m": 7, "x": 1.5, "none": None, "yes": True}),
        ("id: 007\nversion: 1.10", {"id": "007", "version": "1.10"}),
        ("2024: year", {"2024": "year"}),
        ("a: {<<: {b: 1}}", {"a": {"<<": {"b": 1}}}),
        ("s: !!set {a, b}", {"s": ["a", "b"]}),
        ("b: !!binary aGk=", {"b": "aGk="}),
        ("text: |\n  two\n  lines", {"text": "two\nlines\n"}),
    ],
)
def test_values_that_json_has_no_form_of_stay_as_written(yaml, expected):
    """Dates, times and numbers that are none are strings; the rest is what YAML says."""
    front, body = split(f"---\n{yaml}\n---\nAda")
    assert (front.metadata, front.notes, body) == (expected, {}, "Ada")


@pytest.mark.parametrize(
    "yaml",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
        "a: " + "[" * 5_000,
        "a: !!python/object/apply:os.system [echo]",
        "a: !secret x",
        "title: Letters: a choice",
        "a: 1\n" * 20_000,
        "? [a, b]\n: c",
        "n: " + "9" * 5_000,
        "a: 1\na: 2",
        "a: \x07",
    ],
)
def test_front_matter_that_cannot_be_read_is_kept_as_it_is(tmp_path, yaml):
    """Aliases, depth, tags, size and plain mistakes cost no document: all of it is one string of the metadata."""
    document = read(tmp_path, f"---\n{yaml}\n---\nAda lived in London.\n")
    assert (document.text, document.title, document.date) == ("Ada lived in London.", "", "")
    if yaml.startswith("n: "):
        assert json.loads(document.metadata) == {"n": "9" * 5_000}
    else:
        assert json.loads(document.metadata) == {"front_matter": yaml.strip()}
        assert document.notes == '{"front_matter":1}'


@pytest.mark.parametrize(
    "text", ["---\nAda lived in London.\n---\nBob.", "---\n- a\n- b\n---\nBob.", "---\n\n---\nBob."]
)
def test_text_between_two_rules_is_text(text):
    """What is no mapping of keys is no front matter, but text between two lines."""
    assert split(text) == (FrontMatter(), text)


def test_toml_between_pluses_is_read(tmp_path):
    """Between lines of +++ the same is said in TOML; what can't be read is kept as it is."""
    text = '+++\ntitle = "Letters"\ndate = 1843-07-10\ntags = ["a"]\nat = 10:30:00\nn = nan\n+++\nAda\n'
    document = read(tmp_path, text)
    assert (document.title, document.date, document.text) == ("Letters", "1843-07-10", "Ada")
    assert json.loads(document.metadata) == {"tags": ["a"], "at": "10:30:00", "n": "nan"}
    broken = read(tmp_path, "+++\ntitle = \n+++\nAda\n")
    assert (broken.text, broken.notes) == ("Ada", '{"front_matter":1}')
    assert split("+++\nno key\n")[0] == FrontMatter()
