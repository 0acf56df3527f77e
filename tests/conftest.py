"""What the tests of all packages share: no network, one thread, and a tiny model that was really trained."""

import json
import os
import signal
import string
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
os.environ |= {"COLUMNS": "80", "KGMILL_PROGRESS": "json"}  # what is shown hangs on no terminal that tests run in

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "kgmill", deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("kgmill")

# A shell that runs tests in the background has it ignored, and so would all that they start and stop with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

ONTOLOGY = """\
name = "tiny"

[entities.Peop]
label = "Person"
[entities.Org]
label = "Organization"
[entities.Loc]
label = "Location"

[relations.Work_For]
label = "works for"
head = ["Peop"]
tail = ["Org"]
[relations.Live_In]
label = "lives in"
head = ["Peop"]
tail = ["Loc"]
[relations.Kill]
label = "killed"
head = ["Peop"]
tail = ["Peop"]
"""

# Each sentence: its words with entities in brackets, then (relation, head, tail) by number of entity.
SENTENCES = (
    ("[Peop Ada Byron] worked for [Org Acme Corp] in [Loc Paris] .", ("Work_For", 0, 1)),
    ("[Peop Bob Stone] lives in [Loc London] .", ("Live_In", 0, 1)),
    ("[Peop Carl May] killed [Peop Dora Lane] in [Loc Rome] .", ("Kill", 0, 1)),
    ("[Org Initech] hired [Peop Eve Moss] .", ("Work_For", 1, 0)),
    ("[Peop Frank Hill] of [Org Globex] lives in [Loc Berlin] .", ("Work_For", 0, 1), ("Live_In", 0, 2)),
    ("[Peop Grace Wood] was shot by [Peop Henry Cole] .", ("Kill", 1, 0)),
    ("The weather in [Loc Oslo] was cold .",),
    (
        "[Peop Dora Lane] lives in [Loc New York] and [Peop Bob Stone] worked for [Org Umbrella Inc] .",
        *(("Live_In", 0, 1), ("Work_For", 2, 3)),
    ),
)
WHOLE_WORDS = ("the", "in", "of", "for", "by", "and", "was", "worked", "lives", "killed", "hired", "shot")


@pytest.fixture(scope="session")
def shared_data():
    """The folder of data that is shared between sessions and not in the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    """The folder of a random BERT encoder of 32 features; its lower-casing tokenizer can split any ASCII word."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    characters = string.ascii_lowercase + string.digits + string.punctuation
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    vocabulary = [*special, *characters, *(f"##{c}" for c in characters), *WHOLE_WORDS]
    tokenizer = BertTokenizerFast(vocab={piece: i for i, piece in enumerate(vocabulary)}, do_lower_case=True)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
        initializer_range=0.1,  # BERT's 0.02 makes so small an encoder all but blind to its input
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_ontology(tmp_path_factory):
    """The file of an ontology of Peop, Org and Loc with Work_For, Live_In and Kill."""
    path = tmp_path_factory.mktemp("ontology") / "tiny.ontology.toml"
    path.write_text(ONTOLOGY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_sentences(tmp_path_factory):
    """A SpERT JSON file of eight annotated sentences."""
    path = tmp_path_factory.mktemp("data") / "eight_sentences.json"
    path.write_text(json.dumps([_annotated(*sentence) for sentence in SENTENCES], indent=1), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory, tiny_encoder, tiny_ontology, tiny_sentences):
    """A model folder, really trained on the eight sentences until it knows them by heart."""
    from kgmill.extractor.training.train import train
    from kgmill.schemas.training import TrainConfig

    folder = tmp_path_factory.mktemp("model") / "tiny"
    settings = {
        "encoder": str(tiny_encoder),
        "train": str(tiny_sentences),
        "dev": str(tiny_sentences),
        "ontology": str(tiny_ontology),
        "out": str(folder),
        "epochs": 80,
        "batch_size": 4,
        "learning_rate": 3e-3,
        "head_learning_rate": 1e-2,
        "dropout": 0.0,
        "layer_decay": 1.0,
        "ema_decay": 0.0,
        "phase_one": "sigmoid",
        "type_average": "gold",
        "max_span_width": 4,
        "max_length": 64,
        "threads": 1,
        "device": "cpu",
    }
    train(TrainConfig.load(None, settings))
    return folder


def _annotated(text, *relations):
    """A sentence with bracketed entities as a SpERT record."""
    tokens, entities = [], []
    for word in text.split():
        if word.startswith("["):
            entities.append({"type": word[1:], "start": len(tokens)})
            continue
        tokens.append(word.removesuffix("]"))
        if word.endswith("]"):
            entities[-1]["end"] = len(tokens)
    pairs = [{"type": name, "head": head, "tail": tail} for name, head, tail in relations]
    return {"tokens": tokens, "entities": entities, "relations": pairs}


@pytest.fixture(scope="session")
def s3():
    """A bucket of a real S3 server on this machine; skipped where its packages are not installed."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "kgmill",
            "AWS_SECRET_ACCESS_KEY": "kgmill",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield "s3://bucket"
    server.stop()
