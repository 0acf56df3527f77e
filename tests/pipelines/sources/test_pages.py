"""Web pages: the main text, all text, and how one is chosen."""

import json

import pytest

from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.pipelines.sources.formats.html import read_html
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.records import Reject

SENTENCE = "The harbour board of Ostrava said that it would rent two piers to the ferry company from May on. "
NAVIGATION = "<nav><ul>" + "".join(f'<li><a href="/{n}">Section {n}</a></li>' for n in range(40)) + "</ul></nav>"
NEWS = (
    f"<html><head><title>Piers</title></head><body>{NAVIGATION}<main><h1>Piers</h1>"
    f"<p>{SENTENCE * 4}</p><p>{SENTENCE * 3}</p></main><footer><p>All rights are with the paper.</p></footer></body>"
)
# A form as registers keep it: each line a block, nothing that looks like an article, tables larger than the prose.
VOTES = "".join(f"<tr><td>Ana Novak {n}</td><td>{n},204,118</td><td>{n * 7}1,530</td></tr>" for n in range(40))
REPORT = (
    "<html><head><title>R</title></head><body><div style='display:none'>taxonomy 0000042</div>"
    "<div><span>REGISTER OF COMPANIES</span></div><div><span>Report on the meeting of Ostrava Ferries</span></div>"
    f"<div><div>{SENTENCE}</div></div><div><table>{VOTES}</table></div><p>Signed by Ana Novak</p></body>"
)


def page(folder, content, **config):
    """The only record of a page."""
    (folder / "a.html").write_text(content, encoding="utf-8")
    [record] = read_records(SourceFile(str(folder / "a.html"), "a.html", 1), SourceConfig(**config))
    return record


def test_words_left_out_of_a_page_are_counted(tmp_path):
    """Navigation and footer of an article go, and the document's notes say how many words they had."""
    document = page(tmp_path, NEWS)
    assert ("Section 7" in document.text, "rights" in document.text) == (False, False)
    assert document.text.count("Ostrava") == 7
    assert json.loads(document.notes) == {"page_words": 86}


def test_all_text_of_a_page_by_choice(tmp_path):
    """With html = "all" every visible word stays, and nothing is left out."""
    document = page(tmp_path, NEWS, html="all")
    assert ("Section 7\nSection 8\n" in document.text, document.text.endswith("All rights are with the paper.")) == (
        True,
        True,
    )
    assert (document.title, document.notes) == ("Piers", "")


def test_report_without_a_main_text_is_kept_whole(tmp_path):
    """Where the heuristic finds the tables alone, or nothing, all visible text is the document's."""
    document = page(tmp_path, REPORT)
    assert document.text.startswith(
        "REGISTER OF COMPANIES\nReport on the meeting of Ostrava Ferries\n"
        f"{SENTENCE.strip()}\n\nAna Novak 0\n0,204,118\n"
    )
    assert document.text.endswith("Signed by Ana Novak")
    assert ("taxonomy" in document.text, document.notes) == (False, "")


def test_text_in_a_wrapping_of_tags_keeps_its_lines(tmp_path):
    """A plain text between two tags is read as it is broken into lines."""
    content = "<DOCUMENT>\n<TYPE>SC\n<TEXT>\nNOTICE\n\nOstrava Ferries\n-----\n(Name of Company)\n</TEXT>\n</DOCUMENT>"
    assert page(tmp_path, content).text == "SC\n\nNOTICE\n\nOstrava Ferries\n-----\n(Name of Company)"


def test_form_that_is_no_article_is_kept(tmp_path):
    """A short form of nothing but styled blocks has text."""
    blocks = "".join(
        f"<div style='text-align:center'><font>{line}</font></div>" for line in ("FORM 6", "Ostrava", "By: Ana")
    )
    assert page(tmp_path, f"<html><body>{blocks}</body></html>").text == "FORM 6\n\nOstrava\n\nBy: Ana"


def test_list_in_a_cell_is_read(tmp_path):
    """A name in a list in a table's cell is part of the main text, a line of its own, without the table's rules."""
    cell = "<ul><li>Ana Novak</li><li>Ian Bly</li></ul>"
    table = f"<table><tr><th>Who</th><th>Where</th></tr><tr><td>{cell}</td><td>Brno</td></tr></table>"
    content = f"<html><body><article><h1>Staff</h1><p>{SENTENCE}</p>{table}<p>{SENTENCE}</p></article></body></html>"
    assert page(tmp_path, content).text.split("\n\n")[2:-1] == ["Who\nWhere", "Ana Novak", "Ian Bly", "Brno"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<h2>A</h2><p>b <b>c</b>d\n e</p>f", "A\n\nb cd e\n\nf"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "a\nb\n\nc"),
        ("<table><tr><td>a</td><td><p>b</p></td></tr><tr><td>c</td></tr></table>", "a\n\nb\n\nc"),
        ("a<br>b<br/><br>c", "a\nb\n\nc"),
        ("<pre>a  b\n  c\n\n\nd</pre>", "a  b\nc\n\nd"),
        ("<p>a<!-- x --> b<script>x</script><style>x</style><noscript>x</noscript></p>", "a b"),
        ("<p>a <span style='color:red; DISPLAY : none'>x</span><i hidden>x</i><dialog>x</dialog>b</p>", "a b"),
        ("<p>a&nbsp;&amp;&#8212;b</p>", "a &\u2014b"),
        ("<select><option>x</select><button>a</button><p><a href=y>b</a>", "a\n\nb"),
    ],
)
def test_blocks_of_a_page_are_lines(body, text):
    """Paragraphs and tables are set off by an empty line, items, cells and breaks by a line break; the unseen goes."""
    assert read_html(f"<html><head><title>x</title></head><body>{body}</body></html>", is_main=False).text == text


@pytest.mark.parametrize("body", ["", "<script>x</script>", "<div hidden>x</div>"])
def test_page_without_a_visible_text_is_a_reject(tmp_path, body):
    """A page that shows nothing is refused, whichever text is wanted."""
    record = page(tmp_path, f"<html><head><title>T</title></head><body>{body}</body></html>", html="all")
    assert record == Reject("ingest", "a.html", "a.html", "bad_html", "no text found in the page")
