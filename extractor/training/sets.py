"""Training data from many sets: which sentences, under which labels, and what is learnt of what they don't mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, document
from kgmill.extractor.data.partial import TASKS, Partial
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.neural.encoding import Window
from kgmill.extractor.training.lineage import is_among, text_hash
from kgmill.extractor.training.sampling import count_pairs, may_join
from kgmill.schemas.errors import ConfigError, DataError
from kgmill.schemas.ontology import Ontology
from kgmill.schemas.training import Labels, SetConfig, TrainConfig

COMPLETED = "completed"  # the tag of a sentence that a model completed, and what says so of an entity
_OF_LABEL = "of label "
_TELLING_WORDS = 8  # a shorter sentence that two documents share doesn't make them one


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Sentences of one set under the ontology's labels; `left_out` counts by reason what of it is not used."""

    config: SetConfig
    sentences: tuple[AnnotatedSentence, ...]
    left_out: Counter[str] = field(default_factory=Counter)

    def is_told(self, config: TrainConfig) -> bool:
        """Whether there is something to say of it; of files alone only what is left out."""
        return config.has_sets or any(self.left_out.values())

    def n_an_epoch(self, n: int) -> int:
        """How many of `n` sentences, or of the windows that they are cut into, an epoch sees."""
        wanted = round(self.config.weight * n)
        return min(wanted, self.config.cap) if self.config.cap else wanted


def read_set(config: SetConfig, labels: Mapping[str, str | tuple[str, ...]]) -> TrainingSet:
    """The chosen sentences of a set, under the labels of the ontology.

    Raises:
        DataError: a file is not of its form.
    """
    chosen = _choose(read_annotated(config.files, config.format), config)
    left_out: Counter[str] = Counter()
    meanings = {**labels, **config.labels}
    return TrainingSet(config, tuple(rename(sentence, meanings, left_out) for sentence in chosen), left_out)


def read_trained(config: SetConfig, labels: Mapping[str, str | tuple[str, ...]]) -> TrainingSet:
    """A set as it is trained on: its completed sentences, where it has a file of them.

    Raises:
        DataError: a file is not of its form, or not there.
    """
    if not config.completed:
        return read_set(config, labels)
    if not Path(config.completed).is_file():
        raise DataError(f"{config.completed}: no such file; kgmill complete --config makes it from {config.title}")
    return read_set(config.trained_on, {})


def read_sets_to_complete(config: str, data: str, format_name: str, out: str) -> list[tuple[TrainingSet, str]]:
    """The sets that `kgmill complete` reads, each with the file it writes: those of a training, or one file.

    Raises:
        ConfigError: the training has no set that names a file for its completed sentences.
        DataError: a file is not of its form.
    """
    if not config:
        one = SetConfig.model_validate({"files": data, "format": format_name})
        jobs = [(read_set(one, {}), out)]
    else:
        training = TrainConfig.load(Path(config), {})
        jobs = [(read_set(one, training.labels), one.completed) for one in training.train_sets if one.completed]
    if not jobs:
        raise ConfigError(f"{config}: no set names a file under `completed`, so there is nothing to complete")
    return [(replace(one, sentences=tuple(as_annotated(s, one.config) for s in one.sentences)), to) for one, to in jobs]


def read_sets(configs: Iterable[SetConfig], labels: Labels) -> list[AnnotatedSentence]:
    """All sentences of some sets, with what is known of each, to score a model on."""
    sets = [read_set(config, labels) for config in configs]
    return [with_policy(sentence, one.config) for one in sets for sentence in one.sentences]


def read_dev_sets(config: str) -> list[tuple[SetConfig, list[AnnotatedSentence]]]:
    """The sets that a training's configuration names under `dev`, each with its sentences.

    Raises:
        ConfigError: it names none.
        DataError: a file is not of its form.
    """
    training = TrainConfig.load(Path(config), {})
    if not training.dev_sets:
        raise ConfigError(f"{config}: names no set under `dev`")
    return [(one, read_sets([one], training.labels)) for one in training.dev_sets]


