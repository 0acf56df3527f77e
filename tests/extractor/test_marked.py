"""What was found in a text, as HTML for notebooks."""

from html.parser import HTMLParser

from kgmill.extractor.api import ExtractedMention, ExtractedRelation, Extraction

HOSTILE = "Ada </mark><script>alert(1)</script>\u202e met <img src=x onerror=alert(2)>\r\nAcme & Sons"


class Read(HTMLParser):
    """The elements of a piece of HTML, their attributes, and the text of marks."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.marks, self.text = [], set(), [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag == "mark":
            self.marks.append("")

    def handle_data(self, data):
        self.text += data
        if self.marks and self.tags[-1] == "mark":
            self.marks[-1] += data


def extraction(text, *spans):
    """Mentions of spans, each (begin, end, type), and a relation of the first to the last."""
    mentions = tuple(ExtractedMention(begin, end, text[begin:end], kind, 0.9) for begin, end, kind in spans)
    return Extraction(mentions, (ExtractedRelation(mentions[0], mentions[-1], "works <for>", 0.75),), text)


def test_hostile_text_stays_text():
    """No text, type or relation of a corpus becomes an element or an attribute, or turns the text around it."""
    html = extraction(HOSTILE, (0, 37, '"><b>'), (HOSTILE.index("Acme"), len(HOSTILE), "Org"))._repr_html_()

    read = Read(html)
    assert set(read.tags) == {"div", "mark", "span", "table", "tr", "th", "td", "i"}
    assert read.attributes == {"style", "title"}
    assert "<script>alert(1)</script>" in read.text
    assert "works <for>" in read.text
    assert not {"\u202e", "\r"} & {*html}


def test_mentions_are_marked_with_their_types():
    """Each mention is marked, also one within another; its type stands behind it; the relation is a row."""
    text = "She left the University of Paris."
    html = extraction(text, (13, 32, "Organization"), (27, 32, "Place"))._repr_html_()

    read = Read(html)
    assert read.marks == ["University of ", "Paris"]
    assert "ParisPlaceOrganization." in read.text
    assert "University of Parisworks <for>Paris0.750" in read.text


def test_nothing_found():
    """A text in which nothing was found is shown as it is."""
    assert Read(Extraction((), (), "Nobody.")._repr_html_()).text == "Nobody."
