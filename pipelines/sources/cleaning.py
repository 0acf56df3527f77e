r"""Cleaning a text before it is stored: HTML entities, tags, stray backslashes. Offsets index what comes out.

`clean` takes a text for damaged because somebody says so, `clean_by_looks` only what looks like damage and like nothing
else: markup in prose that is not about markup, and backslashes that stand where a line of prose ended. A text about
HTML, code, LaTeX or paths keeps what it has.
"""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import NamedTuple

# Some wire copies have a space in the place of every ampersand: `company #39;s` for `company's`, `( #36;5` for `($5`.
_BARE = r"(?: |(?<![\w&;]))(?:#(?P<bare>[0-9]{2,7})|(?P<word>quot|amp|apos|lt|gt|nbsp));"
_BARE_ENTITY = re.compile(_BARE)
_ENTITY = re.compile(
    rf"&#(?P<number>[0-9]{{1,7}}|[xX][0-9a-fA-F]{{1,6}});|&(?P<name>[A-Za-z][A-Za-z0-9]{{1,31}};)|{_BARE}"
)
_MAX_PASSES = 8
_SYMBOLS = frozenset(map(ord, "\"#$%&'<>"))  # the ASCII characters that are escaped at all
_NUMBERED = re.compile(
    r"#[0-9]+(?![0-9;])|(?:issue|bug|ticket|request|item|number|see|fixes|closes|PR):? +#[0-9]", re.I
)

_BLOCKS = (
    "address|article|aside|blockquote|body|br|caption|center|dd|div|dl|dt|figcaption|figure|footer|form|h[1-6]|head|"
    "header|hr|html|li|main|nav|ol|p|section|table|tbody|tfoot|thead|title|tr|ul"
)
_INLINES = (
    "a|abbr|acronym|b|big|cite|del|dfn|em|font|i|img|ins|kbd|label|link|mark|meta|nobr|q|s|samp|small|span|strike|strong|"
    "sub|sup|td|th|time|tt|u|var|wbr"
)
_ATTRIBUTE = r"""[\s\\]+[a-zA-Z][\w:-]{0,30}=(?:"[^"<>]{0,999}"|'[^'<>]{0,999}'|[^\s"'<>]{1,999})"""
_TAG = re.compile(
    rf"<(?P<end>/?)(?P<name>{_BLOCKS}|{_INLINES})(?P<attributes>(?:{_ATTRIBUTE}){{0,20}})[\s\\]{{0,9}}/?>", re.I
)
_BLOCK = re.compile(_BLOCKS, re.I)

_BACKSLASHES = re.compile(r"\\+")
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")

_SUSPECT = re.compile(r"[&\\<]|#[0-9]{2,7};|\b(?:quot|amp|apos|lt|gt|nbsp);")
_LT, _GT = "(?:<|&lt;)", "(?:>|&gt;)"
_ABOUT_MARKUP = re.compile(
    rf"(?<![\w.])(?:X?HTML\d?|XML|SGML|JavaScript|markup|escaping|ampersand)\b|```|`[^`\n]{{0,200}}[<&\\]|;\W{{0,3}}(?:entity|character|escape|code)\b"
    rf"|\b(?:tag|element|attribute|entity)s?\W{{0,3}}{_LT}|{_GT}\W{{0,3}}(?:tag|element|attribute|entity)s?\b"
    rf"|\b(?:entity|entities|reference)\W{{1,3}}&|{_LT}/?(?:code|pre|script|style|textarea|xml|xsl)\b",
    re.I,
)
_ABOUT_CODE = re.compile(
    r"[{}][ \t]*$|[)\w];[ \t]*\n[ \t]*\w[^\n]*;[ \t]*$|[=!]=|=>|->|::|&&|\|\||\w\(\);"
    r"|^[ \t]*(?:#include|def \w+\(|import \w+$)",
    re.M,
)
_ABOUT_BACKSLASHES = re.compile(
    r"\b[A-Za-z]:\\|\\\w+\\|\b(?:sub)?(?:folder|director(?:y|ies)|path|registry|regex|regexp|backslash(?:es)?|escape)s?\b"
    r"|\bHK(?:EY_|LM|CU)|\b(?:La)?TeX\b|\\(?:begin|end|item|alpha|beta|gamma|frac|cite|ref|text\w*|left|right)\b"
    r"|\\[a-zA-Z]+\s?[{\[]|\\[(\[].{0,200}\\[)\]]|\$[^$\n]{0,200}\\[a-z][^$\n]{0,200}\$",
    re.I,
)
_ESCAPED_DOLLAR = re.compile(r"\\(?=\$(?:\d|\.\d|[A-Z]{1,3}\d))")
_ALONE = re.compile(r"^[^\S\n]*\\+[^\S\n]*$|\A\s*\\+(?=[\"'“A-Z][^\s\\]*\s)", re.M)
_BREAK = re.compile(r"""(?<=[\w.,;:!?"')%\]-])(?P<run>\\{1,4})(?P<space>[ ]?)(?=[\w"'(#-])""")
_NO_PROSE = re.compile(r"[/_@=`<>|~^*+]|[a-z0-9]\.[a-z0-9]|(?<![\w.])[A-Z]{2,}\\")
_MIN_LINE, _MAX_LINE, _MIN_SPACES = 20, 200, 3  # a line of prose before a backslash that stands for its end


class Cleaned(NamedTuple):
    """A text as it is stored, and how many entities, tags and backslashes of it were replaced or dropped."""

    text: str
    n_entities: int = 0
    n_tags: int = 0
    n_backslashes: int = 0

    @property
    def notes(self) -> dict[str, int]:
        """The counts by rule."""
        rules = ("markup.entities", "markup.tags", "markup.backslashes")
        return dict(zip(rules, self[1:], strict=True))


