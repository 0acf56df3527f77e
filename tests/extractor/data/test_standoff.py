"""Annotations by offsets in characters: of brat, ACE, doccano and Label Studio, each laid on sentences and words."""

import json
import re

import pytest

from kgmill.extractor.data.annotated import EntitySpan, RelationPair, document
from kgmill.extractor.data.readers import read_annotated
from kgmill.schemas.errors import DataError

TEXT = "Ida Voss left Oslo. She works for Acme.\nActon is hers."
ANN = """T1\tPerson 0 8\tIda Voss
T2\tPlace 14 18\tOslo
T3\tOrganization 34 38\tAcme
R1\tleft Arg1:T1 Arg2:T2\t
*\tEquiv T1 T2
A1\tNegated T1
#1\tAnnotatorNotes T1\ta note
"""
WORDS = [
    ("Ida", "Voss", "left", "Oslo", "."),
    ("She", "works", "for", "Acme", "."),
    ("Acton", "is", "hers", "."),
]


def brat(folder, ann, text=TEXT, name="one"):
    """A pair of brat's files; the .ann file."""
    (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
    (folder / f"{name}.ann").write_text(ann, encoding="utf-8")
    return folder / f"{name}.ann"


def unused(sentences):
    """What is not used, as kind, task and type."""
    return [(one.kind, one.task, one.type) for s in sentences for one in s.unused]


def test_brat(tmp_path):
    """Entities and relations lie on the words; what is not modelled is told, and notes are nothing."""
    path = brat(tmp_path, ANN)

    found = read_annotated([str(path)], "brat")

    assert [s.words for s in found] == WORDS
    assert [s.entities for s in found] == [
        (EntitySpan(0, 2, "Person"), EntitySpan(3, 4, "Place")),
        (EntitySpan(3, 4, "Organization"),),
        (),
    ]
    assert [s.relations for s in found] == [(RelationPair(0, 1, "left"),), (), ()]
    assert [s.key for s in found] == ["one#0", "one#1", "one#2"]
    assert {document(s) for s in found} == {"one"}
    assert unused(found) == [("not_modelled", "relation", "")]


def test_brats_files_are_one_another(tmp_path):
    """The text's name, the annotation's and the folder's read the same; a folder all that is below, by its paths."""
    path = brat(tmp_path, ANN)
    (tmp_path / "more").mkdir()
    brat(tmp_path / "more", "", "Nobody came.", "one")

    one = read_annotated([str(path)], "brat")

    assert read_annotated([str(path.with_suffix(".txt"))], "brat") == one
    assert sorted({document(s) for s in read_annotated([str(tmp_path)], "brat")}) == ["more/one", "one"]


@pytest.mark.parametrize("space", ["\u2028", "\u0085", "\x0b", "\x1c"])
def test_lines_of_brat_end_at_line_breaks_alone(tmp_path, space):
    """What Python also takes for a line's end may stand in a note; a return is none of what is marked."""
    path = brat(tmp_path, f"T1\tPerson 0 8\tIda Voss\r\n#1\tAnnotatorNotes T1\ta{space}note\r\n", "Ida Voss left.")

    (found,) = read_annotated([str(path)], "brat")

    assert [e.type for e in found.entities] == ["Person"]


@pytest.mark.parametrize(
    ("ann", "expected"),
    [
        ("T1\tPlace 14 24\tOslo. She", [("outside_sentence", "entity", "Place")]),
        ("T1\tPlace 15 18\tslo", [("unaligned", "entity", "Place")]),
        ("T1\tPerson 0 3;9 13\tIda left", [("discontinuous", "entity", "Person")]),
        ("E1\tLeave:T1 Who:T1\nT1\tAct 9 13\tleft", [("not_modelled", "event", "")]),
        (
            "E1\tLeave:T1 Who:T2\nT1\tLeave 9 13\tleft\nT2\tPerson 0 8\tIda Voss\nR1\tin Arg1:E1 Arg2:T2",
            [("not_modelled", "event", ""), ("no_entity", "relation", "in")],
        ),
        ("T1\tP 0 8\tIda Voss\nT2\tO 34 38\tAcme\nR1\tat Arg1:T1 Arg2:T2", [("across_sentences", "relation", "at")]),
        ("T1\tP 0 8\tIda Voss\nT2\tP 0 8\tIda Voss\nR1\tis Arg1:T1 Arg2:T2", [("one_entity", "relation", "is")]),
        (
            "T1\tP 0 8\tIda Voss\nT2\tO 35 38\tcme\nR1\tat Arg1:T1 Arg2:T2",
            [("no_entity", "relation", "at"), ("unaligned", "entity", "O")],
        ),
        (
            "T1\tP 0 3;9 13\tIda left\nT2\tO 34 38\tAcme\nR1\tat Arg1:T2 Arg2:T1",
            [("discontinuous", "entity", "P"), ("no_entity", "relation", "at")],
        ),
    ],
)
def test_what_a_sentence_cannot_hold_is_told(tmp_path, ann, expected):
    """Each by its kind, with the line that it stands in."""
    path = brat(tmp_path, ann)

    found = read_annotated([str(path)], "brat")

    assert unused(found) == expected
    assert all(one.place.startswith(f"{path}:") for s in found for one in s.unused)


@pytest.mark.parametrize(
    ("ann", "message"),
    [
        ("T1\tPlace 14 18\tBern", r":1: the text has 'Oslo' from 14 to 18, not 'Bern'; were the text's line ends"),
        ("T1\tPlace 14 9999\tOslo", r":1: 14 to 9999 lies outside of the text's 54 characters"),
        ("T1\tPlace 18 14\tOslo", r":1: 18 to 14 lies outside"),
        ("T1\tPlace 14\tOslo", r":1: wanted a line of brat's standoff format, got 'T1\\tPlace 14\\tOslo'"),
        ("R1\tleft Arg1:T1 Arg2:T9\n" + ANN, r":1: no annotation T9"),
        ("R1\tleft Arg1:T1 Arg2:E9\n" + ANN, r":1: no annotation E9"),
        ("\x00\x01", r":1: wanted a line of brat's"),
    ],
)
def test_wrong_brat_is_refused(tmp_path, ann, message):
    """The line is named."""
    path = brat(tmp_path, ann)

    with pytest.raises(DataError, match=message):
        read_annotated([str(path)], "brat")


def test_brat_without_its_text(tmp_path):
    """The missing file is named."""
    path = brat(tmp_path, ANN)
    path.with_suffix(".txt").unlink()

    with pytest.raises(DataError, match=r"one\.txt: No such file"):
        read_annotated([str(path)], "brat")


def test_text_without_a_word(tmp_path):
    """There is no sentence, so there is nothing to hold a mark."""
    assert read_annotated([str(brat(tmp_path, "", " \n "))], "brat") == []


@pytest.mark.parametrize("ann", ["T1\tPlace 0 1\n", "E1\tLeave:T1\nT1\tPlace 0 1\n"])
def test_marks_in_a_text_without_a_word(tmp_path, ann):
    """They would be lost without a word, as no sentence can tell them."""
    path = brat(tmp_path, ann, " \n ")

    with pytest.raises(DataError, match=r"one\.ann: has annotations, but no words"):
        read_annotated([str(path)], "brat")


SGM = """<DOC>
<DOCID> invented-1 </DOCID>
<BODY>
<HEADLINE>
Oslo news
</HEADLINE>
<TEXT>
The former president of Norway, Ida Voss, met
Carl May &amp; sons in Oslo. He left.
</TEXT>
</BODY>
</DOC>
"""


def mention(name, text, head, extent=""):
    """A mention with its head's offsets, as APF writes it; the end is the last character's."""
    begin = text.index(head)
    begin_extent = text.index(extent or head)
    spans = ((begin_extent, extent or head), (begin, head))
    rows = [f'<charseq START="{b}" END="{b + len(t) - 1}">{t}</charseq>'.replace(" & ", " &amp; ") for b, t in spans]
    return f'<entity_mention ID="{name}" TYPE="NAM"><extent>{rows[0]}</extent><head>{rows[1]}</head></entity_mention>'


def ace(folder, mentions, relations="", sgm=SGM):
    """A pair of ACE's files; the .apf.xml file."""
    entities = "".join(f'<entity ID="E{i}" TYPE="{kind}">{one}</entity>' for i, (kind, one) in enumerate(mentions))
    body = f"<document DOCID='invented-1'>{entities}{relations}</document>"
    head = "<?xml version='1.0'?>\n<!DOCTYPE source_file SYSTEM 'apf.v5.1.1.dtd'>\n"
    (folder / "invented-1.sgm").write_text(sgm)
    path = folder / "invented-1.apf.xml"
    path.write_text(f"{head}<source_file URI='invented-1.sgm'>{body}</source_file>")
    return path


RELATION = """<relation ID="R1" TYPE="GEN-AFF" SUBTYPE="x"><relation_argument REFID="E0" ROLE="Arg-1"/>
<relation_mention ID="R1-1"><relation_mention_argument REFID="M0" ROLE="Arg-1"/>
<relation_mention_argument REFID="M1" ROLE="Arg-2"/><relation_mention_argument REFID="T" ROLE="Time-Within"/>
</relation_mention></relation>"""


@pytest.fixture
def plain():
    """The .sgm file as offsets count it."""
    return re.sub("<[^>]*>", "", SGM)


def test_ace_has_heads(tmp_path, plain):
    """A mention is its head alone, of the entity's type, on the words of the text proper."""
    whole = "The former president of Norway"
    mentions = [
        ("PER", mention("M0", plain, "president", whole)),
        ("GPE", mention("M1", plain, "Norway")),
        ("PER", mention("M2", plain, "Ida Voss")),
    ]

    first, second = read_annotated([str(ace(tmp_path, mentions, RELATION))], "ace")

    assert first.words[:6] == ("The", "former", "president", "of", "Norway", ",")
    assert first.entities == (EntitySpan(2, 3, "PER"), EntitySpan(4, 5, "GPE"), EntitySpan(6, 8, "PER"))
    assert first.relations == (RelationPair(0, 1, "GEN-AFF"),)
    assert (first.key, first.unused, second.words) == ("invented-1#0", (), ("He", "left", "."))
    assert first.words[8:14] == (",", "met", "Carl", "May", "&", "sons")


def test_escapes_of_ace_are_counted_as_they_are_written(tmp_path, plain):
    """`&amp;` is five characters of an offset, and one of the text; what is marked behind it or holds it is found."""
    both = "Carl May &amp; sons"
    mentions = [("ORG", mention("M0", plain, both)), ("GPE", mention("M1", plain[plain.index("sons") :], "Oslo"))]
    shift = plain.index("sons")
    begin = plain.index("Oslo", shift)
    mentions[1] = ("GPE", re.sub(r'START="\d+" END="\d+"', f'START="{begin}" END="{begin + 3}"', mentions[1][1]))

    first, _ = read_annotated([str(ace(tmp_path, mentions))], "ace")

    assert [first.words[e.start : e.end] for e in first.entities] == [("Carl", "May", "&", "sons"), ("Oslo",)]


def test_folders_of_ace_hold_documents_of_one_name(tmp_path, plain):
    """As its folders of several passes do: their documents are told apart."""
    for name in ("adj", "fp1"):
        (tmp_path / name).mkdir()
        ace(tmp_path / name, [("PER", mention("M0", plain, "Ida Voss"))])

    found = read_annotated([str(tmp_path)], "ace")

    assert sorted({document(s) for s in found}) == ["adj/invented-1", "fp1/invented-1"]


def test_headers_of_ace_are_no_text(tmp_path, plain):
    """What is marked outside of <TEXT> has no sentence, and is told."""
    mentions = [("GPE", mention("M0", plain, "Oslo"))]

    found = read_annotated([str(ace(tmp_path, mentions))], "ace")

    assert unused(found) == [("outside_sentence", "entity", "GPE")]
    assert all("Oslo news" not in " ".join(s.words) for s in found)


def test_entities_of_a_hostile_document_type_stay_out(tmp_path, plain):
    """No entity is put in, so none grows."""
    path = ace(tmp_path, [("PER", mention("M0", plain, "Ida Voss"))])
    text = path.read_text().replace("SYSTEM 'apf.v5.1.1.dtd'", "[<!ENTITY a 'x'><!ENTITY b '&a;&a;&a;'>]")
    path.write_text(text.replace(">Ida Voss<", ">&b;<"))

    with pytest.raises(DataError, match="the text has 'Ida Voss' from"):
        read_annotated([str(path)], "ace")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<head>", "<tail>", "not ACE's APF"),
        ('START="', 'BEGIN="', "not ACE's APF: KeyError"),
        ("</source_file>", "", "not ACE's APF"),
    ],
)
def test_wrong_ace_is_refused(tmp_path, plain, old, new, message):
    """The file is named with the fault."""
    path = ace(tmp_path, [("PER", mention("M0", plain, "Ida Voss"))])
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(DataError, match=message):
        read_annotated([str(path)], "ace")


