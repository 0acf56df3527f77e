"""The commands explain and forget, as they are typed."""

import json
import re

import pytest

from kgmill.flows.excerpt import Mark, marked
from kgmill.flows.explanation import explanation_lines
from kgmill.flows.terminal import broken
from kgmill.schemas import name_rules


def test_explain_marks_both_ends(kgmill, first):
    """A fact by its words; elsewhere than on a terminal its mentions are in brackets."""
    done = kgmill("explain", first.folder, "Bob Stone", "Live_In", "London")
    assert (done.code, done.errors) == (0, [])
    assert "  [Bob Stone] lives in [London] ." in done.out.splitlines()


def test_explain_is_json_for_programs(kgmill, first):
    """The same as data."""
    told = json.loads(kgmill("explain", first.folder, "letters/b.txt", "--json").out)
    assert (told["kind"], told["id"]) == ("document", "letters/b.txt")
    assert told["sentences"][0]["marks"]


def test_explain_names_what_a_document_says(kgmill, first):
    """A relation of a sentence has both ends in the text's words, and the fact that it is evidence of."""
    lines = kgmill("explain", first.folder, "letters/b.txt").out.splitlines()
    assert any(re.fullmatch(r" +0\.\d{3}  Bob Stone  --Live_In->  London  fact [0-9a-f]{16}", line) for line in lines)
    names = kgmill("explain", first.folder, "Bob Stone").out.splitlines()
    assert any(re.fullmatch(r" +\d  Bob Stone: its own name", line) for line in names)


def test_long_lines_are_broken_between_words():
    """On a terminal, at its width, with what follows further in, and in colour where the line was."""
    line = f"  {marked('Ada Byron worked for Acme Corp.', [Mark(0, 9, 'head')], is_coloured=True)}"
    first, *rest = broken(line, 26)
    assert (first[:2], "Ada Byron" in first, rest) == ("  ", True, ["      Acme Corp."])
    assert broken(line, 80) == [line]


def test_marks_are_colours_on_a_terminal():
    """Text of the corpus gets no say in it, and what overlaps is marked once."""
    text = "Ada \x1b[2J met Bob."
    marks = [Mark(0, 3, "head"), Mark(0, 8, "x"), Mark(13, 16, "mention")]
    assert marked(text, marks, is_coloured=True) == ("\x1b[1;32mAda\x1b[0m \\x1b[2J met \x1b[1;33mBob\x1b[0m.")


def test_forget_and_allow(kgmill, copy, source):
    """What was forgotten stays out of the next build, with a line, until it is let in again."""
    done = kgmill("forget", copy, "letters/b.txt")
    assert (done.code, done.errors) == (0, [])
    assert done.out.startswith("1 document forgotten, and with them ")
    assert "docs/forgetting.md" in done.out
    built = kgmill("build", source, "--out", copy)
    assert (built.code, "  rejected: 1 forgotten" in built.out.splitlines()) == (0, True)
    assert kgmill("forget", "--allow", copy, "letters/b.txt").out.startswith("1 document may come back")
    assert "forgotten" not in kgmill("build", source, "--out", copy).out


def test_forget_knows_its_documents(kgmill, copy):
    """A mistyped id is one line, and nothing happens."""
    done = kgmill("forget", copy, "letters/x.txt")
    assert done.code == 2
    assert "holds no document 'letters/x.txt'" in done.errors[0]


RULES = [value for name, value in vars(name_rules).items() if name.isupper() and isinstance(value, str)]


@pytest.mark.parametrize("rule", ["", *RULES])
def test_every_rule_of_names_is_told_in_words(rule):
    """Whatever rule the tables have for a name."""
    entity = {"label": "Siam", "type": "Place", "n_mentions": 1, "n_documents": 1, "confidence": 0.9}
    names = [{"name": "Siam", "rule": rule, "n_mentions": 1}]
    told = {"kind": "entity", "id": "siam-1", "entity": entity, "names": names, "n_facts": 0}
    lines = list(
        explanation_lines(told | dict.fromkeys(("redirects", "decisions", "facts", "sentences"), ()), is_coloured=False)
    )
    words = lines[3].partition("Siam: ")[2].removesuffix(f" ({rule})")
    assert len(words) > 8
