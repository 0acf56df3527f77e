"""The records that flow through a build. Offsets are Unicode code points of the stored text, ends exclusive.

docs/data.md is made of these docstrings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Document:
    """One text of the corpus, as it is stored.

    Attributes:
        doc_id: unique in a dataset.
        source: where it came from: a file's path below its source, with `!path` for a member of an archive and `:line`
            (in Parquet `:row`) for a record of a file.
        title: empty when there is none.
        text: the stored text; every offset in the graph indexes it.
        metadata: the other fields of the record, as JSON with sorted keys.
        sha256: of the text, as 64 hex digits.
        date: what the source says; ISO 8601 where it can be read as such; empty when there is none.
        encoding: the encoding that the text came in, by Python's name for it.
        notes: what was left out or replaced while it was read, as JSON {rule: how often} with sorted keys; empty where
            nothing was.
        head: how many code points of the text are its head: dateline, agency and byline, up to the first sentence.
        dateline: the place and the date in the head, as they stand there.
        agency: the first agency in the head.
        byline: the authors' names in the head.
    """

    doc_id: str
    source: str
    title: str
    text: str
    metadata: str
    sha256: str
    date: str = ""
    encoding: str = "utf-8"
    notes: str = ""
    head: int = 0
    dateline: str = ""
    agency: str = ""
    byline: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """A span of a document with an entity type.

    Attributes:
        doc_id: of the document.
        sentence: the sentence's number in its document, from 0.
        mention_begin, mention_end: where it is in the document's text.
        text: the span itself, as it stands in the document.
        type: by the ontology's name; for a name the one that all documents agree on.
        confidence: probability in [0, 1].
        entity_id: the entity that the mention names (`kgmill.pipelines.resolution`); empty where the type is a literal
            one.
        rule: by which it names another one than its own text would; empty where it doesn't.
    """

    doc_id: str
    sentence: int
    mention_begin: int
    mention_end: int
    text: str
    type: str
    confidence: float
    entity_id: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """A typed, ordered pair of mentions in one sentence, or in two of a paragraph that were read together.

    Attributes:
        statement_id: `kgmill.schemas.identity.statement_id` of document, offsets and type.
        fact_id: the fact that the relation is evidence of.
        doc_id: of the document.
        sentence: the sentence's number in its document, from 0; of two sentences, the first one's.
        sentence_begin, sentence_end: where the sentence is in the document's text; where mentions of two sentences are
            related, from the beginning of the first to the end of the second, and that is the sentence meant below.
        type: by the ontology's name.
        head_begin, head_end: where the mention is that is the head.
        tail_begin, tail_end: where the mention is that is the tail.
        confidence: probability in [0, 1].
        head_entity: the entity that is spoken of; a country, where the mention names its people.
        tail_entity: the same; empty where the tail is a value.
        value, datatype: of the tail, as in a fact.
        stance: `negated`, `hedged`, `opposed`, `foreign`, `placed`, `beside`, `cited`, `language`, `turned`,
            `credited`, `apart`, `unsaid` or `reported`, where the sentence doesn't state it (`kgmill.schemas.stance`).
        text_key: of the sentence (`kgmill.schemas.identity.text_key`): copies of one text are one witness.
        date: of the document.
        sentence_text: as it stands in the document; empty where it has more than 2,000 characters.
    """

    statement_id: str
    fact_id: str
    doc_id: str
    sentence: int
    sentence_begin: int
    sentence_end: int
    type: str
    head_begin: int
    head_end: int
    head_entity: str
    tail_begin: int
    tail_end: int
    tail_entity: str
    confidence: float
    value: str = ""
    datatype: str = ""
    stance: str = ""
    text_key: str = ""
    date: str = ""
    sentence_text: str = ""


@dataclass(frozen=True, slots=True)
class Entity:
    """A node of the graph: all mentions of one thing.

    Attributes:
        entity_id: made of its name; the end of its IRI.
        type: by the ontology's name.
        n_mentions: mentions of it, by whatever name.
        n_documents: documents that mention it.
        label: the commonest of its names (`kgmill.schemas.names.label_of`), of equally common ones the smallest; short
            forms and acronyms only where it has no other; a country's usual full name where it is among them.
        confidence: of the surest mention, in [0, 1].
    """

    entity_id: str
    type: str
    label: str
    n_mentions: int
    n_documents: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Name:
    """A name that an entity has in the corpus.

    Attributes:
        entity_id: of the entity.
        n_mentions: mentions by this name, under this rule.
        name: as in a label.
        rule: by which it is the entity's, where its own text alone would not say so (`Mention.rule`).
    """

    entity_id: str
    name: str
    rule: str
    n_mentions: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A relation between two entities, or of an entity and a value.

    Attributes:
        fact_id: made of its ends and its relation.
        head: an entity's id.
        relation: by the ontology's name.
        tail: an entity's id; empty where the fact has a value.
        confidence: that it is right, in [0, 1] (`kgmill.pipelines.facts`).
        n_evidence: sentences that state it, equal ones once.
        n_documents: documents that state it.
        value: a date, month or year as RDF writes it, or the words of the text (`kgmill.schemas.literals`).
        datatype: the full IRI of the value's XSD type; empty where the tail is an entity.
        share: of the sentences that name both ends, equal ones once, how many state it.
        first, last: the earliest and the latest date of its documents; empty where none has one.
        asserted: sure enough to be told as a plain triple, and stated, not denied or supposed, nor overruled.
        conflict_share: where its relation is functional, its confidence against the sum of its own and of those of the
            facts that contradict it (`kgmill.pipelines.conflicts`); 1 where none does.
        overruled_by: the id of the strongest fact that contradicts it and stands; empty where none does.
    """

    fact_id: str
    head: str
    relation: str
    tail: str
    confidence: float
    n_evidence: int
    n_documents: int
    value: str = ""
    datatype: str = ""
    share: float = 1.0
    first: str = ""
    last: str = ""
    asserted: bool = True
    conflict_share: float = 1.0
    overruled_by: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The surest relation mention of a sentence behind a fact, down to offsets.

    Attributes:
        fact_id: of the fact.
        statement_id: of the relation.
        doc_id: of the document.
        sentence_begin, sentence_end: where the sentence is in the document's text, as in a relation.
        head_begin, head_end: where the mention is that is the head.
        tail_begin, tail_end: where the mention is that is the tail.
        confidence: of the relation, in [0, 1].
        stance, sentence_text: as in a relation.
    """

    fact_id: str
    statement_id: str
    doc_id: str
    sentence_begin: int
    sentence_end: int
    head_begin: int
    head_end: int
    tail_begin: int
    tail_end: int
    confidence: float
    stance: str = ""
    sentence_text: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that was not kept.

    Attributes:
        stage: the stage that refused it.
        source: file, with `:line` for a line of a file.
        doc_id: empty where none could be read.
        reason: a short, countable name.
        detail: what was wanted and what came.
    """

    stage: str
    source: str
    doc_id: str
    reason: str
    detail: str


# What the tables of a finished build have beside the fields of their records, so that they can be read alone.


@dataclass(frozen=True, slots=True)
class MoreOfDocument:
    """What the table of documents has beside a document's fields.

    Attributes:
        day: of the date, where that has one; null elsewhere.
    """

    day: date | None


@dataclass(frozen=True, slots=True)
class MoreOfEntity:
    """What the table of entities has beside an entity's fields.

    Attributes:
        aliases: its other names, in the order of the table `names`.
        iri: its name in the graph.
    """

    aliases: tuple[str, ...]
    iri: str


@dataclass(frozen=True, slots=True)
class MoreOfFact:
    """What the table of facts has beside a fact's fields.

    Attributes:
        head_label, head_type: of the entity that is the head.
        tail_label, tail_type: of the entity that is the tail; of a value, it itself and the type that mentions of such
            values have.
        relation_iri: the relation's name in the graph.
        value_day: the value, where that is a whole day; null elsewhere.
        first_day, last_day: of `first` and `last`, where these have one; null elsewhere.
    """

    head_label: str
    head_type: str
    tail_label: str
    tail_type: str
    relation_iri: str
    value_day: date | None
    first_day: date | None
    last_day: date | None