DOCCANO = {
    "id": 7,
    "text": TEXT,
    "entities": [
        {"id": 3, "label": "Person", "start_offset": 0, "end_offset": 9},
        {"id": 5, "label": "Place", "start_offset": 14, "end_offset": 18},
    ],
    "relations": [{"id": 1, "from_id": 3, "to_id": 5, "type": "left"}],
}
REGIONS = [
    {"id": "a", "type": "labels", "to_name": "t", "value": {"start": 0, "end": 8, "labels": ["Person"]}},
    {"id": "b", "type": "labels", "to_name": "t", "value": {"start": 14, "end": 18, "labels": ["Place", "City"]}},
    {"type": "relation", "from_id": "b", "to_id": "a", "direction": "left", "labels": ["left"]},
]
TASK = {
    "id": 7,
    "data": {"text": TEXT},
    "annotations": [{"was_cancelled": True, "result": []}, {"result": REGIONS}],
}
EXPECTED = ((EntitySpan(0, 2, "Person"), EntitySpan(3, 4, "Place")), (RelationPair(0, 1, "left"),))


def test_doccano(tmp_path):
    """With relations, and with bare labels; spaces at a mark's ends are none of it."""
    bare = {"id": 8, "text": TEXT, "label": [[0, 8, "Person"], [14, 18, "Place"]]}
    (tmp_path / "d.jsonl").write_text(f"{json.dumps(DOCCANO)}\n\n{json.dumps(bare)}\n")

    found = read_annotated([str(tmp_path / "d.jsonl")], "doccano")

    assert [(s.entities, s.relations, s.key) for s in found[::3]] == [(*EXPECTED, "7#0"), (EXPECTED[0], (), "8#0")]


