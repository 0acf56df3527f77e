"""What an extractor takes for a name in a text's head and is none of what the text tells: the agency's."""

from __future__ import annotations

from kgmill.schemas.records import Document


def head_rule(document: Document, begin: int, end: int) -> str:
    """The name of the rule by which a mention in a document's head is left out; empty where it stays.

    `agency`: the mention lies in the head and outside of its dateline and byline, where nothing stands but agencies and
    their writers' titles.

    >>> document = Document("d", "a", "", "OSLO (AP) - Ada", "{}", "", head=12, dateline="OSLO", agency="AP")
    >>> [head_rule(document, *span) for span in ((0, 4), (6, 8), (12, 15))]
    ['', 'agency', '']
    """
    head = document.text[: document.head]
    if end > len(head):
        return ""
    byline_at, dateline_at = head.find(document.byline), head.rfind(document.dateline)
    kept = ((byline_at, document.byline), (dateline_at, document.dateline))
    return "" if any(begin < at + len(part) and at < end for at, part in kept if part) else "agency"
