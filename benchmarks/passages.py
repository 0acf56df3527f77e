"""Passages of Re-DocRED's documents: to train on, and to judge by what reading sentences together finds.

    python -m benchmarks.passages write OUT.json --sentences 4 --documents 0 400 [--step 3]
    python -m benchmarks.passages judge default 1 4 --documents 450 500

Read from ../shared/data: redocred/dev.json has the documents with what holds between entities, wherever these are
named; general/redocred_dev.json the same sentences one by one, with finer types and the relations' names here. Judging
counts a document's facts with all mentions of a gold entity as one; an end that is none makes a fact wrong.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgmill.extractor.decode import DecodedMention, DecodedRelation, decode
from kgmill.extractor.modelfolder import find_model
from kgmill.extractor.passages import Passages
from kgmill.extractor.predict import open_predictor
from kgmill.extractor.references import with_references
from kgmill.extractor.text.split import SentenceText
from kgmill.schemas.ontology import Ontology, load_ontology

DATA = Path("../shared/data")
ONTOLOGY = Path("examples/general.ontology.toml")
_SEVERAL = {  # relations that stand for more properties than the one of their IRI
    "affiliation": ("P108", "P463", "P54"),
    "chief_executive": ("P169", "P488"),
    "head_of_state": ("P35", "P6"),
    "product_of": ("P176", "P178"),
}
_CUTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_LEAST = 0.1

Fact = tuple[Any, str, Any]  # head, relation, tail; an end that is no entity of the gold is a string


@dataclass(frozen=True, slots=True)
class GoldDocument:
    """A document of Re-DocRED.

    Attributes:
        sentences: their words.
        entity_of: the entity of each gold mention, by sentence, first word and the one after its last.
        facts: the relations of an ordered pair of entities.
        annotated: SpERT's record of a sentence, by its number, where there is one.
    """

    title: str
    sentences: list[list[str]]
    entity_of: dict[tuple[int, int, int], int]
    facts: dict[tuple[int, int], set[str]]
    annotated: Mapping[int, dict[str, Any]]

    def entity(self, sentence: int, start: int, end: int) -> int | None:
        """The gold entity of a span: of the same one, else of the one that overlaps most."""
        if (sentence, start, end) in self.entity_of:
            return self.entity_of[sentence, start, end]
        over = [
            (min(end, e) - max(start, s), -entity)
            for (number, s, e), entity in self.entity_of.items()
            if number == sentence and s < end and start < e
        ]
        return -max(over)[1] if over else None


def read_documents(first: int, end: int) -> list[GoldDocument]:
    """The documents of Re-DocRED's dev set from one number up to another."""
    name_of = _names_of_properties(load_ontology(ONTOLOGY))
    annotated: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for record in json.loads((DATA / "general" / "redocred_dev.json").read_text(encoding="utf-8")):
        title, _, number = record["orig_id"].rpartition("#")
        annotated[title][int(number)] = record
    documents = json.loads((DATA / "redocred" / "dev.json").read_text(encoding="utf-8"))[first:end]
    return [_document(document, annotated[document["title"]], name_of) for document in documents]


def _document(
    document: Mapping[str, Any], annotated: dict[int, dict[str, Any]], name_of: dict[str, str]
) -> GoldDocument:
    mentions = {(m["sent_id"], *m["pos"]): i for i, entity in enumerate(document["vertexSet"]) for m in entity}
    facts: dict[tuple[int, int], set[str]] = defaultdict(set)
    for label in document["labels"]:
        if label["r"] in name_of:
            facts[label["h"], label["t"]].add(name_of[label["r"]])
    for names in facts.values():
        if "country" in names:  # of a place in a country the general data say that alone
            names.discard("located_in")
    return GoldDocument(document["title"], document["sents"], mentions, dict(facts), annotated)


