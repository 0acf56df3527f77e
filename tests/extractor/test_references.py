"""References: whom "he" and "she" mean, and what is found once a sentence is read with the name."""

import numpy as np
import pytest

from kgmill.extractor.api import Extractor
from kgmill.extractor.candidates import Candidates
from kgmill.extractor.references import are_read, references_of
from kgmill.extractor.text.split import split_text

NAMES = {("Ada", "Byron"): 0, ("Bob", "Stone"): 0, ("Carl",): 0, ("Acme",): 1, ("Mrs", ".", "Byron"): 0}
CURIE = "Marie Curie was a physicist. She was born in Warsaw, Poland. In 1903 she won the Nobel Prize in Physics."


def candidates(words):
    """Candidates in which the names of NAMES are likely of their type (0: a person), and single words are unlikely."""
    found = {(at, at + 1): (-3.0, 0) for at in range(len(words))}
    for name, column in NAMES.items():
        for at in range(len(words)):
            if words[at : at + len(name)] == name:
                found[at, at + len(name)] = (3.0, column)
    spans = sorted(found)
    logits = np.eye(2, dtype=np.float32)[[found[span][1] for span in spans]]
    margin = np.array([found[span][0] for span in spans], np.float32)
    nothing = np.zeros(0, np.float32)
    return Candidates(np.array(spans, np.int32), margin, logits, np.zeros((0, 2), np.int32), nothing, nothing)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Ada Byron left. She came back.", ["She: Ada Byron"]),
        ("Ada Byron left. In May she came back.", ["she: Ada Byron"]),
        ("Ada Byron met Bob Stone. He stayed.", ["He: Ada Byron"]),  # the first one, as most sentences have it
        ("Acme made Ada Byron rich. She left. Later she sold Acme.", ["She: Ada Byron", "she: Ada Byron"]),
        ("Ada Byron left. She met Bob Stone. She stayed.", ["She: Ada Byron", "She: Ada Byron"]),
        ("Ada Byron left. She came back. He stayed. He slept.", ["She: Ada Byron"]),
        ("Ada Byron left. Bob Stone said that he stayed. He slept.", ["He: Bob Stone"]),
        ("Ada Byron left. Her book was made by Bob Stone. She stayed.", ["She: Ada Byron"]),
        ("Ada Byron left. His book was good. She stayed.", []),
        ("Ada Byron and Bob Stone left. She stayed.", []),
        ("Ada Byron left. Acme (made by Bob Stone) grew. He stayed.", []),
        ("Ada Byron left. Acme grew. She came back.", []),
        ("Ada Byron left.\n\nShe came back.", []),
        ('Ada Byron left. "She came back," said Acme.', []),
        ("Acme grew. He stayed.", []),
        ("She came back.", []),
        ("", []),
    ],
)
def test_whom_a_pronoun_means(text, meant):
    """The first person of the sentence before, or whom its own pronoun meant; not over the end of a paragraph."""
    sentences = split_text(text)
    found = [candidates(s.words) for s in sentences]
    told = []
    for one in references_of(sentences, found, [0]):
        start, end = found[one.named_in].spans[one.row]
        told.append(f"{sentences[one.sentence].words[one.at]}: {' '.join(sentences[one.named_in].words[start:end])}")
    assert told == meant


def test_nobody_is_meant_where_no_type_is_a_persons():
    """An ontology of drugs and genes has no people."""
    sentences = split_text("Ada Byron left. She came back.")
    assert references_of(sentences, [candidates(s.words) for s in sentences], []) == []


@pytest.fixture(scope="module")
def default():
    return Extractor.from_pretrained("default", device="cpu", n_threads=1)


def told(extraction):
    return {(r.head.text, r.type, r.tail.text): r for r in extraction.relations}


def test_what_is_said_of_her_is_found(default):
    """Her name is where it stands; without references nothing is said of her."""
    found = told(default(CURIE))
    born = found["Marie Curie", "born_in", "Warsaw"]
    assert (born.head.begin, born.tail.begin) == (0, CURIE.index("Warsaw"))
    without = told(Extractor(default.predictor, references=False)(CURIE))
    assert not any(head == "Marie Curie" for head, _, _ in without)
    assert without.items() <= found.items()


def test_it_is_less_sure_than_with_the_name(default):
    """A pronoun can mean somebody else."""
    by_name = told(default(CURIE.replace("She was", "Marie Curie was")))
    key = ("Marie Curie", "born_in", "Warsaw")
    assert 0.4 < told(default(CURIE))[key].confidence < by_name[key].confidence - 0.05


@pytest.mark.parametrize(
    ("passage", "languages", "has"),
    [(1, ["en"], True), (1, ["de", "en"], True), (1, [], True), (1, ["de"], False), (2, [], False)],
)
def test_references_are_of_english_read_sentence_by_sentence(passage, languages, has):
    """Sentences that are read together see their neighbours already; a language that isn't known is taken for it."""
    assert are_read(passage, languages) is has


def test_extractor_reads_together_instead(default):
    """As a build does."""
    assert default.references
    assert not Extractor(default.predictor, passage=2).references
