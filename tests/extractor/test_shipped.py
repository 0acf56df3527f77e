"""The shipped models: what they find, pinned, so that no change of code changes it unseen."""

from pathlib import Path

import pytest

from kgmill.extractor import Extractor
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.predict import open_predictor
from kgmill.extractor.training.evaluate import evaluate
from kgmill.extractor.training.outcomes import outcomes

MODELS = Path(__file__).resolve().parents[2] / "models"
SCI, CONLL04 = MODELS / "sci", MODELS / "conll04"
BIOGRAPHY = (
    "Marta Lindqvist was born in Bergen, Norway, on 7 May 1921 and studied at Uppsala University. "
    "In 1954 she founded Northern Optics, which is based in Malmo, Sweden."
)
NEWS = (
    "Martha Kellner, a spokeswoman for Danish Railways, lives in Aarhus, Denmark. "
    "Henrik Bauer shot Otto Lindqvist in Malmo."
)
ABSTRACT = (
    "We propose a hidden Markov model for speech recognition. Our parser uses lexical features to improve machine "
    "translation, and we compare support vector machines with neural networks on a corpus of news articles."
)
STEPS = (0.4, 0.25, 0.1, 0.05, 0.02, 0.01)


@pytest.fixture(scope="module")
def default():
    """The default model."""
    return Extractor.from_pretrained("default", device="cpu", n_threads=1)


@pytest.fixture(scope="module")
def sci():
    """The scientific model."""
    return open_predictor(SCI, "cpu", "fp32", 1)


def test_default_finds_what_it_found(default):
    """Mentions and relations of two sentences, with their types, directions and confidences."""
    [found] = default.extract([BIOGRAPHY])

    assert [(m.text, m.type) for m in found.mentions] == [
        ("Marta Lindqvist", "Person"),
        ("Bergen", "Place"),
        ("Norway", "Place"),
        ("7 May 1921", "Date"),
        ("Uppsala University", "Organization"),
        ("1954", "Date"),
        ("Northern Optics", "Organization"),
        ("Malmo", "Place"),
        ("Sweden", "Place"),
    ]
    assert [(r.head.text, r.type, r.tail.text) for r in found.relations] == [
        ("Marta Lindqvist", "born_in", "Bergen"),
        ("Marta Lindqvist", "citizenship", "Norway"),
        ("Marta Lindqvist", "born_on", "7 May 1921"),
        ("Marta Lindqvist", "educated_at", "Uppsala University"),
        ("Bergen", "country", "Norway"),
        ("Uppsala University", "country", "Norway"),
        ("Northern Optics", "founded_by", "Marta Lindqvist"),  # who is "she" in its sentence
        ("Northern Optics", "inception", "1954"),
        ("Northern Optics", "headquarters", "Malmo"),
        ("Northern Optics", "country", "Sweden"),
        ("Malmo", "country", "Sweden"),
    ]
    assert [r.confidence for r in found.relations] == pytest.approx(
        [0.92, 0.74, 0.64, 0.88, 0.93, 0.69, 0.70, 0.86, 0.86, 0.61, 0.93], abs=0.015
    )


def test_default_masks_what_it_finds_badly(default):
    """Relations that were mostly wrong on dev are not told; at least thirty are."""
    masked, ontology = default.predictor.calibration.masked, default.predictor.ontology

    assert masked == ("country_of_origin", "owned_by", "product_of", "religion")
    assert len(ontology.relations) - len(masked) >= 30


def test_conll04_finds_what_it_found():
    """Mentions and relations of two sentences, with their types, directions and confidences."""
    [found] = Extractor.from_pretrained(str(CONLL04), device="cpu", n_threads=1).extract([NEWS])

    assert [(m.text, m.type) for m in found.mentions] == [
        ("Martha Kellner", "Peop"),
        ("Danish Railways", "Org"),
        ("Aarhus", "Loc"),
        ("Denmark", "Loc"),
        ("Henrik Bauer", "Peop"),
        ("Otto Lindqvist", "Peop"),
        ("Malmo", "Loc"),
    ]
    assert [(r.head.text, r.type, r.tail.text) for r in found.relations] == [
        ("Martha Kellner", "Work_For", "Danish Railways"),
        ("Aarhus", "Located_In", "Denmark"),
        ("Henrik Bauer", "Kill", "Otto Lindqvist"),
    ]
    assert [r.confidence for r in found.relations] == pytest.approx([0.932, 0.963, 0.653], abs=0.01)


def test_lower_thresholds_give_more_all_the_way_down(sci):
    """At each step down the scientific model, whose scores are worth little, finds more relations."""
    extractor = Extractor(sci)

    counts = [len(next(extractor.extract([ABSTRACT], min_confidence=step)).relations) for step in STEPS]

    assert counts == sorted(set(counts))


@pytest.mark.slow
def test_sci_on_dev(sci, shared_data):
    """Strict precision and F1 of the scientific model on SciERC dev, which it was not trained on."""
    sentences = read_annotated([str(shared_data / "scierc" / "dev.jsonl")], "dygie")

    found = {}
    for step in (0.2, 0.4):
        report = evaluate(sci, sci.ontology, sentences, step)
        entities, used_for = report["entities"]["strict"], report["relations"]["strict"]["by_type"]["USED-FOR"]
        found[step] = [round(100 * scores[key], 1) for scores in (entities, used_for) for key in ("precision", "f1")]

    assert found == {0.2: [65.5, 65.7, 38.2, 33.9], 0.4: [71.6, 64.6, 54.5, 25.7]}


@pytest.mark.slow
def test_sci_claims_what_is_right(sci, shared_data):
    """At and above the threshold that users get the scientific model's relations are right about as often as it says.

    Its stored scales were fitted to these sentences; cross-fitted it claims 53 % and is right 48 %.
    """
    sentences = read_annotated([str(shared_data / "scierc" / "dev.jsonl")], "dygie")
    candidates = sci.predict([s.words for s in sentences], sci.calibration.floors(0.4))

    found = outcomes([sci.calibration.apply(c) for c in candidates], sentences, sci.ontology, 0.4)

    for task in ("mentions", "relations"):
        assert found[task].claimed == pytest.approx(found[task].right, abs=0.04)
