"""Columns in the manner of CoNLL."""

import pytest

from kgmill.extractor.data.annotated import EntitySpan, document
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.data.readers import read_annotated
from kgmill.schemas.errors import DataError


def read(folder, text):
    """The sentences of a file with that text."""
    (folder / "a.conll").write_text(text, encoding="utf-8")
    return read_annotated([str(folder / "a.conll")], "conll")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-PER I-PER O B-ORG", [(0, 2, "PER"), (3, 4, "ORG")]),  # IOB2
        ("I-PER I-PER O I-ORG", [(0, 2, "PER"), (3, 4, "ORG")]),  # IOB1
        ("I-PER B-PER I-ORG O", [(0, 1, "PER"), (1, 2, "PER"), (2, 3, "ORG")]),
        ("B-PER E-PER S-ORG S-ORG", [(0, 2, "PER"), (2, 3, "ORG"), (3, 4, "ORG")]),  # BIOES
        ("B-PER L-PER U-ORG O", [(0, 2, "PER"), (2, 3, "ORG")]),  # BILOU
        ("B-A-B I-A-B O O", [(0, 2, "A-B")]),
        ("O O O O", []),
    ],
)
def test_tags(tmp_path, tags, expected):
    """Each way of writing runs."""
    (sentence,) = read(tmp_path, "".join(f"w{i} X {tag}\n" for i, tag in enumerate(tags.split())))

    assert sentence.entities == tuple(EntitySpan(*one) for one in expected)
    assert sentence.words == ("w0", "w1", "w2", "w3")


def test_documents_and_comments(tmp_path):
    """Borders of documents, comments and empty lines are no words; a hash may be one."""
    text = "-DOCSTART- -X- O\n\n# a comment\nIda B-PER\n# O\n\n\nShe O\n\n-DOCSTART- -X- O\n\nOslo B-LOC\n"

    found = read(tmp_path, text)

    assert [(s.words, s.key) for s in found] == [
        (("Ida", "#"), "a.conll:1#0"),
        (("She",), "a.conll:1#1"),
        (("Oslo",), "a.conll:2#2"),
    ]
    assert [document(s) for s in found] == ["a.conll:1", "a.conll:1", "a.conll:2"]


def test_a_file_without_documents_is_none(tmp_path):
    """Its sentences may be of any: each is one alone."""
    assert [s.key for s in read(tmp_path, "Ida O\n\nShe O\n")] == ["", ""]


def test_a_document_ends_a_sentence(tmp_path):
    """Also without the empty line before it."""
    found = read(tmp_path, "-DOCSTART- O\nIda B-PER\n-DOCSTART- O\nOslo B-LOC\n")

    assert [(s.words, document(s)) for s in found] == [(("Ida",), "a.conll:1"), (("Oslo",), "a.conll:2")]


@pytest.mark.parametrize(
    "comment", ["# sent_id = B-12", "# text = He takes vitamin B-12", "#newdoc B-12", "# text = U-2 and I-95"]
)
def test_a_comment_may_end_like_a_tag(tmp_path, comment):
    """What has other columns than the words is no word, nor one that begins a sentence and says what it is."""
    (found,) = read(tmp_path, f"{comment}\nIda NNP B-PER\n# NN O\n#MeToo NN B-MISC\n")

    assert found.words == ("Ida", "#", "#MeToo")


@pytest.mark.parametrize("blank", ["\t\t", "  ", "\r"])
def test_a_line_of_spaces_is_empty(tmp_path, blank):
    """It ends a sentence."""
    assert [s.words for s in read(tmp_path, f"Ida\tN\tO\n{blank}\nShe\tP\tO\n")] == [("Ida",), ("She",)]


@pytest.mark.parametrize(("text", "line"), [("Ida\tN\tO\n\tN\tB-PER\n", 2), ("1\tIda\tO\n2\t \tB-PER\n", 2)])
def test_an_empty_word_is_refused(tmp_path, text, line):
    """No model could read it; the line is named."""
    with pytest.raises(DataError, match=rf"a\.conll:{line}: the word is empty"):
        read(tmp_path, text)


def test_relations_are_not_known(tmp_path):
    """There is no place for them, so that nothing says that there are none."""
    assert read(tmp_path, "Ida B-PER\n")[0].partial == Partial(relations=())


def test_numbered_words(tmp_path):
    """The word stands behind its number, as in CoNLL-U; in columns that tabs part, words may hold spaces."""
    (sentence,) = read(tmp_path, "# sent_id = 1\n1\tNew York\tPROPN\tB-LOC\n2\t1984\tNUM\tO\n")

    assert sentence.words == ("New York", "1984")


def test_a_numbered_sentence_of_one_word(tmp_path):
    """The file's sentences tell where the words stand; alone, a sentence of one word could not."""
    text = "1\tYes\tINTJ\tO\n\n1\tNew York\tPROPN\tB-LOC\n2\twaits\tVERB\tO\n"

    assert [s.words for s in read(tmp_path, text)] == [("Yes",), ("New York", "waits")]


def test_numbers_are_words_where_not_all_are_in_order(tmp_path):
    """A sentence of the words 1 and 2 makes no numbered file of others."""
    found = read(tmp_path, "1 CD O\n2 CD O\n\nIda NNP B-PER\nleft VBD O\n")

    assert [s.words for s in found] == [("1", "2"), ("Ida", "left")]


@pytest.mark.parametrize("text", ["Ida B-PER\nShe\n", "Ida PER\n", "Ida B-\n", "{}\n"])
def test_what_is_no_column_is_refused(tmp_path, text):
    """The line is named."""
    with pytest.raises(DataError, match=r"a\.conll:\d: wanted a word and, last, a tag"):
        read(tmp_path, text)
