"""The records that flow through a build. Offsets are Unicode code points of the stored text, ends exclusive."""

from __future__ import annotations

from dataclasses import dataclass


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
        sentence: the sentence's number in its document.
        confidence: probability in [0, 1].
        entity_id: the entity that the mention names (`kgmill.pipelines.resolution`); empty where the type is a literal
            one.
        rule: by which it names another one than its own text would; empty where it doesn't.
    """

    doc_id: str
    sentence: int
    begin: int
    end: int
    text: str
    type: str
    confidence: float
    entity_id: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """A typed, ordered pair of mentions in one sentence.

    Attributes:
        statement_id: `kgmill.schemas.identity.statement_id` of document, offsets and type.
        fact_id: the fact that the relation is evidence of.
        head_entity: the entity that is spoken of; a country, where the mention names its people.
        tail_entity: the same; empty where the tail is a value.
        value, datatype: of the tail, as in a fact.
        stance: `negated`, `hedged`, `opposed` or `reported`, where the sentence doesn't state it
            (`kgmill.schemas.stance`).
        text_key: of the sentence (`kgmill.schemas.identity.text_key`): copies of one text are one witness.
        date: of the document.
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


@dataclass(frozen=True, slots=True)
class Entity:
    """A node of the graph: all mentions of one thing.

    Attributes:
        label: the commonest of its names (`kgmill.schemas.names.label_of`), of equally common ones the smallest; short
            forms and acronyms only where it has no other; a country's usual full name where it is among them.
        confidence: of the surest mention.
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
        tail: an entity's id; empty where the fact has a value.
        confidence: that it is right (`kgmill.pipelines.facts`).
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
    """The surest relation mention of a sentence behind a fact, down to offsets; `stance` as in a relation."""

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