def prepare(
    sets: Sequence[TrainingSet],
    config: TrainConfig,
    ontology: Ontology,
    dev: Sequence[AnnotatedSentence],
    excluded: frozenset[str],
) -> list[TrainingSet]:
    """The sets as they are trained on: without what is in dev or excluded, each sentence with what is known of it.

    Of a training from files alone, only what is excluded is left out, and what the ontology doesn't allow stays.

    Raises:
        DataError: a set that should be completed is not, or nothing is left of one.
    """
    held_out = excluded | {text_hash(s.words) for s in dev} if config.has_sets else excluded
    prepared = []
    for one in sets:
        left_out = one.left_out.copy()
        kept = _not_held_out(one.sentences, held_out, left_out)
        if config.has_sets:
            kept = [allowed_alone(sentence, ontology, left_out) for sentence in kept]
        known = [with_policy(sentence, one.config) for sentence in kept]
        if set(one.config.learn) == {"relations"}:
            left_out["sentences without a relation to learn"] += sum(not s.relations for s in known)
            known = [sentence for sentence in known if sentence.relations]
        if not known:
            why = "; all are left out" if one.sentences else ""
            raise DataError(f"{', '.join(one.config.files)}: no sentences to train on{why}")
        prepared.append(TrainingSet(one.config, tuple(known), left_out))
    return prepared