def _names_of_properties(ontology: Ontology) -> dict[str, str]:
    found = {}
    for name, relation in ontology.relations.items():
        beside = (relation.iri, *relation.equivalent, *relation.broader, *relation.narrower, *relation.close)
        wikidata = (re.search(r"P\d+$", str(iri)) for iri in beside)
        for property_ in _SEVERAL.get(name, [match.group() for match in wikidata if match]):
            found[property_] = name
    return found


def passages(document: GoldDocument, n: int, ontology: Ontology, step: int = 1) -> Iterator[dict[str, Any]]:
    """Runs of `n` sentences of a document, each `step` behind the one before, as records of SpERT's JSON."""
    for first in range(0, max(1, len(document.sentences) - n + step), step):
        words: list[str] = []
        entities: list[dict[str, Any]] = []
        relations: list[dict[str, Any]] = []
        places: list[tuple[int, int | None]] = []
        for number in range(first, min(first + n, len(document.sentences))):
            record = document.annotated.get(number, {"entities": [], "relations": []})
            shift, before = len(words), len(entities)
            words += document.sentences[number]
            for e in record["entities"]:
                entities.append({**e, "start": e["start"] + shift, "end": e["end"] + shift})
                places.append((number, document.entity_of.get((number, e["start"], e["end"]))))
            relations += [{**r, "head": r["head"] + before, "tail": r["tail"] + before} for r in record["relations"]]
        relations += _across(document, entities, places, ontology)
        yield {"tokens": words, "entities": entities, "relations": relations, "orig_id": f"{document.title}#{first}"}


def _across(
    document: GoldDocument,
    entities: Sequence[Mapping[str, Any]],
    places: Sequence[tuple[int, int | None]],
    ontology: Ontology,
) -> Iterator[dict[str, Any]]:
    """The relations between mentions of two sentences; of a pair that the ontology doesn't allow there is none."""
    for head, (sentence, one) in enumerate(places):
        for tail, (other_sentence, other) in enumerate(places):
            if sentence == other_sentence or one is None or other is None:
                continue
            for name in sorted(document.facts.get((one, other), ())):
                if ontology.allows(entities[head]["type"], name, entities[tail]["type"]):
                    yield {"type": name, "head": head, "tail": tail}


def gold_facts(document: GoldDocument, ontology: Ontology) -> set[Fact]:
    """The facts of a document; of symmetric ones the smaller entity is the head."""
    return {_turned(head, name, tail, ontology) for (head, tail), names in document.facts.items() for name in names}


def _turned(head: Any, name: str, tail: Any, ontology: Ontology) -> Fact:
    turn = ontology.relations[name].symmetric and isinstance(head, int) and isinstance(tail, int) and tail < head
    return (tail, name, head) if turn else (head, name, tail)


def found_facts(
    document: GoldDocument, predictor: Any, n: int, *, references: bool = False
) -> tuple[dict[Fact, float], set[Fact]]:
    """The facts that a model finds in a document, each with the surest mention's confidence; those of one sentence."""
    sentences = [_sentence(words) for words in document.sentences]
    cut = Passages.of([sentences], n)
    calibration = predictor.calibration
    floors = calibration.floors(_LEAST)
    [found] = cut.split(predictor.predict(cut.words, floors))
    if references:
        [found] = with_references([sentences], [found], predictor, floors)
    surest: dict[Fact, float] = {}
    within: set[Fact] = set()
    texts = [((i,), candidates) for i, candidates in enumerate(found.sentences)]
    for link in found.links:
        both = link.between(found.sentences[link.first], _shifted(found.sentences[link.second], sentences, link.first))
        texts.append(((link.first, link.second), both))
    for numbers, candidates in texts:
        mentions, relations = decode(calibration.apply(candidates), predictor.ontology, _LEAST, calibration.cuts)
        for relation in relations:
            fact = _fact(document, numbers, mentions, relation, predictor.ontology)
            if fact[0] == fact[2]:
                continue
            surest[fact] = max(surest.get(fact, 0.0), relation.confidence)
            within |= {fact} if len(numbers) == 1 else set()
    return surest, within