def test_documents_without_an_id_are_told_apart(tmp_path):
    """Each record is a document of its own, by its line or its number."""
    row = {"text": TEXT, "label": []}
    (tmp_path / "d.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n")
    (tmp_path / "e.json").write_text(json.dumps([{"data": {"text": TEXT}, "annotations": []}] * 2))

    names = [
        list(dict.fromkeys(document(s) for s in read_annotated([str(tmp_path / name)], form)))
        for name, form in (("d.jsonl", "doccano"), ("e.json", "label-studio"))
    ]

    assert names == [["d.jsonl:1", "d.jsonl:2"], ["e.json:0", "e.json:1"]]


def test_lone_surrogates_are_no_text(tmp_path):
    """JSON can name half a character; what is read can be written again, and offsets stay."""
    for form, record in (
        ("doccano", {"id": 1, "text": "Ida\ud83d left.", "label": [[0, 4, "P\udc00"]]}),
        ("label-studio", [{"id": 1, "data": {"text": "Ida\ud83d left."}}]),
    ):
        (tmp_path / "x").write_text(json.dumps(record))

        found = read_annotated([str(tmp_path / "x")], form)

        assert "".join(found[0].words).encode().decode() == "Ida\ufffdleft."


def test_label_studio(tmp_path):
    """The first annotation that counts; a relation's direction is kept, and a second label told."""
    (tmp_path / "e.json").write_text(json.dumps([TASK, {"id": 9, "data": {"t": "No one."}, "annotations": []}]))

    found = read_annotated([str(tmp_path / "e.json")], "label-studio")

    assert (found[0].entities, found[0].relations, found[0].key) == (*EXPECTED, "7#0")
    assert unused(found) == [("not_modelled", "entity", "City")]
    assert found[3].words == ("No", "one", ".")


