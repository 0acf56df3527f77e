"""Encoders of other kinds than BERT, tiny and random: they train, save, load, and read sentences of any length."""

import json

import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    ElectraConfig,
    ElectraModel,
    MPNetConfig,
    MPNetModel,
    RobertaConfig,
    RobertaModel,
)

from kgmill.extractor.candidates import Floors
from kgmill.extractor.neural.checkpoint import load_checkpoint, new_checkpoint
from kgmill.extractor.predict import open_predictor
from kgmill.extractor.training.train import train
from kgmill.schemas.ontology import load_ontology

SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
NARROW = {"embedding_size": 16}
KINDS = {
    "half precision": (BertConfig, BertModel, {"max_position_embeddings": 64}),
    "electra": (ElectraConfig, ElectraModel, {"max_position_embeddings": 64, **NARROW}),
    "albert": (AlbertConfig, AlbertModel, {"max_position_embeddings": 64, **NARROW}),
    "roberta": (RobertaConfig, RobertaModel, {"max_position_embeddings": 66}),
    "mpnet": (MPNetConfig, MPNetModel, {"max_position_embeddings": 66}),
}


@pytest.fixture
def encoder(request, tmp_path, tiny_encoder):
    """The folder of an encoder of a kind, with the tiny encoder's tokenizer."""
    config, model, settings = KINDS[request.param]
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    tokenizer.save_pretrained(tmp_path / "encoder")
    torch.manual_seed(0)
    dtype = torch.float16 if request.param == "half precision" else torch.float32
    model(config(vocab_size=len(tokenizer), **SMALL, **settings)).to(dtype).save_pretrained(tmp_path / "encoder")
    return tmp_path / "encoder"


@pytest.mark.parametrize("encoder", KINDS, indirect=True)
def test_encoder_trains_and_predicts(encoder, training, tmp_path, sentences):
    """One epoch changes weights in single precision; a sentence of many windows then has candidates to its end."""
    report, *_ = train(training(encoder=str(encoder), word_shape=True, max_length=256))
    words = [word for sentence in sentences * 3 for word in sentence]

    (found,) = open_predictor(tmp_path / "model", "cpu", "fp32", 1).predict([words], Floors(-3.0, 9.0))

    assert 0 < report.loss < 20
    assert json.loads((tmp_path / "model" / "config.json").read_text())["max_length"] == 64
    assert found.spans[-1, 1] > len(words) - 8


@pytest.mark.parametrize("encoder", ["half precision"], indirect=True)
def test_half_precision_is_trained_in_single(encoder, tiny_ontology):
    """Weights that are stored in half precision are read in single: an optimiser's steps are too small for half."""
    checkpoint = new_checkpoint(str(encoder), load_ontology(tiny_ontology), {"max_length": 64})

    assert {parameter.dtype for parameter in checkpoint.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("encoder", ["roberta"], indirect=True)
def test_positions_of_a_model_that_says_too_many(encoder, training, tmp_path):
    """A model folder of 0.1 that counts the two positions before the first is read with those that are of use."""
    train(training(encoder=str(encoder)))
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"max_length": 66}))

    assert load_checkpoint(tmp_path / "model", torch.device("cpu")).model.config.max_length == 64
