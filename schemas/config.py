"""Configurations: frozen, checked, unknown keys refused, loaded from TOML; that of a build."""

from __future__ import annotations

import inspect
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from kgmill.schemas.errors import ConfigError
from kgmill.schemas.identity import BUCKET_BITS
from kgmill.schemas.ontology import check_iri, first_fault, read_toml

_BASE_URN = "urn:kgmill:dataset:"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LOCAL_NAME = re.compile(r"[A-Za-z0-9_-]+")
TERM_PREFIXES = {
    "bibo": "http://purl.org/ontology/bibo/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "prov": "http://www.w3.org/ns/prov#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "schema": "https://schema.org/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
"""What a property may be shortened with in the configuration."""

_KINDS = {"array": "a list", "boolean": "yes or no"}  # of JSON values, as a form names them
_FORMAT_NAME = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class ReadBy:
    """Which stages of a build read a key: their results hang on it. None: it decides how a run goes alone."""

    stages: tuple[str, ...] = ()


def _describe(schema: dict[str, Any], kind: type[Any]) -> None:
    """Gives a JSON schema, of which forms are made, what the docstring says of the class and of each field.

    A field is called as its key. Of several kinds of value each has a name, and a single one is a choice of one: a form
    that was left for another kind leads back to it.
    """
    schema["description"] = (inspect.getdoc(kind) or "").partition("\n")[0]
    for name, text in field_docs(kind).items():
        field = schema["properties"][name]
        field |= {"title": name, "description": text}
        for one in field.get("anyOf", ()):
            if "const" in one:
                one |= {"title": one["const"], "enum": [one.pop("const")]}
            elif name_of_kind := _KINDS.get(one.get("type", "")):
                one["title"] = name_of_kind


def field_docs(kind: type[Any]) -> dict[str, str]:
    """What the docstring of a configuration's class says of its fields, by name."""
    section = (inspect.getdoc(kind) or "").partition("Attributes:")[2]
    found: dict[str, str] = {}
    for names, text in re.findall(r"^    (\w[\w, ]*): (.*(?:\n     .*)*)", section, re.MULTILINE):
        for name in names.split(", "):
            found[name] = " ".join(text.split())
    return found


class Config(BaseModel):
    """What every configuration is."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_describe)

    @classmethod
    def load(cls, path: Path | None, overrides: dict[str, Any], before: dict[str, Any] | None = None) -> Self:
        """The configuration in a TOML file (none: the defaults), with `overrides` that are not None on top.

        `before` holds values that stand in the place of the defaults.

        Raises:
            ConfigError: an unreadable file, an unknown key, or a value out of range.
        """
        data = cls._read(path) if path else {}
        where = f"{path}: " if path else ""
        given = {key: value for key, value in overrides.items() if value is not None}
        try:
            return cls.model_validate({**(before or {}), **data, **given})
        except ValidationError as error:
            raise ConfigError(f"{where}{first_fault(error)}; known keys: {', '.join(cls.model_fields)}") from None

    @classmethod
    def _read(cls, path: Path) -> dict[str, Any]:
        """What a file gives."""
        return read_toml(path, ConfigError)


class FieldMap(Config):
    """The fields of a record (a JSON object, a CSV or Parquet row) that a document is made of; empty: no such field.

    Attributes:
        id, text, title, date: the key or column that holds it, or a path with dots between keys.
        metadata: the fields that are kept as metadata; `*`: all that are not named above.
    """

    id: str = "id"
    text: str = Field("text", min_length=1)
    title: str = "title"
    date: str = "date"
    metadata: tuple[str, ...] | Literal["*"] = "*"

    @property
    def named(self) -> tuple[str, ...]:
        """The fields that are not metadata."""
        return tuple(name for name in (self.id, self.text, self.title, self.date) if name)


class SourceConfig(Config):
    """How sources are read.

    Attributes:
        fields: the fields of a record.
        as_text: suffixes of files that are texts, such as `.log`; an empty one: files without; `*`: any unknown kind.
        id_prefix: what comes before a record's own id, where that is unique only within a file. `file`: the file's
            name; `source`: the same, and each file's name begins with the folder of its source.
        records: the keys, with dots between them, under which the records of a JSON file are; empty: the file has them.
        html: a page's text is its main text, where one is found; or all that a reader sees.
        clean: decode HTML entities, drop HTML tags and stray backslashes before a text is stored. `auto`: where they
            look like damage and like nothing else; true: everywhere, and white space is tidied; false: nowhere.
        agencies: names of news agencies that a text's head may have; `*` stands for the list that comes with kgmill.
        encodings: what to try, in this order, where a text is not Unicode; empty: what it looks most like of the
            encodings that are common on the web.
        max_record_bytes: the largest text file, line or row.
        max_unpacked_bytes: how much a compressed file or an archive may unpack to.
        max_ratio: how many times its size it may unpack to, beyond the first `max_record_bytes`.
    """

    fields: FieldMap = FieldMap()
    as_text: tuple[str, ...] = ()
    id_prefix: Literal["", "file", "source"] = ""
    records: str = ""
    html: Literal["main", "all"] = "main"
    clean: Literal["auto"] | bool = "auto"
    agencies: tuple[str, ...] = ("*",)
    encodings: tuple[str, ...] = ()
    max_record_bytes: int = Field(64 << 20, ge=1)
    max_unpacked_bytes: int = Field(1 << 38, ge=1)
    max_ratio: int = Field(200, ge=1)

    @field_validator("as_text")
    @classmethod
    def _suffixes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for suffix in value:
            if suffix in (".gz", ".zst", ".bz2"):
                raise ValueError(f"{suffix} says how a file is compressed; give the suffix before it, or ''")
            if suffix not in ("", "*") and (not suffix.startswith(".") or "." in suffix[1:] or "/" in suffix):
                raise ValueError(f"{suffix!r} is no suffix; wanted one such as '.log', '' (none) or '*' (any unknown)")
        return tuple(sorted({suffix.lower() for suffix in value}))

    @field_validator("encodings")
    @classmethod
    def _known_encodings(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            try:
                b"a".decode(name)  # of an empty text it would not be asked whether it is an encoding of text
            except UnicodeError:
                continue
            except LookupError:
                raise ValueError(
                    f"unknown encoding {name!r}; wanted a name such as cp1252, shift_jis or big5"
                ) from None
        return value


class BuildConfig(Config):
    """Everything that decides what a build makes. Where it writes and how many threads it takes are not here.

    Attributes:
        model: `default`, a model folder, or a hub id.
        ontology: an ontology file, which may leave types of the model out; empty: the model's own; `all`: that, with
            the relations that the model finds too badly for its calibration to let them through.
        device: where the model computes: `auto` (a GPU where torch sees one), `cpu`, `cuda` or `cuda:N`.
        precision: what it computes in; `int8` on CPUs alone, and fast only where they have instructions for it. `auto`:
            bf16 or fp16 on GPUs, int8 on such CPUs, else fp32. Scores differ a little from one to the next.
        compile: compile the encoder with torch before a build's first batch; meant for GPUs and large corpora.
        passage: how many sentences of a paragraph the model reads together, so that a relation may join two of them; 0:
            as many as it was trained to. 1 is the quickest.
        references: a sentence that says "he" or "she" before it names anybody is read once more with the name of whom
            that means, so that what it says of them is found. English, and with a `passage` of 1.
        candidate_floor: calibrated probability of phase one under which extract forgets a span or a pair; thresholds
            lower than this lower it, which needs a new extraction.
        min_confidence: confidence under which decode drops a mention or a relation.
        decisions: a file of what people have decided of names and facts (`kgmill.schemas.decisions`).
        pin: the table `names` of an earlier build, a file or folder of Parquet: what had a name keeps its IRI.
        links: a CSV or TSV file of name, type and IRI: what others call entities.
        wanted_precision: how often facts are right that are asserted, as plain triples; those that are not sure enough
            are statements alone.
        base_iri: what every minted IRI begins with; ends in `/` or `:` and has no fragment. Empty: what the output
            folder was built with before, or a URN of the dataset, which claims no host.
        dataset: the dataset's name; all named graphs lie under it. Empty: what the output folder was built with before,
            or its name.
        license: the IRI of the licence that the dataset is under, such as https://creativecommons.org/licenses/by/4.0/.
        formats: the files of DIR/graph, besides ontology.ttl, shapes.ttl and void.ttl.
        text: how much of the documents' text the graph has: `none` but the mentions, the `sentences` in which something
            was found too, or the `full` text too.
        metadata: fields of the documents' metadata that the graph has, each with its property: `section =
            "schema:articleSection"`, or a whole IRI. Days and times in ISO 8601's form are typed, all else is a string.
        mode: `snapshot`: what is not in the sources any more leaves the graph; `append`: it stays.
        near_duplicates: similarity, 0.5 to 0.98, from which on a document is a near-duplicate of another one and goes;
            0: only documents with equal text go.
        max_reject_ratio: rejected documents, but for duplicates, other languages and what was forgotten, over documents
            read, above which the exit code is 3.
        unit_bytes: wanted size of a work unit, in bytes of source; there are at most 1,048,576 units, of which larger
            sources make larger ones.
        buckets: a power of two, 256 to 65,536: in how many buckets by hash entities and facts are ordered, and so how
            many pieces aggregate and export may cut them into. More are for more than 25 million mentions.
        document_timeout: seconds that a call of the model may take; for calls of more than 100,000 characters of text,
            as many seconds for every 100,000.
        worker_memory_mb: resident memory above which the worker is ended; 0 for no limit.
        any_language: read documents too that are in none of the model's languages.
        retry_rejects: documents that the model stage rejected in an earlier run are tried again.
        log_format: write a log, a line of `text` or a `json` object each: to `log_file`, or in the place of all else on
            standard error.
        log_file: a file that the log is appended to, as text where `log_format` says nothing.
        metrics: a text file of Prometheus, such as one of node_exporter's textfile collector, that is kept up to date
            while a run goes on and says how it ended.
        source: how sources are read.
    """

    model: Annotated[str, ReadBy(("extract", "decode", "aggregate", "export"))] = "default"
    ontology: Annotated[str, ReadBy(("decode", "aggregate", "export"))] = ""
    device: Annotated[str, ReadBy(("extract", "export"))] = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    precision: Annotated[Literal["auto", "fp32", "bf16", "fp16", "int8"], ReadBy(("extract", "export"))] = "fp32"
    compile: Annotated[bool, ReadBy(("extract",))] = False
    passage: Annotated[int, ReadBy(("extract", "export"))] = Field(0, ge=0, le=8)
    references: Annotated[bool, ReadBy(("extract", "export"))] = True
    candidate_floor: Annotated[float, ReadBy(("extract", "export"))] = Field(0.1, gt=0, lt=1)
    min_confidence: Annotated[float, ReadBy(("extract", "decode", "export"))] = Field(0.4, ge=0, le=1)
    decisions: Annotated[str, ReadBy(("decode", "aggregate"))] = ""
    pin: Annotated[str, ReadBy(("decode",))] = ""
    links: Annotated[str, ReadBy(("export",))] = ""
    wanted_precision: Annotated[float, ReadBy(("aggregate",))] = Field(0.8, ge=0, le=1)
    base_iri: Annotated[str, ReadBy(("export",))] = ""
    dataset: Annotated[str, ReadBy(("export",))] = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")
    license: Annotated[str, ReadBy(("export",))] = ""
    formats: Annotated[tuple[str, ...], ReadBy(("export",))] = ("graphml", "json", "nq")
    text: Annotated[Literal["none", "sentences", "full"], ReadBy(("export",))] = "sentences"
    metadata: Annotated[dict[str, str], ReadBy(("export",))] = {}
    mode: Annotated[Literal["snapshot", "append"], ReadBy(("ingest",))] = "snapshot"
    near_duplicates: Annotated[float, ReadBy(("ingest",))] = Field(0.0, ge=0, le=0.98)
    max_reject_ratio: Annotated[float, ReadBy()] = Field(0.01, ge=0, le=1)
    unit_bytes: Annotated[int, ReadBy(("ingest",))] = Field(1 << 18, ge=1 << 10)
    buckets: Annotated[int, ReadBy(("aggregate", "export"))] = Field(1 << BUCKET_BITS, ge=1 << BUCKET_BITS, le=1 << 16)
    document_timeout: Annotated[float, ReadBy()] = Field(300.0, gt=0)
    worker_memory_mb: Annotated[int, ReadBy()] = Field(0, ge=0)
    any_language: Annotated[bool, ReadBy(("extract",))] = False
    retry_rejects: Annotated[bool, ReadBy(("extract",))] = False
    log_format: Annotated[Literal["", "text", "json"], ReadBy()] = ""
    log_file: Annotated[str, ReadBy()] = ""
    metrics: Annotated[str, ReadBy()] = ""
    source: Annotated[SourceConfig, ReadBy(("ingest",))] = SourceConfig()

    @classmethod
    def readers(cls) -> dict[str, tuple[str, ...]]:
        """For each key the stages that read it."""
        return {
            name: next(mark.stages for mark in field.metadata if isinstance(mark, ReadBy))
            for name, field in cls.model_fields.items()
        }

    def read_by(self, stage: str) -> dict[str, Any]:
        """The keys that a stage reads, with their values, as JSON has them."""
        return self.model_dump(
            mode="json", include={name for name, stages in self.readers().items() if stage in stages}
        )

    @property
    def bucket_bits(self) -> int:
        """There are 2 ** bucket_bits buckets."""
        return self.buckets.bit_length() - 1

    @field_validator("buckets")
    @classmethod
    def _buckets_are_bits(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError(f"{value} is no power of two; wanted one from 256 to 65536, such as 1024")
        return value

    @field_validator("near_duplicates")
    @classmethod
    def _near_is_near(cls, value: float) -> float:
        if 0 < value < 0.5:
            raise ValueError(f"{value} is too far from equal; 0 (off), or 0.5 to 0.98")
        return value

    @field_validator("formats")
    @classmethod
    def _format_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:  # which ones there are is known where they are written, and asked before a build begins
            if not _FORMAT_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a format; wanted one such as 'nq'")
        return tuple(sorted(set(value)))

    @field_validator("metadata")
    @classmethod
    def _metadata_terms(cls, value: dict[str, str]) -> dict[str, str]:
        return {name: whole_term(term) for name, term in value.items()}

    @field_validator("license")
    @classmethod
    def _license_is_an_iri(cls, value: str) -> str:
        return check_iri(value) if value else value

    @field_validator("base_iri")
    @classmethod
    def _base_is_an_iri(cls, value: str) -> str:
        if value and (check_iri(value)[-1] not in "/:" or "#" in value):
            raise ValueError(f"{value!r} does not end in '/' or ':', or has a fragment")
        return value


def whole_term(term: str) -> str:
    """The IRI of a property that may be shortened with one of TERM_PREFIXES; ValueError for anything else.

    >>> whole_term("schema:articleSection"), whole_term("urn:example:section")
    ('https://schema.org/articleSection', 'urn:example:section')
    """
    prefix, _, name = term.partition(":")
    if prefix in TERM_PREFIXES and _LOCAL_NAME.fullmatch(name):
        return f"{TERM_PREFIXES[prefix]}{name}"
    if prefix == "urn" or name.startswith("//"):
        return check_iri(term)
    known = ", ".join(f"{prefix}:" for prefix in TERM_PREFIXES)
    raise ValueError(f"{term!r} is no property; wanted a whole IRI, or a name behind one of {known}")


def default_base(dataset: str) -> str:
    """What the IRIs of a dataset begin with where nobody said: a URN, which needs no host.

    >>> default_base("news")
    'urn:kgmill:dataset:news:'
    """
    return f"{_BASE_URN}{dataset}:"


def is_default_base(iri: str) -> bool:
    """Whether an IRI begins as those of a dataset for which nobody chose a base."""
    return iri.startswith(_BASE_URN)


def dataset_name(folder: str) -> str:
    """The name of a folder as that of a dataset.

    >>> dataset_name("Zeitung (2024)"), dataset_name("_")
    ('Zeitung-2024', 'kg')
    """
    ascii_name = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode()
    return _NOT_IN_NAMES.sub("-", ascii_name).strip("-._") or "kg"