def label_studio(folder, *result):
    """The sentences of one task with what an annotator said, and what of it is not used."""
    (folder / "e.json").write_text(json.dumps([TASK | {"annotations": [{"result": list(result)}]}]))
    found = read_annotated([str(folder / "e.json")], "label-studio")
    return found[0], unused(found)


def test_what_label_studio_says_beside_labels_is_counted(tmp_path):
    """Choices, regions of pictures and the like are told by their kind; a region's own choice is one too."""
    choice = {"id": "c", "type": "choices", "to_name": "t", "value": {"choices": ["good"]}}
    linked = {"type": "relation", "from_id": "a", "to_id": "c", "labels": ["about"]}

    found, told = label_studio(tmp_path, *REGIONS, choice, linked)

    assert (found.entities, found.relations) == EXPECTED
    assert told == [
        ("not_modelled", "entity", "City"),
        ("not_modelled", "label", "choices"),
        ("no_entity", "relation", "about"),
    ]


@pytest.mark.parametrize("value", [{"start": 14, "end": 18, "labels": []}, {"start": 14, "end": 18, "text": "Oslo"}])
def test_a_region_without_a_label_is_no_entity(tmp_path, value):
    """It is told, and so is a relation to it."""
    found, told = label_studio(tmp_path, REGIONS[0], REGIONS[1] | {"value": value}, REGIONS[2])

    assert (found.entities, found.relations) == (EXPECTED[0][:1], ())
    assert told == [("not_modelled", "entity", ""), ("no_entity", "relation", "left")]


