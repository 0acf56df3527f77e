"""What a shipped model finds in texts of many shapes: lines, lists, dashes, scripts without spaces."""

from pathlib import Path

import pytest

from kgmill.extractor import Extractor
from kgmill.schemas.identity import entity_id

CONLL04 = Path(__file__).resolve().parents[3] / "models" / "conll04"


@pytest.fixture(scope="module")
def find():
    """The mentions' texts, and the relations as head and tail, that the model of CoNLL04 finds in a text."""
    extractor = Extractor.from_pretrained(str(CONLL04), device="cpu", n_threads=1)

    def find(text):
        [found] = extractor.extract([text])
        assert all(text[m.begin : m.end] == m.text for m in found.mentions)
        return [m.text for m in found.mentions], {(r.head.text, r.tail.text) for r in found.relations}

    return find


def test_byline_and_dateline(find):
    """A byline and the dateline below it are two names."""
    mentions, relations = find("SHIPYARD HIRES ENGINEER\nBy Carla Moss\nBREMEN, Germany -- Otto Brandt was born there.")
    assert {"Carla Moss", "BREMEN"} <= set(mentions)
    assert not any("\n" in name for name in mentions)
    assert not any("Carla Moss" in pair for pair in relations)


def test_list_of_names(find):
    """Names a line are as many names."""
    mentions, _ = find("Guests\nCarla Moss\nOtto Brandt\nNelson Mandela\n\nTowns\nBremen\nLondon\n")
    assert {"Carla Moss", "Otto Brandt", "Nelson Mandela", "Bremen", "London"} <= set(mentions)
    assert not any("\n" in name for name in mentions)


def test_bullets(find):
    """No relation is between names of two items."""
    items = [("Carla Moss", "University of Bremen"), ("Otto Brandt", "London"), ("Irene Walker", "Chicago")]
    text = "Members:\n" + "\n".join(f"{mark} {a}, {b}" for mark, (a, b) in zip("-*\u2022", items, strict=True))
    mentions, relations = find(text)
    assert mentions == [name for item in items for name in item]
    assert relations <= set(items)


def test_dashes(find):
    """What stands on the other side of a dash is no part of a name."""
    mentions, _ = find(
        "Siemens\u2014based in Munich\u2014hired Carla Moss\u2014who lived in Vienna. "
        "The chancellor--Konrad Adenauer--lived in Bonn."
    )
    assert mentions == ["Siemens", "Munich", "Carla Moss", "Vienna", "Konrad Adenauer", "Bonn"]


def test_places_on_both_sides_of_an_en_dash(find):
    """The two ends of a line are two places."""
    assert find("Talks between Vienna\u2013Prague were held.")[0] == ["Vienna", "Prague"]


def test_hyphens_of_one_name(find):
    """A double given name is one person, whichever hyphen or dash it was written with."""
    names = [f"Marie{hyphen}Louise Moss" for hyphen in "-\u2010\u2011\u2013"]
    found = [find(f"{name} lived in Vienna, Austria.")[0][0] for name in names]
    assert found == names
    assert len({entity_id(name) for name in found}) == 1


def test_text_without_spaces(find):
    """A thousand Chinese characters are no name."""
    mentions, _ = find("卡拉莫斯出生在莱顿她在不来梅的造船厂工作" * 50)
    assert max(map(len, mentions), default=0) <= 20
