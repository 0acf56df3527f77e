"""Web pages to plain text, with what they say of themselves: a file is a document."""

from __future__ import annotations

import codecs
import logging
import re
from functools import lru_cache
from typing import Any

from kgmill.pipelines.sources.encodings import decode
from kgmill.pipelines.sources.fields import Content
from kgmill.pipelines.sources.formats import Records, SourceFormat
from kgmill.pipelines.sources.parsing.page_text import has_blocks, prose, visible_text
from kgmill.pipelines.sources.streams import Stream
from kgmill.pipelines.sources.whole_file import file_document, read_whole
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.errors import RecordError
from kgmill.schemas.text import storable

# trafilatura takes half a minute a megabyte at worst (nothing but paragraphs of one letter).
MAX_HTML_BYTES = 8 << 20
# Of the page itself: a script has a charset of its own.
_DECLARED = re.compile(
    rb"""<(?:meta\s[^>]{0,500}?charset|\?xml\s[^>]{0,500}?encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""",
    re.IGNORECASE,
)
_HEAD_BYTES = 4096
# Python's names of encodings that pages are in; it has others that are none, such as `hex`.
_PAGES = re.compile(r"utf-8$|cp\d|iso8859-|koi8|gb|big5|euc_|shift_|mac-|tis-")
# What browsers read when a page says the first: https://encoding.spec.whatwg.org
_MEANT = {
    "utf-16": "utf-8",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
}
# htmldate would take today for the latest date that a page can have, and a text must not depend on the day.
_DATES = {"original_date": True, "extensive_search": False, "max_date": "2199-12-31"}
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Of 30 pages the main text was 0.56 of the prose and more where it was one, and 0.28 where it was a report's tables.
# What has next to nothing beside its prose is no page of a site but a report, from which little should go.
_SHARE_OF_PAGE = 0.5
_SHARE_OF_REPORT = 0.8
_HARDLY_ELSE = 0.9
_WORDS_OF_A_SENTENCE = 8


def read(stream: Stream, config: SourceConfig) -> Records:
    """The page's main text, or all of it, as the configuration says."""
    data = read_whole(stream, min(config.max_record_bytes, MAX_HTML_BYTES))
    if not data.strip():
        raise RecordError("empty", "the text is empty")
    declared = "" if config.encodings else declared_encoding(data)
    decoded = decode(data, config.encodings, declared=declared)
    yield file_document(read_html(decoded.text, is_main=config.html == "main"), stream, decoded, config)


def declared_encoding(data: bytes) -> str:
    """The encoding that the head of an HTML file names, if it is one of pages that Python knows; empty: none."""
    match = _DECLARED.search(data[:_HEAD_BYTES])
    try:
        name = codecs.lookup(match[1].decode("ascii")).name if match else ""
    except LookupError:
        return ""
    name = _MEANT.get(name, name)
    return name if _PAGES.match(name) else ""


def read_html(source: str, *, is_main: bool = True) -> Content:
    """The main text of a web page, without navigation, advertisements and comments; or all text that a reader sees.

    Where the main text that is found is none, or far shorter than what a page says outside of links and navigation, it
    is all text too: a report or a form has no such main text. The words that are left out are noted as `page_words`.

    Raises:
        RecordError: `bad_html`: there is no text.
    """
    try:
        tree = _parse(storable(_NO_TEXT.sub(" ", source)))
        everything = visible_text(tree)
    except Exception as error:  # whatever a hostile page does to the parser costs that page alone
        raise RecordError("bad_html", f"{type(error).__name__}: {error}"[:200]) from None
    if not everything:
        raise RecordError("bad_html", "no text found in the page")
    beside_links = prose(tree)
    main, said = _main_text(tree, is_main=is_main and has_blocks(tree))
    text = main if _is_enough(main, beside_links, everything) else everything
    metadata = {name: value for name in ("author", "sitename", "url") if (value := getattr(said, name, None))}
    title, date = (getattr(said, name, None) or "" for name in ("title", "date"))
    n_left_out = max(0, _n_words(everything) - _n_words(text))
    return Content(text, title, date, metadata, {"page_words": n_left_out}, is_clean=True)


def _parse(source: str) -> Any:
    tree = _trafilatura().load_html(source)
    if tree is not None:
        return tree
    from lxml import html  # trafilatura takes a page with hardly a mark for none

    parser = html.HTMLParser(encoding="utf-8", default_doctype=False, remove_comments=True, remove_pis=True)
    return html.document_fromstring(source.encode(), parser)


def _main_text(tree: Any, *, is_main: bool) -> tuple[str, Any]:
    """What trafilatura takes for the page's main text, and what it knows of the page; the tree is changed."""
    extraction, metadata = _trafilatura().bare_extraction, _trafilatura().extract_metadata
    for inner in tree.xpath("//td//ul|//td//ol|//th//ul|//th//ol"):  # it forgets lists in cells
        for item in inner:
            item.tag = "p"
        inner.drop_tag()
    try:
        found = None
        if is_main:
            found = extraction(tree, include_comments=False, with_metadata=True, date_extraction_params=dict(_DATES))
        if found is None or found.body is None:
            return "", metadata(tree, date_config=dict(_DATES))
        return visible_text(found.body), found
    except Exception:  # as above, but the text is there
        return "", None


def _is_enough(main: str, beside_links: str, everything: str) -> bool:
    """Whether a main text is one: both by all its characters and by those of its sentences, as tables may outweigh."""
    is_page = _n_characters(beside_links) < _HARDLY_ELSE * _n_characters(everything)
    share = _SHARE_OF_PAGE if is_page else _SHARE_OF_REPORT
    return bool(main) and all(n(main) >= share * n(beside_links) for n in (_n_characters, _n_in_sentences))


def _n_characters(text: str) -> int:
    return len("".join(text.split()))


def _n_in_sentences(text: str) -> int:
    return sum(len(line) for line in text.split("\n") if _n_words(line) >= _WORDS_OF_A_SENTENCE)


def _n_words(text: str) -> int:
    return len(text.split())


@lru_cache(maxsize=1)
def _trafilatura() -> Any:
    import trafilatura

    for name in ("trafilatura", "htmldate", "courlan"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what is wrong with a page is in the rejects
    return trafilatura


FORMAT = SourceFormat((".html", ".htm"), read)