def test_regions_of_label_studio_meet_their_text(tmp_path):
    """An export whose offsets count otherwise than characters is refused, not read shifted."""
    text = "\U0001f600 Ida left."
    region = {"id": "a", "type": "labels", "value": {"start": 3, "end": 6, "text": "Ida", "labels": ["P"]}}
    task = {"id": 7, "data": {"text": text}, "annotations": [{"result": [region]}]}
    (tmp_path / "e.json").write_text(json.dumps([task]))

    with pytest.raises(DataError, match=r"task 0: .*region a: the text has 'da ' from 3 to 6, not 'Ida'"):
        read_annotated([str(tmp_path / "e.json")], "label-studio")


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("doccano", json.dumps(DOCCANO | {"relations": [{"from_id": 3, "to_id": 9, "type": "x"}]}), ":1: wanted texts"),
        ("doccano", json.dumps(DOCCANO | {"text": 7}), r":1: .*no text"),
        ("doccano", json.dumps({"text": "Ida", "label": [[0, 99, "P"]]}), "0 to 99 lies outside of the text's 3"),
        ("doccano", json.dumps({"text": "Ida", "label": [[0, 1.5, "P"]]}), "1.5 is no whole number"),
        ("doccano", "{" * 5000, ":1: not JSON"),
        ("label-studio", "{}", "wanted a JSON list of tasks, got dict"),
        ("label-studio", json.dumps([{"data": {"text": TEXT}, "annotations": [{"result": [{}]}]}]), "task 0: wanted"),
        ("label-studio", json.dumps([DOCCANO]), r"looks like doccano's JSONL: give --format doccano"),
    ],
)
def test_wrong_exports_are_refused(tmp_path, form, text, message):
    """In one line, with the place."""
    (tmp_path / "x").write_text(text)

    with pytest.raises(DataError, match=message) as caught:
        read_annotated([str(tmp_path / "x")], form)

    assert "\n" not in str(caught.value)
