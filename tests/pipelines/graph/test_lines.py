"""Terms and lines of N-Quads."""

import io
import sys
from pathlib import Path

import pyoxigraph
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st

from kgmill.pipelines.graph.lines import decimal, integer, iri, literal, point_in_time, quad, tagged, triple_term

C14N = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "rdf-c14n"
SUITES = {
    "n-triples": ("nt", pyoxigraph.RdfFormat.N_TRIPLES),
    "n-quads": ("nq", pyoxigraph.RdfFormat.N_QUADS),
}
MF = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
STRING = "http://www.w3.org/2001/XMLSchema#string"
S, P, G = "<http://a.example/s>", "<http://a.example/p>", "<http://a.example/g>"
HOSTILE = st.text(
    st.sampled_from(
        "a\x00\x01\x08\t\n\x0b\f\r\x1f \"'\\<>]&\x7f\x80\x85\u2028\u0301\ufffe\uffff\ufdd0\ud800\udfff😀\U0001fffe"
    )
    | st.characters()
)
needs_suites = pytest.mark.skipif(not C14N.is_dir(), reason=f"the W3C canonicalization suites are not at {C14N}")


def cases(suite):
    """The cases of a suite's manifest: the file to read, and the file with its canonical form."""
    folder = C14N / suite
    if not folder.is_dir():
        return []
    triples = list(pyoxigraph.parse(path=folder / "manifest.ttl", base_iri="file:///"))
    by_predicate = {
        name: {
            t.subject.value: folder / t.object.value.rpartition("/")[2]
            for t in triples
            if t.predicate.value == MF + name
        }
        for name in ("action", "result")
    }
    return [(by_predicate["action"][case], by_predicate["result"][case]) for case in sorted(by_predicate["action"])]


def read(suite, path):
    return list(pyoxigraph.parse(path=path, format=SUITES[suite][1]))


def write_term(term):
    if isinstance(term, pyoxigraph.NamedNode):
        return iri(term.value)
    if isinstance(term, pyoxigraph.BlankNode):  # the graph has none
        return str(term)
    if isinstance(term, pyoxigraph.Triple):
        return triple_term(*map(write_term, (term.subject, term.predicate, term.object)))
    if term.language:
        return tagged(term.value, f"{term.language}--{term.direction}" if term.direction else term.language)
    type_ = "" if term.datatype.value == STRING else f"^^{iri(term.datatype.value)}"
    return literal(term.value) + type_


def write(q):
    line = [write_term(term) for term in (q.subject, q.predicate, q.object)]
    if isinstance(q.graph_name, pyoxigraph.DefaultGraph):
        return quad(*line, G).replace(f" {G} .", " .")
    return quad(*line, iri(q.graph_name.value))


@needs_suites
@pytest.mark.parametrize(
    ("suite", "given_path", "canonical"),
    [pytest.param(suite, *case, id=f"{suite}/{case[0].stem}") for suite in SUITES for case in cases(suite)],
)
def test_w3c_canonical_form(suite, given_path, canonical):
    """What a W3C case says comes out byte for byte as its canonical form."""
    written = "".join(write(q) for q in read(suite, given_path))

    assert canonical.read_bytes() == written.encode()


@needs_suites
def test_w3c_suites_are_whole():
    """Both suites have all their cases: 82."""
    assert [len(cases(suite)) for suite in SUITES] == [41, 41]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", '"plain"'),
        ("", '""'),
        ("\b\t\n\f\r\"\\'", r""" "\b\t\n\f\r\"\\'" """.strip()),
        ("\x00\x0b\x1f\x7f", r'"\u0000\u000B\u001F\u007F"'),
        ("\ufffe\uffff", r'"\uFFFE\uFFFF"'),
        ("é\x80\x85\u2028\ufdd0😀", '"é\x80\x85\u2028\ufdd0😀"'),
    ],
)
def test_literal_escapes_what_the_canonical_form_escapes(text, expected):
    """Eight characters have short escapes, other ASCII controls and two noncharacters long ones, all else is raw."""
    assert expected == literal(text)


def test_every_character_is_escaped_or_stays():
    """Canonical N-Quads escape the controls, the quote, the backslash and what is no character; all else stays."""
    short = dict(zip('\b\t\n\f\r"\\', ("\\b", "\\t", "\\n", "\\f", "\\r", '\\"', "\\\\"), strict=True))
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        expected = short.get(character, character)
        if expected == character and (code < 0x20 or code in (0x7F, 0xFFFE, 0xFFFF)):
            expected = f"\\u{code:04X}"
        if 0xD800 <= code < 0xE000:
            expected = "\ufffd"
        assert literal(f"a{character}b") == f'"a{expected}b"'