def _sentence(words: Sequence[str]) -> SentenceText:
    return SentenceText(0, 0, tuple(words), (), ())


def _shifted(candidates: Any, sentences: Sequence[SentenceText], first: int) -> Any:
    """The second sentence's spans behind the words of the first."""
    return candidates.with_spans(candidates.spans + len(sentences[first].words))


def _fact(
    document: GoldDocument,
    numbers: tuple[int, ...],
    mentions: Sequence[DecodedMention],
    relation: DecodedRelation,
    ontology: Ontology,
) -> Fact:
    ends: list[Any] = []
    n_first = len(document.sentences[numbers[0]])
    for row in (relation.head, relation.tail):
        start, end = mentions[row].start, mentions[row].end
        number, shift = (numbers[0], 0) if start < n_first or len(numbers) == 1 else (numbers[1], n_first)
        entity = document.entity(number, start - shift, end - shift)
        words = " ".join(document.sentences[number][start - shift : end - shift])
        ends.append(words if entity is None else entity)
    name = relation.type
    if name == "located_in" and "country" in document.facts.get((ends[0], ends[1]), ()):
        name = "country"
    return _turned(ends[0], name, ends[1], ontology)


def judge(model: str, counts: Sequence[int], documents: Sequence[GoldDocument], *, references: bool = False) -> None:
    """Prints precision, what was claimed, recall and F1 of facts at each threshold, for each number of sentences."""
    predictor = open_predictor(find_model(model), "cpu", "fp32", 1)
    ontology = predictor.ontology
    gold = {(i, fact) for i, document in enumerate(documents) for fact in gold_facts(document, ontology)}
    print(f"{len(gold)} facts in {len(documents)} documents")
    for n in counts:
        started = time.perf_counter()
        found: list[tuple[float, bool, bool]] = []
        for i, document in enumerate(documents):
            surest, within = found_facts(document, predictor, n, references=references)
            found += [(confidence, (i, fact) in gold, fact in within) for fact, confidence in surest.items()]
        print(f"{n} sentences together, {time.perf_counter() - started:.0f} s")
        print("   from  facts  claimed  right  recall    F1   of two sentences  claimed  right")
        for cut in _CUTS:
            kept = [row for row in found if row[0] >= cut]
            across = [row for row in kept if not row[2]]
            right = sum(is_right for _, is_right, _ in kept)
            f1 = 2 * right / (len(kept) + len(gold))
            told = f"{cut:7.1f} {len(kept):6} {_mean(kept, 0):8.3f} {_mean(kept, 1):6.3f}"
            told += f" {right / len(gold):7.3f} {f1:5.3f} {len(across):18}"
            print(f"{told} {_mean(across, 0):8.3f} {_mean(across, 1):6.3f}")


def _mean(rows: Sequence[tuple[float, bool, bool]], column: int) -> float:
    return sum(row[column] for row in rows) / max(1, len(rows))


def main() -> None:
    """Writes passages, or judges a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    write, judged = (commands.add_parser(name) for name in ("write", "judge"))
    write.add_argument("out", type=Path)
    write.add_argument("--sentences", type=int, default=4)
    write.add_argument("--step", type=int, default=1, help="sentences from one passage to the next")
    judged.add_argument("model")
    judged.add_argument("sentences", type=int, nargs="+")
    judged.add_argument("--references", action="store_true", help="read pronouns once more as names")
    for command in (write, judged):
        command.add_argument("--documents", type=int, nargs=2, default=(0, 400))
    options = parser.parse_args()
    documents = read_documents(*options.documents)
    if options.command == "judge":
        judge(options.model, options.sentences, documents, references=options.references)
        return
    ontology = load_ontology(ONTOLOGY)
    records = [record for d in documents for record in passages(d, options.sentences, ontology, options.step)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(records), encoding="utf-8")
    print(f"{len(records)} passages of {len(documents)} documents written to {options.out}")


if __name__ == "__main__":
    main()
