"""The visible text of a web page, its blocks in lines, so that what stands in two blocks is never in one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

_LINES = frozenset(("dd", "div", "dt", "item", "li", "row", "cell", "td", "th", "tr", "summary"))
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "caption", "center", "details", "dir", "dl", "fieldset"),
        *("figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup"),
        *("hr", "legend", "list", "main", "menu", "nav", "ol", "p", "pre", "quote", "section", "table", "ul"),
    )
)
_BREAKS = frozenset(("br", "lb"))
# What browsers don't show, or show as something else than text; `ix:header` is the hidden part of financial reports.
_UNSEEN = frozenset(
    (
        *("audio", "canvas", "datalist", "embed", "iframe", "ix:header", "link", "meta", "noframes", "noscript"),
        *("object", "rp", "script", "select", "style", "svg", "template", "textarea", "title", "video"),
    )
)
_HIDDEN = re.compile(r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_BESIDE = frozenset(("a", "aside", "button", "footer", "form", "header", "nav"))
_BESIDE_CLASS = re.compile(
    r"(?:^|\s)(?!with|has|no)(?:[a-z]+[-_])?(?:ad|ads|advert\w*|breadcrumbs?|comments?|cookies?|footer|menu|nav|navbar|"
    r"navigation|newsletter|promo|related|share|sharing|sidebar|social)(?:[-_][\w-]*)?(?=\s|$)",
    re.IGNORECASE,
)
# A line break of the page, and the ends of lines and blocks. A page's own control characters are gone before.
_BREAK, _LINE, _BLOCK = "\n", "\x0b", "\x0c"
_ENDS = re.compile(r"([\n\x0b\x0c]\s*)")
_SPACES = re.compile(r"\s+")


def visible_text(tree: Any) -> str:
    """The text that a reader would see, without scripts and what is hidden.

    Paragraphs, headings, lists and tables are set off by an empty line, list items, cells and line breaks by a line
    break. In a page without any such mark the lines are those of the source, as in `pre`.

    Args:
        tree: an lxml element, of HTML or of what trafilatura made of it.
    """
    return _laid_out(tree, _is_hidden)


def prose(tree: Any) -> str:
    """The visible text that is neither in links nor in what by its mark or class stands beside a main text."""
    return _laid_out(tree, _is_beside)


def has_blocks(tree: Any) -> bool:
    """Whether any mark of a page tells where its lines end."""
    return any(element.tag in _BLOCKS | _LINES | _BREAKS for element in tree.iterdescendants() if _own(element))


def _laid_out(tree: Any, is_left_out: Callable[[Any], bool]) -> str:
    parts = _ENDS.split("".join(_pieces(tree, is_left_out, is_plain=not has_blocks(tree))))
    parts[0::2] = [part.rstrip() for part in parts[0::2]]
    parts[1::2] = ["\n\n" if _BLOCK in end or end.count("\n") > 1 else "\n" for end in parts[1::2]]
    return "".join(parts).strip()


def _own(element: Any) -> bool:
    """Whether an element is the page's, not one of those that the parser adds around every page."""
    return not (element.tag == "head" and _is_html(element.getparent()))


def _is_html(element: Any) -> bool:
    return element is not None and element.tag == "html"


def _pieces(tree: Any, is_left_out: Callable[[Any], bool], is_plain: bool) -> Iterator[str]:
    from lxml import etree

    walk = etree.iterwalk(tree, events=("start", "end"))
    n_pre = int(is_plain)
    for event, element in walk:
        is_start, tag = event == "start", element.tag
        is_seen = isinstance(tag, str) and not is_left_out(element)
        n_pre += (1 if is_start else -1) * (tag == "pre")
        if is_seen:
            yield _BLOCK * (tag in _BLOCKS) + _LINE * (tag in _LINES) + _BREAK * (tag in _BREAKS and is_start)
        if is_start and is_seen:
            yield _text(element.text, n_pre)
        elif is_start:
            walk.skip_subtree()
        elif element is not tree:
            yield _text(element.tail, n_pre)


def _is_hidden(element: Any) -> bool:
    if element.tag in _UNSEEN or not _own(element):
        return True
    style = element.get("style")
    is_closed = element.tag == "dialog" and element.get("open") is None
    return is_closed or element.get("hidden") is not None or bool(style and _HIDDEN.search(style))


def _is_beside(element: Any) -> bool:
    if element.tag in _BESIDE or _is_hidden(element):
        return True
    names = f"{element.get('class') or ''} {element.get('id') or ''}"
    return element.tag not in ("html", "body") and bool(_BESIDE_CLASS.search(names))


def _text(text: str | None, n_pre: int) -> str:
    return (text or "") if n_pre else _SPACES.sub(" ", text or "")
