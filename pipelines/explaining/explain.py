"""Why an entity, a fact or a document is in a finished build as it is, told from what the build left; no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from operator import itemgetter
from typing import Any

from kgmill.pipelines.explaining.asked import Finished, Thing
from kgmill.pipelines.explaining.verdicts import RELATION, Known, judge
from kgmill.pipelines.facts import CERTAIN, Support
from kgmill.pipelines.output.forgotten import read_forgotten
from kgmill.schemas.identity import entity_id, entity_key
from kgmill.schemas.name_rules import MERGING
from kgmill.schemas.records import Document

_MOST = 20  # sentences of an entity
_OTHER_DECODING = (
    "the model's folder, or its settings, are not those of the build any more: no scores of candidates are told"
)
_OTHER_FIT = "the model's fit of facts is not that of the build any more: no threshold is told"
_FEATURES = (
    *("log-odds of the mean", "surest above the mean", "log of the share", "log of the sentences", "stated"),
    *("how near both are", "how short their sentence is"),
)


class Explainer:
    """A finished build that is asked.

    Raises:
        UsageError: there is none.
    """

    def __init__(self, output: str) -> None:
        self.built = Finished(output)

    def find(self, words: Sequence[str]) -> Thing:
        """The thing that words name; see `Finished.find`."""
        return self.built.find(words)

    def explain(self, thing: Thing) -> dict[str, Any]:
        """All that is told of a thing, as JSON-like data."""
        told: dict[str, Any] = getattr(self, f"_explain_{thing.kind}")(thing.id)
        return {"kind": thing.kind, "id": thing.id, **told}

    def _explain_entity(self, name: str) -> dict[str, Any]:
        [entity] = self.built.rows("entities", entity_id=name)
        names = self.built.rows("names", entity_id=name)
        mentions = self.built.rows("mentions", entity_id=name)
        facts = [*self.built.rows("facts", head=name), *self.built.rows("facts", tail=name)]
        facts.sort(key=lambda f: (-f["confidence"], f["fact_id"]))
        called = {entity_key(row["name"]) for row in names}
        decided = [d.model_dump() for d in (*self.built.decisions.same, *self.built.decisions.apart)]
        mentions.sort(key=lambda m: (-m["confidence"], m["doc_id"], m["mention_begin"]))
        return {
            "entity": entity,
            "names": names,
            "redirects": sorted({entity_id(row["name"]) for row in names if row["rule"] in MERGING} - {name}),
            "decisions": [d for d in decided if called & set(map(entity_key, d["names"]))],
            "facts": self._in_words(facts[:_MOST]),
            "n_facts": len(facts),
            "sentences": self._mention_sentences(mentions[:_MOST]),
            "n_mentions": len(mentions),
        }

    def _mention_sentences(self, mentions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        places = self.built.sentence_places({m["doc_id"] for m in mentions})
        documents = {doc_id: self.built.document(doc_id) for doc_id in {m["doc_id"] for m in mentions}}
        told = []
        for m in mentions:
            document = documents[m["doc_id"]]
            begin, end = places.get((m["doc_id"], m["sentence"]), (m["mention_begin"], m["mention_end"]))
            if document:
                marks = [_mark(m["mention_begin"], m["mention_end"], m["type"], begin)]
                how = {name: m[name] for name in ("doc_id", "confidence", "type", "rule")}
                told.append({**how, "text": document.text[begin:end], "begin": begin, "marks": marks})
        return told

    def _explain_fact(self, name: str) -> dict[str, Any]:
        relations = self.built.rows("relations", fact_id=name)
        evidence = {row["statement_id"] for row in self.built.rows("evidence", fact_id=name)}
        fact = next(iter(self.built.rows("facts", fact_id=name)), None)
        first = relations[0]
        ends = {"head": first["head_entity"], "relation": first["type"], "tail": first["tail_entity"]}
        [named] = self._in_words([ends | {"fact_id": name, "value": first["value"], "datatype": first["datatype"]}])
        told = {"fact": named | (fact or {}), "decisions": self._decisions(name, fact), "notes": []}
        if fact is None:
            told["asserted"] = "a decision of people rejects this fact: it is no row of the facts, and in no graph"
        else:
            told |= self._confidence(fact, relations, evidence)
            told["notes"] = [] if self.built.remembered.facts else [_OTHER_FIT]
        return told | {"sentences": self._relation_sentences(relations, evidence)}

    def _in_words(self, facts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        labels = self.built.labels(end for fact in facts for end in (fact["head"], fact["tail"]))
        return [_words(fact, labels) for fact in facts]

    def _decisions(self, name: str, fact: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        """What people say of a fact; whether the build did it shows in the fact, as their file may be a later one."""
        made = self.built.decisions
        is_confirmed = fact is not None and fact["confidence"] == CERTAIN
        found = []
        for what, is_done, all_ in (
            ("rejected", fact is None, made.reject),
            ("confirmed", is_confirmed, made.confirm),
        ):
            what = what if is_done else f"{what} by the next build"
            found += [one.model_dump() | {"is": what} for one in self.built.decisions_on(name, all_)]
        return found

    def _confidence(
        self, fact: Mapping[str, Any], relations: Sequence[Mapping[str, Any]], evidence: set[str]
    ) -> dict[str, Any]:
        rows = [row for row in relations if row["statement_id"] in evidence]
        found = Support.of(rows)
        n_together = round(len(found.confidences) / fact["share"]) if fact["share"] else 0
        support = replace(found, n_together=n_together)
        parts: dict[str, Any] = {
            "sentences": fact["n_evidence"],
            "documents": fact["n_documents"],
            "mean": round(support.mean, 6),
            "surest": max(support.confidences),
            "share_of_sentences_with_both": fact["share"],
            "characters_between": support.n_between,
            "characters_of_that_sentence": support.n_around,
            "share_against_rivals": fact["conflict_share"],
            "stances": dict(Counter(row["stance"] or "stated" for row in rows)),
        }
        least = None
        if fitted := self.built.remembered.facts:
            least = round(fitted.threshold(self.built.config.wanted_precision), 6)
            if fitted.weights and fact["confidence"] != CERTAIN:
                features = zip(_FEATURES, fitted.weights, support.features(), strict=True)
                parts["log_odds"] = {"bias": fitted.bias, "relation": fitted.own(fact["relation"], support)}
                parts["log_odds"] |= {what: round(w * x, 4) for what, w, x in features}
        overrules = self._in_words(self.built.rows("facts", overruled_by=fact["fact_id"]))
        why = self._asserted(fact, least, is_stated=support.is_stated)
        return {"confidence": parts, "least": least, "asserted": why, "overrules": overrules}

    def _asserted(self, fact: Mapping[str, Any], least: float | None, *, is_stated: bool) -> str:
        """Why a fact is asserted, or all that keeps it from being."""
        if fact["confidence"] == CERTAIN:
            return "asserted: people have confirmed it"
        share = f"{self.built.config.wanted_precision:.0%} of the cases"
        wanted = f"{least or 0:g}, the least at which facts that were read are right in {share}"
        if fact["asserted"]:
            return f"asserted: {fact['confidence']:g} is at or above {wanted}" if least is not None else "asserted"
        why = [] if is_stated else ["no sentence states it; see the stances"]
        if least is not None and fact["confidence"] < least:
            why.append(f"{fact['confidence']:g} is below {wanted}")
        if fact["overruled_by"]:
            why.append(self._overruled(fact["overruled_by"]))
        return f"not asserted: {'; '.join(why)}" if why else "not asserted: it is not sure enough"

    def _overruled(self, by: str) -> str:
        [surer] = self._in_words(self.built.rows("facts", fact_id=by))
        claim = f"{surer['head_label']}  --{surer['relation']}->  {surer['tail_label']}"
        return f"it is overruled by {claim} ({surer['confidence']:g}), fact {by}: of both only one can be right"

    def _relation_sentences(self, relations: Sequence[Mapping[str, Any]], evidence: set[str]) -> list[dict[str, Any]]:
        told, seen = [], set()
        for r in sorted(
            relations, key=lambda r: (r["statement_id"] not in evidence, bool(r["stance"]), -r["confidence"])
        ):
            document = self.built.document(r["doc_id"])
            if document is None:
                continue
            begin, end = r["sentence_begin"], r["sentence_end"]
            how = {name: r[name] for name in ("doc_id", "statement_id", "confidence", "stance", "date")}
            is_counted = r["statement_id"] in evidence and r["text_key"] not in seen
            why = (
                "" if is_counted else "another sentence has the same words" if r["text_key"] in seen else "a surer one"
            )
            seen |= {r["text_key"]} if r["text_key"] and r["statement_id"] in evidence else set()
            marks = [_mark(r[f"{end_}_begin"], r[f"{end_}_end"], end_, begin) for end_ in ("head", "tail")]
            told.append({**how, "counted": is_counted, "why": why, "text": document.text[begin:end], "begin": begin})
            told[-1]["marks"] = marks
        return told

    def _explain_document(self, doc_id: str) -> dict[str, Any]:
        if read_forgotten(self.built.store).has(doc_id):
            return {"why": "it was forgotten, and is kept out (kgmill forget --allow takes that back)"}
        rejects, document = self.built.rejects(doc_id), self.built.document(doc_id)
        if document is None:
            return {"rejects": rejects, "why": "; ".join(f"rejected: {r['reason']}: {r['detail']}" for r in rejects)}
        about = {k: v for k, v in asdict(document).items() if k not in ("text", "metadata", "doc_id")}
        told = {"document": about | {"n_characters": len(document.text)}, "rejects": rejects}
        told["notes"] = [] if self.built.remembered.decoding else [_OTHER_DECODING]
        sentences = self._document_sentences(document)
        return told | {"why": _why(rejects, sentences), "sentences": sentences}

    def _document_sentences(self, document: Document) -> list[dict[str, Any]]:
        """The document's sentences, and the passages in which pairs join two of them, with all that was judged."""
        mentions, relations = (self.built.rows(table, doc_id=document.doc_id) for table in ("mentions", "relations"))
        mentions.sort(key=itemgetter("mention_begin"))
        decoding = self.built.remembered.decoding
        ends = self.built.ends(document, decoding.ontology) if decoding else ()
        by_span = {(end.mention.mention_begin, end.mention.mention_end): end for end in ends}
        sentences, passages = self._texts(document)
        bounds = {(begin, end) for _, begin, end, _ in sentences}
        said = [r for r in relations if (r["sentence_begin"], r["sentence_end"]) in bounds and not r["stance"]]
        within = {r["fact_id"] for r in said}
        told = []
        for number, begin, end, candidates in sorted([*sentences, *passages], key=itemgetter(0, 2)):
            is_passage = (begin, end) not in bounds
            here = [m for m in mentions if begin <= m["mention_begin"] and m["mention_end"] <= end]
            said = [r for r in relations if (r["sentence_begin"], r["sentence_end"]) == (begin, end)]
            stated = {((r["head_begin"], r["head_end"]), (r["tail_begin"], r["tail_end"]), r["type"]) for r in said}
            known = Known(by_span, stated, within if is_passage else ())
            judged = judge(decoding, document, candidates, known) if decoding else {}
            if is_passage and not judged["pairs"]:
                continue
            one = {"sentence": number, "begin": begin, "text": document.text[begin:end]}
            one["marks"] = [_mark(m["mention_begin"], m["mention_end"], m["type"], begin) for m in here]
            one |= judged | ({"spans": []} if is_passage else {})  # a passage's spans are its sentences'
            one["relations"] = [
                {k: r[k] for k in ("fact_id", "type", "confidence", "stance")}
                | {end: document.text[r[f"{end}_begin"] : r[f"{end}_end"]] for end in ("head", "tail")}
                for r in said
            ]
            told.append(one)
        return told

    def _texts(self, document: Document) -> tuple[list[_Text], list[_Text]]:
        """A document's sentences and passages: number, begin, end and candidates of each."""
        sentences = {row["sentence"]: (row, candidates) for row, candidates in self.built.candidates(document)}
        passages = []
        for link in self.built.links(document):
            (first, one), (second, other) = sentences[link.first], sentences[link.second]
            passages.append((link.first, first["begin"], second["end"], link.between(one, other)))
        return [(number, row["begin"], row["end"], found) for number, (row, found) in sentences.items()], passages


