"""What the extractor's tests share."""

import numpy as np
import pytest

from kgmill.extractor.candidates import Candidates

SENTENCES = (
    "Ada Byron worked for Acme Corp in Paris .",
    "Bob Stone lives in London .",
    "Carl May killed Dora Lane in Rome .",
    "Initech hired Eve Moss .",
    "Frank Hill of Globex lives in Berlin .",
    "Dora Lane lives in New York and Bob Stone worked for Umbrella Inc .",
)


@pytest.fixture(scope="session")
def predictor(tiny_model):
    """The tiny model's predictor, on one CPU thread."""
    from kgmill.extractor.predict import open_predictor

    return open_predictor(tiny_model, "cpu", "fp32", 1)


@pytest.fixture
def training(tmp_path, tiny_encoder, tiny_sentences, tiny_ontology):
    """Makes the configuration of a short training on the eight sentences."""
    from kgmill.schemas.training import TrainConfig

    def configuration(**changes):
        settings = {
            "encoder": str(tiny_encoder),
            "train": str(tiny_sentences),
            "ontology": str(tiny_ontology),
            "out": str(tmp_path / "model"),
            "epochs": 1,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "head_learning_rate": 1e-3,
            "max_span_width": 4,
            "max_length": 64,
            "negative_spans": 10,
            "threads": 1,
            "device": "cpu",
        }
        return TrainConfig.load(None, settings | changes)

    return configuration


@pytest.fixture(scope="session")
def sentences():
    """Six sentences as lists of words."""
    return [text.split() for text in SENTENCES]


@pytest.fixture(scope="session")
def is_equal():
    """Whether two Candidates are equal in every bit."""

    def compare(a: Candidates, b: Candidates):
        names = Candidates.__slots__
        return all(
            np.array_equal(getattr(a, name), getattr(b, name)) and getattr(a, name).dtype == getattr(b, name).dtype
            for name in names
        )

    return compare