def _choose(sentences: list[AnnotatedSentence], config: SetConfig) -> list[AnnotatedSentence]:
    names = [document(sentence) or str(i) for i, sentence in enumerate(sentences)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    first, end = config.documents or (0, len(numbers))
    return [
        sentence
        for sentence, name in zip(sentences, names, strict=True)
        if first <= numbers[name] < end and all(dict(sentence.tags).get(k) in v for k, v in config.only.items())
    ]


def rename(
    sentence: AnnotatedSentence, labels: Mapping[str, str | tuple[str, ...]], left_out: Counter[str]
) -> AnnotatedSentence:
    """The sentence under the labels of the ontology; what has none is left out, and counted."""
    if not labels:
        return sentence
    entities: list[EntitySpan] = []
    number: dict[int, int] = {}
    for i, entity in enumerate(sentence.entities):
        names = _meanings(entity.possible, labels)
        if not names:
            left_out[f"{_OF_LABEL}{entity.type}"] += 1
            continue
        likeliest = next(iter(_meanings((entity.type,), labels)), names[0])
        number[i] = len(entities)
        entities.append(replace(entity, type=likeliest, types=names if len(names) > 1 else ()))
    relations: dict[RelationPair, None] = {}
    for relation in sentence.relations:
        name = _meanings((relation.type,), labels)
        if not name or not {relation.head, relation.tail} <= number.keys():
            left_out[f"{_OF_LABEL}{relation.type}" if not name else "relations of names that are left out"] += 1
            continue
        head, tail = number[relation.head], number[relation.tail]
        if name[0].startswith("-"):
            head, tail = tail, head
        relations[replace(relation, head=head, tail=tail, type=name[0].removeprefix("-"))] = None
    partial = sentence.partial and _rename_partial(sentence.partial, labels, number)
    return replace(sentence, entities=tuple(entities), relations=tuple(relations), partial=partial)


def _rename_partial(
    partial: Partial, labels: Mapping[str, str | tuple[str, ...]], number: Mapping[int, int]
) -> Partial:
    types, relations = (
        names if names is None else tuple(sorted({name.removeprefix("-") for name in _meanings(names, labels)}))
        for names in (partial.types, partial.relations)
    )
    pairs = tuple((number[h], number[t]) for h, t in partial.pairs if h in number and t in number)
    return replace(partial, types=types, relations=relations, pairs=pairs)


def _meanings(names: Iterable[str], labels: Mapping[str, str | tuple[str, ...]]) -> tuple[str, ...]:
    """What labels are in the ontology, each once."""
    found = (labels.get(name, name) for name in names)
    meant = chain.from_iterable((m,) if isinstance(m, str) else m for m in found)
    return tuple(dict.fromkeys(name for name in meant if name))


def _not_held_out(
    sentences: Sequence[AnnotatedSentence], held_out: frozenset[str], left_out: Counter[str]
) -> list[AnnotatedSentence]:
    """The sentences that are not held out, nor others of their document, if one that says something is."""
    is_out = [is_among(sentence, held_out) for sentence in sentences]
    known = zip(sentences, is_out, strict=True)
    documents = {document(s) for s, out in known if out and len(s.words) >= _TELLING_WORDS} - {""}
    kept = [s for s, out in zip(sentences, is_out, strict=True) if not out and document(s) not in documents]
    left_out["sentences in dev or excluded"] += sum(is_out)
    left_out["sentences of documents in dev or excluded"] += len(sentences) - len(kept) - sum(is_out)
    return kept


def allowed_alone(sentence: AnnotatedSentence, ontology: Ontology, left_out: Counter[str]) -> AnnotatedSentence:
    """The sentence without relations that the ontology doesn't let its names have; of their pairs nothing is known."""
    ends = sentence.entities
    wrong = [r for r in sentence.relations if not may_join(ontology.relations[r.type], ends[r.head], ends[r.tail])]
    if not wrong:
        return sentence
    left_out["relations that the ontology does not allow there"] += len(wrong)
    partial = sentence.partial or Partial()
    right = tuple(r for r in sentence.relations if r not in wrong)
    doubtful = {(r.head, r.tail) for r in wrong} - {(r.head, r.tail) for r in right}
    pairs = tuple(sorted({*partial.pairs, *doubtful}))
    return replace(sentence, relations=right, partial=replace(partial, pairs=pairs))


def as_annotated(sentence: AnnotatedSentence, config: SetConfig) -> AnnotatedSentence:
    """The sentence with what is complete in it: as its record says, else as its set does."""
    partial = sentence.partial or Partial()
    if partial.types is None and partial.relations is None:
        partial = replace(partial, types=config.types, relations=config.relations)
    if partial.types is not None and config.more_types:
        partial = replace(partial, types=tuple(sorted({*partial.types, *config.more_types})))
    return replace(sentence, partial=None if partial == Partial() else partial)


def with_policy(sentence: AnnotatedSentence, config: SetConfig) -> AnnotatedSentence:
    """The sentence with what is known of it, as its set says.

    Raises:
        DataError: the set is said to be completed, and the sentence is not.
    """
    partial = as_annotated(sentence, config).partial or Partial()
    if config.unknown == "completed" and COMPLETED not in dict(sentence.tags):
        raise DataError(f'{sentence.place}: its set says `unknown = "completed"`; complete it first: kgmill complete')
    if config.unknown == "absent":
        partial = Partial()
    if config.unknown == "completed":
        partial = replace(partial, types=None, relations=None)
    partial = replace(partial, tasks=tuple(task for task in TASKS if task in config.learn))
    return replace(sentence, partial=None if partial == Partial() else partial)


def draw(windows_by_set: Sequence[tuple[int, Sequence[Window]]], rng: np.random.Generator) -> list[Window]:
    """An epoch's windows: of each set so many as are wanted, each equally often but for a rest that is drawn."""
    drawn: list[Window] = []
    for n_wanted, windows in windows_by_set:
        n_whole, n_rest = divmod(n_wanted, len(windows))
        drawn.extend(list(windows) * n_whole)
        if n_rest:
            drawn.extend(windows[i] for i in np.sort(rng.choice(len(windows), n_rest, replace=False)))
    return drawn


def describe(one: TrainingSet, ontology: Ontology, config: TrainConfig) -> str:
    """A line on a set: its size, what is left out of it, and the share of related pairs that phase one sees."""
    sentences = one.sentences
    n_mentions, n_relations = (sum(len(getattr(s, key)) for s in sentences) for key in ("entities", "relations"))
    n_completed = sum(bool(item.by) for s in sentences for items in (s.entities, s.relations) for item in items)
    counts = np.sum([count_pairs(s, ontology, config.max_span_width, config.negative_pairs) for s in sentences], axis=0)
    line = f"set {one.config.title}: {len(sentences)} sentences, {one.n_an_epoch(len(sentences))} an epoch, "
    line += f"{n_mentions} mentions and {n_relations} relations"
    line += f" ({n_completed} of them completed)" if n_completed else ""
    if counts.sum():
        line += f"; related are {100 * counts[0] / counts.sum():.1f} % of {counts.sum()} pairs"
    return "; ".join([line, *format_left_out(one.left_out)])


def format_left_out(left_out: Counter[str]) -> list[str]:
    """What is left out of a set, and how often; all labels together."""
    found = sorted((what, n) for what, n in left_out.items() if n)
    labels = [f"{what.removeprefix(_OF_LABEL)} {n}" for what, n in found if what.startswith(_OF_LABEL)]
    told = [f"left out: {n} {what}" for what, n in found if not what.startswith(_OF_LABEL)]
    return told + ([f"labels left out: {', '.join(labels)}"] if labels else [])
