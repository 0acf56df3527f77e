"""Markdown to plain text: a file is a document."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from kgmill.pipelines.sources.encodings import decode
from kgmill.pipelines.sources.fields import Content
from kgmill.pipelines.sources.formats import Records, SourceFormat
from kgmill.pipelines.sources.parsing import front_matter
from kgmill.pipelines.sources.streams import Stream
from kgmill.pipelines.sources.whole_file import file_document, read_whole
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.errors import RecordError

# The parser takes the square of these marks' number in a paragraph: 28 seconds for 200,000 brackets.
_MAX_MARKS = 10_000
_BLANK_LINE = re.compile(r"\n[ \t]*\r?\n")
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|<[^<>]*>", re.DOTALL)


def read(stream: Stream, config: SourceConfig) -> Records:
    """The file's text, without markup."""
    decoded = decode(read_whole(stream, config.max_record_bytes), config.encodings)
    yield file_document(read_markdown(decoded.text), stream, decoded, config)


def read_markdown(source: str) -> Content:
    """The text of a Markdown file, a paragraph a block; its title is the first heading of the first level.

    A front matter says title, date and metadata. Markup, HTML tags and link targets go; code stays. A file with a
    paragraph of more than 10,000 brackets, asterisks and the like is taken as plain text.

    Raises:
        RecordError: `bad_markdown`: the parser broke on it.
    """
    front, body = front_matter.split(source)
    if any(sum(map(block.count, "[*_`<>")) > _MAX_MARKS for block in _BLANK_LINE.split(body)):
        return Content(body, front.title, front.date, front.metadata, front.notes, is_clean=True)
    try:
        tokens = _markdown().parse(body)
    except Exception as error:  # whatever a hostile file does to the parser costs that file alone
        raise RecordError("bad_markdown", f"{type(error).__name__}: {error}"[:200]) from None
    blocks, title, opened = [], "", ""
    for token in tokens:
        if token.type == "inline":
            blocks.append(_inline(token.children or []))
            title = title or (blocks[-1] if opened == "h1" else "")
        elif token.type in ("fence", "code_block"):
            blocks.append(token.content)
        elif token.type == "html_block":
            blocks.append(_TAG.sub("", token.content))
        opened = token.tag if token.type == "heading_open" else ""
    text = "\n\n".join(block for block in map(str.strip, blocks) if block)
    return Content(text, front.title or title, front.date, front.metadata, front.notes, is_clean=True)


@lru_cache(maxsize=1)
def _markdown() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"maxNesting": 100}).enable("table")


def _inline(tokens: list[Any]) -> str:
    pieces = []
    for token in tokens:
        if token.type in ("text", "code_inline", "text_special"):
            pieces.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            pieces.append("\n")
        elif token.type == "image":
            pieces.append(_inline(token.children or []))
    return "".join(pieces)


FORMAT = SourceFormat((".md", ".markdown"), read)