_Text = tuple[int, int, int, Any]


def _mark(begin: int, end: int, what: str, offset: int) -> dict[str, Any]:
    """A mention's place in the text of its sentence, which begins at the offset."""
    return {"begin": begin - offset, "end": end - offset, "what": what}


def _words(fact: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    tail = fact["value"] if fact["datatype"] else labels.get(fact["tail"], fact["tail"])
    told = {name: fact[name] for name in ("fact_id", "relation", "confidence", "asserted") if name in fact}
    return told | {"head_label": labels.get(fact["head"], fact["head"]), "tail_label": tail}


def _why(rejects: Sequence[Mapping[str, Any]], sentences: Sequence[Mapping[str, Any]]) -> str:
    """Why a document gave no more than it did; empty where it gave facts."""
    if rejects:
        return "; ".join(f"rejected: {r['reason']}: {r['detail']}" for r in rejects)
    if any(s["relations"] for s in sentences):
        return ""
    if not sentences:
        return "no sentence in it was found"
    if not any(s["marks"] for s in sentences):
        spans = [span for s in sentences for span in s.get("spans", ())]
        if not spans:
            return "no mention, and no candidate above the floor (candidate_floor) in any sentence"
        best = max(spans, key=lambda span: span["score"])
        surest = f"{best['text']!r} ({best['score']:g}): {best['verdict']}"
        return f"no mention: of {len(spans)} candidates the surest is {surest}"
    pairs = [pair for s in sentences for pair in s.get("pairs", ()) if pair["verdict"] != RELATION]
    n = len({s["begin"] + mark["begin"] for s in sentences for mark in s["marks"]})
    if not pairs:
        return f"mentions: {n}, and no pair of them that is likely to hold a relation"
    best = max(pairs, key=lambda pair: pair["score"])
    claim = f"{best['head']!r} {best['relation']} {best['tail']!r} ({best['score']:g})"
    return f"mentions: {n}, and no relation: of {len(pairs)} candidates the surest is {claim}: {best['verdict']}"