def clean(text: str) -> Cleaned:
    r"""The text as a reader would see it, whatever it looks like.

    Entities become their characters, also twice escaped ones and common ones without an ampersand; HTML tags go, where
    the text is marked up with them; a run of backslashes becomes a space; a run of white space becomes one space, one
    line break or one empty line; the ends are stripped.

    >>> clean("Turner &amp;amp; Newall #39;s fees,  #36;5\\\\per  share\r\n").text
    "Turner & Newall's fees, $5 per share"
    """
    text, n_entities = _decode(text, _ENTITY)
    text, n_tags = _drop_tags(text)
    text, n_backslashes = _BACKSLASHES.subn(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    return Cleaned(_in_paragraphs(_SPACES.sub(" ", text)), n_entities, n_tags, n_backslashes)


def clean_by_looks(text: str) -> Cleaned:
    r"""The text without what looks like damage and like nothing else; white space stays, but where tags went.

    >>> clean_by_looks("Profits at T &amp; N #39;s plant in St. Louis are\\dwindling to \\$5 <b>a day</b>.").text
    "Profits at T & N's plant in St. Louis are dwindling to $5 a day."
    >>> clean_by_looks("The tag <b> is closed by </b>; C:\\new\\notes").text
    'The tag <b> is closed by </b>; C:\\new\\notes'
    """
    if not _SUSPECT.search(text):
        return Cleaned(text)
    is_code = bool(_ABOUT_CODE.search(text))
    has_markup = not (is_code or _ABOUT_MARKUP.search(text))
    has_strays = "\\" in text and not (is_code or _ABOUT_BACKSLASHES.search(text))
    text, n_entities = _decode(text, _ENTITY if has_markup else _BARE_ENTITY, is_sure=False)
    text, n_tags = _drop_tags(text) if has_markup else (text, 0)
    text, n_backslashes = _drop_strays(text) if has_strays else (text, 0)
    return Cleaned(text, n_entities, n_tags, n_backslashes)


def _decode(text: str, entity: re.Pattern[str], *, is_sure: bool = True) -> tuple[str, int]:
    """The text with characters for entities; where nobody is sure, numbers that may count things stay."""
    is_counting = not is_sure and bool(_NUMBERED.search(text))
    n = 0

    def character(match: re.Match[str]) -> str:
        nonlocal n
        groups = match.groupdict()
        bare = groups["bare"]
        if bare and not is_sure and (is_counting or not (int(bare) in _SYMBOLS or int(bare) > 127)):
            return match[0]
        if name := groups.get("name") or (groups["word"] and f"{groups['word']};"):
            found = html5.get(name, match[0])
        else:
            found = html.unescape(f"&#{groups.get('number') or bare};")
        n += found != match[0]
        return found

    for _ in range(_MAX_PASSES):  # a bound, as hostile text could ask for a pass a character
        decoded = entity.sub(character, text)
        if decoded == text:
            break
        text = decoded
    return text, n


def _drop_tags(text: str) -> tuple[str, int]:
    """The text without HTML's tags, if it has one with an attribute, a line break, or one that is opened and closed.

    A block's tag is a line break. Anything else between angle brackets, such as `<TXN.N>`, is text.
    """
    opened: set[str] = set()
    closed: set[str] = set()
    is_marked_up = False
    for tag in _TAG.finditer(text):
        name = tag["name"].lower()
        is_marked_up |= bool(tag["attributes"]) or name == "br" or (bool(tag["end"]) and name in opened)
        (closed if tag["end"] else opened).add(name)
    if not is_marked_up:
        return text, 0
    n = 0

    def without(tag: re.Match[str]) -> str:
        nonlocal n
        is_block = _BLOCK.fullmatch(tag["name"])
        if not (is_block or tag["attributes"] or tag["name"].lower() in closed & opened):
            return tag[0]  # Map<A>
        n += 1
        return "\n" if is_block else ""

    text = _TAG.sub(without, text)
    return _in_paragraphs(text), n


def _in_paragraphs(text: str) -> str:
    """The text without spaces at the ends of its lines, and with one empty line where there are several."""
    return _BLANK_LINES.sub("\n\n", "\n".join(map(str.strip, text.split("\n")))).strip()


def _drop_strays(text: str) -> tuple[str, int]:
    r"""The text without backslashes that escape dollars, stand alone, or stand where a line or a paragraph ended."""
    text, n_dollars = _ESCAPED_DOLLAR.subn("", text)
    text, n_alone = _ALONE.subn("", text)
    if text.rstrip().endswith("\\"):
        text, n_alone = text.rstrip().rstrip("\\").rstrip(), n_alone + 1
    begin = n = 0

    def space(match: re.Match[str]) -> str:
        nonlocal begin, n
        line = text[max(begin, match.start() - _MAX_LINE) : match.start()].rpartition("\n")[2]
        is_long = len(line) >= _MIN_LINE and line.count(" ") >= _MIN_SPACES
        following = text[match.end() : match.end() + 1]
        is_paragraph = len(match["run"]) == 2 and not match["space"] and not following.islower()
        token = line.rpartition(" ")[2] + match[0] + text[match.end() : match.end() + 40].split(maxsplit=1)[0]
        if not (is_long or is_paragraph) or _NO_PROSE.search(token):
            return match[0]
        begin = match.end()
        n += 1
        return "\n" if is_paragraph else " "

    return _BREAK.sub(space, text), n_dollars + n_alone + n