def test_lone_surrogate_becomes_the_replacement_character():
    """A literal can always be written as UTF-8."""
    assert literal("a\ud83db") == '"a\ufffdb"'


def test_integer():
    """A count or an offset is an xsd:integer."""
    assert integer(2048) == '"2048"^^<http://www.w3.org/2001/XMLSchema#integer>'


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        (0.9312, "0.9312"),
        (1.0, "1"),
        (0.0, "0"),
        (5e-5, "0.00005"),
        (1e-9, "0"),
        (0.12345678, "0.123457"),
        (0.9999999, "1"),
    ],
)
def test_decimal_is_fixed_point(value, digits):
    """A confidence has at most six places, no exponent and no trailing zeros."""
    assert decimal(value) == f'"{digits}"^^<http://www.w3.org/2001/XMLSchema#decimal>'


@settings(max_examples=200, deadline=None)
@given(value=st.floats(0, 1), count=st.integers(0, 2**40))
def test_a_store_keeps_numbers_as_they_are(value, count):
    """Oxigraph, which normalises numbers, gives back the line that it was given."""
    lines = {quad(S, P, decimal(value), G), quad(S, P, integer(count), G)}
    store = pyoxigraph.Store()

    store.load("".join(lines).encode(), format=pyoxigraph.RdfFormat.N_QUADS)

    dump = store.dump(format=pyoxigraph.RdfFormat.N_QUADS).decode()
    assert lines == set(dump.splitlines(keepends=True))


def test_quad_is_one_canonical_line():
    """Single spaces between the terms, and a point and a line break after them."""
    assert quad(S, P, '"o"', G) == '<http://a.example/s> <http://a.example/p> "o" <http://a.example/g> .\n'


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=3))
def test_strict_parser_reads_back_hostile_text(texts):
    """Whatever a text holds, pyoxigraph reads the lines back to it, with U+FFFD for lone surrogates."""
    data = "".join(quad(S, P, literal(text), G) for text in texts).encode()

    parsed = [q.object.value for q in pyoxigraph.parse(data, format=pyoxigraph.RdfFormat.N_QUADS)]

    assert [replace_surrogates(text) for text in texts] == parsed


@pytest.mark.filterwarnings("ignore:Dataset.*:DeprecationWarning")  # rdflib's own parser calls what rdflib deprecates
@settings(max_examples=200, deadline=None)
@given(text=HOSTILE)
def test_rdflib_reads_back_hostile_text(text):
    """Whatever a text holds, rdflib reads the line back to it, with U+FFFD for lone surrogates."""
    dataset = rdflib.Dataset()

    dataset.parse(io.BytesIO(quad(S, P, literal(text), G).encode()), format="nquads")

    assert [rdflib.Literal(replace_surrogates(text))] == [value for _, _, value, _ in dataset.quads()]


def replace_surrogates(text):
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2004", '"2004"^^gYear'),
        ("2004-05", '"2004-05"^^gYearMonth'),
        ("2004-02-29", '"2004-02-29"^^date'),
        ("2004-05-03T10:00:00", '"2004-05-03T10:00:00"^^dateTime'),
        ("2004-05-03T01:00:00.25+02:00", '"2004-05-02T23:00:00Z"^^dateTime'),
        *((value, "") for value in ("", "0000", "2004-13", "2003-02-29", "20040503", "2004-05-03T25:00:00", "may")),
        *(
            (value, "")
            for value in ("0001-01-01T00:00:00+09:00", "2004-05-03\n", "\u0662\u0660\u0660\u0664", "2004-W01")
        ),
    ],
)
def test_point_in_time(value, expected):
    """A date takes the type of its form, a time is in UTC; what is no date of the calendar is no term."""
    assert point_in_time(value).replace("<http://www.w3.org/2001/XMLSchema#", "").rstrip(">") == expected


@given(st.datetimes(timezones=st.none() | st.timezones()).map(lambda moment: moment.isoformat()) | HOSTILE)
def test_points_in_time_are_valid_and_stay_as_they_are(value):
    """A store gives back what it was given, so that a dump equals the file that was loaded."""
    if term := point_in_time(value):
        line = quad(S, P, term, G)
        [parsed] = pyoxigraph.parse(line.encode(), format=pyoxigraph.RdfFormat.N_QUADS)
        store = pyoxigraph.Store()
        store.add(parsed)
        assert store.dump(format=pyoxigraph.RdfFormat.N_QUADS).decode() == line
