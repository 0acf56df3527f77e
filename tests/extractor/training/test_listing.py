"""The page of errors."""

from dataclasses import replace

import pytest
from lxml import html

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.data.unused import Unused
from kgmill.extractor.decode import DecodedMention, DecodedRelation
from kgmill.extractor.training import listing
from kgmill.extractor.training.listing import write_listing
from kgmill.schemas.errors import OutputError

GOLD = AnnotatedSentence(
    ("Ada", "Byron", "works", "for", "Acme", "Corp", "in", "Paris", "."),
    (EntitySpan(0, 2, "Peop"), EntitySpan(4, 6, "Org"), EntitySpan(7, 8, "Loc")),
    (RelationPair(0, 1, "Work_For"), RelationPair(1, 2, "OrgBased_In")),
    place="a.json: sentence 0",
)
FOUND = (
    [
        DecodedMention(0, 2, "Peop", 0.91),
        DecodedMention(4, 6, "Loc", 0.8),
        DecodedMention(7, 9, "Loc", 0.7),
        DecodedMention(2, 3, "Org", 0.6),
    ],
    [DecodedRelation(0, 1, "Work_For", 0.75)],
)


def page(folder, *pairs, symmetric=()):
    """The page of some sentences with their predictions, as text and parsed."""
    path = folder / "errors.html"
    gold, predicted = zip(*pairs, strict=True)
    write_listing(path, "Errors", {"a.json": (gold, predicted)}, symmetric)
    text = path.read_text(encoding="utf-8")
    return text, html.fromstring(text)


def told(tree, side):
    """What one side of the first sentence says, by status: ends of entities, and lines."""
    section = tree.xpath("//article[1]//section")[side]
    marks = section.xpath(".//b[sub]") + section.xpath(".//li")
    return [(mark.get("class"), " ".join(mark.text_content().lstrip("]").split())) for mark in marks]


def test_gold_and_predictions_stand_side_by_side(tmp_path):
    """What is found is so on both sides; what is wrong says what the gold has in its place."""
    _, tree = page(tmp_path, (GOLD, FOUND))

    assert told(tree, 0) == [
        ("found", "✓ Peop"),
        ("missed", "− Org"),
        ("missed", "− Loc"),
        ("missed", "− Ada Byron → Work_For → Acme Corp"),
        ("missed", "− Acme Corp → OrgBased_In → Paris"),
    ]
    assert told(tree, 1) == [
        ("found", "✓ Peop 0.91"),
        ("wrong", "✗ Org 0.60 (not in the gold)"),
        ("wrong", "✗ Loc 0.80 (gold: Org)"),
        ("wrong", "✗ Loc 0.70 (gold: Paris Loc)"),
        ("wrong", "✗ Ada Byron → Work_For → Acme Corp 0.75"),
    ]


def test_types_are_counted_and_chosen(tmp_path):
    """A row a type; its choice hides by style alone the sentences without an error of it."""
    right = AnnotatedSentence(("Bob",), (EntitySpan(0, 1, "Peop"),), ())
    text, tree = page(tmp_path, (GOLD, FOUND), (right, ([DecodedMention(0, 1, "Peop", 0.9)], [])))

    rows = [[" ".join(td.text_content().split()) for td in tr.xpath("td")] for tr in tree.xpath("//tbody/tr")[1:]]
    assert rows == [
        ["Loc entity", "", "1", "2"],
        ["Org entity", "", "1", "1"],
        ["Peop entity", "2", "", ""],
        ["OrgBased_In relation", "", "1", ""],
        ["Work_For relation", "", "1", "1"],
    ]
    assert "1 of 2 sentences have an error." in text
    assert tree.xpath("//article/@class") == ["t0 t1 t3 t4"]
    assert "body:has(#t2:checked) article:not(.t2){display:none}" in text


def test_what_is_not_judged_and_what_no_sentence_holds(tmp_path):
    """A prediction that a partly annotated sentence doesn't mark is no error; gold that can't be found is missed."""
    lost = Unused("across_sentences", "relation", "Kill", "a.json: sentence 0: relation 0-1")
    partial = replace(GOLD, partial=Partial(types=("Peop",), relations=()), unused=(lost,))
    _, tree = page(tmp_path, (partial, ([*FOUND[0][:1], *FOUND[0][3:]], [])))

    assert ("open", "? Org 0.60") in told(tree, 1)
    kill = "− Kill joins entities of different sentences: a.json: sentence 0: relation 0-1"
    assert ("missed", kill) in told(tree, 0)


def test_a_symmetric_relation_is_found_in_either_direction(tmp_path):
    """As it is counted."""
    gold = replace(GOLD, relations=(RelationPair(0, 1, "knows"),))
    mentions = [DecodedMention(0, 2, "Peop", 0.9), DecodedMention(4, 6, "Org", 0.9)]
    _, tree = page(tmp_path, (gold, (mentions, [DecodedRelation(1, 0, "knows", 0.9)])), symmetric={"knows"})

    assert ("found", "✓ Ada Byron → knows → Acme Corp") in told(tree, 0)
    assert ("found", "✓ Acme Corp → knows → Ada Byron 0.90") in told(tree, 1)


def test_entities_within_and_over_one_another(tmp_path):
    """Each has its brackets, the widest outside; a word has the worst of what lies over it."""
    gold = replace(GOLD, entities=(EntitySpan(0, 3, "A"), EntitySpan(1, 2, "B"), EntitySpan(2, 5, "C")), relations=())
    _, tree = page(tmp_path, (gold, ([DecodedMention(0, 3, "A", 0.9)], [])))

    first = tree.xpath("//article[1]//section[1]/p")[0].text_content()
    assert first == "[Ada [Byron]−\u00a0B [works]✓\u00a0A for Acme]−\u00a0C Corp in Paris ."
    assert tree.xpath("//article[1]//section[1]/p/span/@class") == ["found", "missed", "missed", "missed", "missed"]


def test_hostile_text_stays_text(tmp_path):
    """Words, types, places and names of sets are no markup, and nothing is fetched or run."""
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>&\u202e\x1b"
    gold = AnnotatedSentence((evil,), (EntitySpan(0, 1, evil),), (), place=evil)
    path = tmp_path / "errors.html"

    write_listing(path, evil, {evil: ([gold], [([DecodedMention(0, 1, "P", 0.9)], [])])}, ())

    text = path.read_text(encoding="utf-8")
    tree = html.fromstring(text)
    assert tree.xpath("//script | //img | //link | //@src | //@href | //@onerror") == []
    assert not {"\u202e", "\x1b"} & set(text)
    assert tree.xpath("//article//h3")[0].text == evil.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")
    assert "default-src 'none'; style-src 'unsafe-inline'" in text


def test_a_page_has_an_end(tmp_path, monkeypatch):
    """What is left out is said."""
    monkeypatch.setattr(listing, "MOST", 2)

    text, tree = page(tmp_path, *[(GOLD, FOUND)] * 3)

    assert len(tree.xpath("//article")) == 2
    assert "3 of 3 sentences have an error; the first 2 are shown." in text


def test_a_page_that_cannot_be_written(tmp_path):
    """It is named."""
    (tmp_path / "errors").mkdir()

    with pytest.raises(OutputError, match="errors: Is a directory"):
        write_listing(tmp_path / "errors", "Errors", {}, ())
