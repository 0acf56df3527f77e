"""What raw text costs: annotated sentences, put back into running text, scored by character offsets.

    python -m benchmarks.raw_text --model models/conll04-train --data dev.json

Each sentence is written as prose (no space before a comma, quotes closed up, and so on), read again through the
raw-text path, and scored strictly by character offsets; beside it stands the score on the gold tokens. A period at the
end of a name is left out on both sides: CoNLL04 glues the sentence's last period to its last word ("Boise.").
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from kgmill.extractor.api import Extraction, Extractor
from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.decode import DecodedMention, DecodedRelation
from kgmill.extractor.modelfolder import find_model
from kgmill.extractor.training.evaluate import evaluate
from kgmill.extractor.training.metrics import Prediction, score

_NO_SPACE_BEFORE = {",", ".", ";", ":", "?", "!", ")", "]", "}", "%", "'s", "n't", "'re", "'ve", "'ll", "'d", "'m", "'"}
_NO_SPACE_AFTER = {"(", "[", "{", "$", "#", "`"}
MIN_CONFIDENCE = 0.4


def main() -> None:
    """Prints both scores and what is lost between them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="default")
    options.add_argument("--data", required=True)
    options.add_argument("--format", default="spert", choices=("spert", "dygie"))
    chosen = options.parse_args()
    find_model(chosen.model)
    extractor = Extractor.from_pretrained(chosen.model)
    sentences = read_annotated([chosen.data], chosen.format)
    predictor = extractor.predictor
    gold_tokens = evaluate(predictor, predictor.ontology, sentences, MIN_CONFIDENCE)
    texts = [detokenise(sentence.words) for sentence in sentences]
    found = extractor.extract((text for text, _ in texts), min_confidence=MIN_CONFIDENCE)
    raw = score(
        [in_characters(s, bounds) for s, (_, bounds) in zip(sentences, texts, strict=True)],
        [as_prediction(e) for e in found],
    )
    print(f"{'strict F1':12}{'gold tokens':>12}{'raw text':>10}{'lost':>7}")
    for task in ("entities", "relations"):
        before, after = (100 * report[task]["strict"]["f1"] for report in (gold_tokens, raw))
        print(f"{task:12}{before:12.1f}{after:10.1f}{before - after:7.1f}")


def detokenise(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Running text of the words, and each word's offsets in it.

    >>> detokenise(["He", "said", ",", "``", "Go", "!", "''", "(", "AP", ")"])[0]
    'He said, "Go!" (AP)'
    """
    text, bounds, is_open, glue = "", [], False, True
    for i, word in enumerate(words):
        shown = '"' if word in ("``", "''", '"') else word
        closes = shown == '"' and is_open
        is_number = bool(text) and text[-1] in ",.:" and word.isdigit() and i > 1 and words[i - 2][-1:].isdigit()
        if not (glue or closes or is_number or (shown in _NO_SPACE_BEFORE)):
            text += " "
        bounds.append((len(text), len(text) + len(shown)))
        text += shown
        glue = shown in _NO_SPACE_AFTER or (shown == '"' and not closes)
        if shown == '"':
            is_open = not is_open
    return text, bounds


def in_characters(sentence: AnnotatedSentence, bounds: list[tuple[int, int]]) -> AnnotatedSentence:
    """The sentence with its entities in characters instead of words."""
    entities = tuple(
        EntitySpan(bounds[e.start][0], bounds[e.end - 1][1] - sentence.words[e.end - 1].endswith("."), e.type)
        for e in sentence.entities
    )
    return AnnotatedSentence(
        sentence.words, entities, tuple(RelationPair(r.head, r.tail, r.type) for r in sentence.relations)
    )


def as_prediction(extraction: Extraction) -> Prediction:
    """What was extracted, as decoded mentions and relations in characters."""
    number = {id(mention): i for i, mention in enumerate(extraction.mentions)}
    return (
        [DecodedMention(m.begin, m.end - m.text.endswith("."), m.type, m.confidence) for m in extraction.mentions],
        [DecodedRelation(number[id(r.head)], number[id(r.tail)], r.type, r.confidence) for r in extraction.relations],
    )


if __name__ == "__main__":
    main()
