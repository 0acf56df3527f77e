"""Cleaning: entities, tags, backslashes, white space; what looks like damage, and what is about such things."""

import doctest
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.sources import cleaning
from kgmill.pipelines.sources.cleaning import clean, clean_by_looks

PIECES = st.sampled_from(
    ["#39;", " quot;", "&amp;", "&lt;", "#36;", "\\", "\\\\", " ", "\t", "\r\n", "\n\n\n", "Ada", "&", "#", ";"]
)


def test_doctests():
    """The examples in the docstrings hold."""
    assert doctest.testmod(cleaning).failed == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("they #39;re", "they're"),
        ("they &#39;are&#39;", "they 'are'"),
        ("#36;46 or ( #36;47)  #36;48", "$46 or ($47) $48"),
        (" quot;That #39;s all. quot;", '"That\'s all."'),
        ("AT&amp;T and AT&amp;amp;T", "AT&T and AT&T"),
        ("&lt;b&gt;", "<b>"),
        ("one  #151; two", "one \u2014 two"),
        ("&#x27;", "'"),
        ("&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two &lt;b&gt;...&lt;/b&gt;&lt;/p&gt;", "One.\n\nTwo ..."),
        ("caf&eacute;", "caf\u00e9"),
        ("is\\responsible", "is responsible"),
        ('\\\\"Sven', '"Sven'),
        ("a \t\u00a0 b", "a b"),
        ("a  \r\n  b\rc", "a\nb\nc"),
        ("a\n\n\n\n\nb", "a\n\nb"),
    ],
)
def test_damage_is_undone(text, expected):
    """What wire copies do to a text is undone."""
    assert clean(text).text == expected


@pytest.mark.parametrize("text", ["AT&T; R&D;", "issue #7; next", "&notit;", "C# and F#", "a#39;b", "100 % & more"])
def test_what_is_no_entity_stays(text):
    """An ampersand, a number sign and an unknown name are themselves; a#39; could be anything."""
    assert clean(text).text == text


@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_white_space_is_predictable(text):
    """No edge, no run and no kind of white space but one space, one line break or one empty line is left."""
    cleaned = clean(text).text
    lines = cleaned.split("\n")
    assert cleaned == cleaned.strip()
    assert all(line == " ".join(line.split()) for line in lines)
    assert "\n\n\n" not in cleaned


def test_hostile_nesting_takes_no_time_without_end():
    """Entities inside entities are undone a few times, not once a character."""
    started = time.perf_counter()
    clean("&am" * 100_000 + "&amp;" + "p;" * 100_000)
    assert time.perf_counter() - started < 5


# By its looks


@pytest.mark.parametrize(
    ("text", "expected", "counts"),
    [
        ("Turner &amp; Newall #39;s fees", "Turner & Newall's fees", (2, 0, 0)),
        ("the workers #39; rights", "the workers' rights", (1, 0, 0)),
        (" quot;That #39;s all. quot;", '"That\'s all."', (3, 0, 0)),
        ("Texas Instruments &lt;TXN.N&gt; fell", "Texas Instruments <TXN.N> fell", (2, 0, 0)),
        ('Medtronic &lt;A HREF="http://a.b/c?d=1 e=/f"&gt;MDT.N&lt;/A&gt; rose', "Medtronic MDT.N rose", (4, 2, 0)),
        ("his &lt;b&gt;...&lt;/b&gt;", "his ...", (4, 2, 0)),
        ("<p>One.</p><p>Two.</p>", "One.\n\nTwo.", (0, 4, 0)),
        ("One.<br/>Two.", "One.\nTwo.", (0, 1, 0)),
        ("just over \\$1 billion and \\$US46.75", "just over $1 billion and $US46.75", (0, 0, 2)),
        (
            "With the weeks of summer dwindling\\band after band left",
            "With the weeks of summer dwindling band after band left",
            (0, 0, 1),
        ),
        (
            "It was said in the screen.\\\\Google AdWords came",
            "It was said in the screen.\nGoogle AdWords came",
            (0, 0, 1),
        ),
        ('\\\\"Sven Jaschan left."', '"Sven Jaschan left."', (0, 0, 1)),
        ("They are well worth it ...\\\\", "They are well worth it ...", (0, 0, 1)),
    ],
)
def test_damage_is_found_by_its_looks(text, expected, counts):
    """What wire copies and scraped pages do to prose is undone and counted; white space stays."""
    assert clean_by_looks(text) == (expected, *counts)


@pytest.mark.parametrize(
    "text",
    [
        "Two  spaces \t and\n\n\n\nlines ",
        "AT&T; R&D; Q&A",
        "In HTML, write &lt;b&gt; and &amp;: <b>bold</b>, <i>so</i>.",
        "The &nbsp; entity keeps words together.",
        "The tag <b> is closed by </b>.",
        "Enter <code>&lt;b&gt;</code> here.",
        "The page is `<b>&amp;</b>`.",
        "Copy C:\\Users\\ada\\notes.txt to \\\\server\\share and press enter.",
        "Under Windows the folder is called src\\main and holds the sources.",
        "Once they had all arrived she opened src\\main\\java again.",
        "He then logged in as CORP\\alice, as he did every day.",
        'Let $x = \\alpha + \\beta$; then \\textbf{bold} K\\"onig pays \\$5.',
        "We use \\LaTeX\\ for all papers in the group\\index of 2004.",
        "if (a &lt; b && b > c) { return x; }",
        "The regex \\d+\\w matches.",
        "std::vector<a> holds it, and so does List<b>.",
        "if a <b and c> d then stop",
        "the means <p> and <x> are equal",
        "see issue #39; then go on",
        "bugs #38 and #39; both are open",
        "5 < 6 & 7 > 6",
    ],
)
def test_text_about_such_things_stays(text):
    """HTML, code, LaTeX, paths, numbered things and plain signs are no damage."""
    assert clean_by_looks(text) == (text, 0, 0, 0)


def test_unclosed_name_between_brackets_stays_among_tags():
    """In a text with markup, what is opened and never closed is a parameter of a type."""
    assert clean_by_looks("He uses Map<A> for <em>speed</em>.").text == "He uses Map<A> for speed."


@pytest.mark.parametrize("piece", ["<", "<a ", '<a b="', "\\", "a\\", "&lt;", "#39;", "$\\a", "< /", "\\(", "\n\\ "])
def test_hostile_looks_take_no_time_without_end(piece):
    """A mark a hundred thousand times is looked at in time."""
    started = time.perf_counter()
    clean_by_looks(piece * 20_000)
    assert time.perf_counter() - started < 5
