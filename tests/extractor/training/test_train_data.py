"""What training makes of its data: the ontology that it shows, and that it stays the same over a resume."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, infer_ontology
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.training.lineage import n_seen
from kgmill.extractor.training.train import train
from kgmill.schemas.errors import CheckpointError, DataError, OutputError
from kgmill.schemas.ontology import load_ontology
from kgmill.schemas.training import TrainConfig


def test_types_and_pairs_of_the_data(tiny_sentences):
    """Types are sorted; a relation joins what it was seen to join; nothing overlaps."""
    ontology = infer_ontology(read_annotated([str(tiny_sentences)], "spert"))
    assert ontology.entity_names == ("Loc", "Org", "Peop")
    assert (ontology.relations["Work_For"].head, ontology.relations["Work_For"].tail) == (("Peop",), ("Org",))
    assert not ontology.overlapping_entities


def test_overlapping_entities_are_seen():
    """Two spans that share a word let entities overlap."""
    sentence = AnnotatedSentence(
        ("a", "b", "c"),
        (EntitySpan(1, 3, "Y"), EntitySpan(0, 2, "X")),
        (RelationPair(0, 1, "R"), RelationPair(0, 1, "Q")),
    )
    ontology = infer_ontology([sentence])
    assert ontology.overlapping_entities
    assert ontology.relation_names == ("Q", "R")


def test_type_that_no_ontology_can_name_is_explained():
    """A name with a line break is refused with the way out."""
    with pytest.raises(DataError, match="write an ontology file"):
        infer_ontology([AnnotatedSentence(("a",), (EntitySpan(0, 1, "two\nlines"),), ())])


def test_types_of_any_name_are_inferred():
    """Names with spaces, slashes and colons are types, and an entity type and a relation type may share one."""
    sentence = AnnotatedSentence(
        ("a", "b"),
        (EntitySpan(0, 1, "Research field"), EntitySpan(1, 2, "org:award/prize")),
        (RelationPair(0, 1, "Research field"),),
    )
    ontology = infer_ontology([sentence])
    assert ontology.entity_names == ("Research field", "org:award/prize")
    assert ontology.relation_names == ("Research field",)


def test_training_needs_no_more_than_encoder_and_data(tiny_encoder, tiny_sentences, tmp_path):
    """Without `ontology`, `dev`, `seed` and all the rest a model comes out, with the data's ontology in its folder."""
    settings = {"encoder": str(tiny_encoder), "train": str(tiny_sentences), "out": str(tmp_path / "m"), "epochs": 1}
    train(TrainConfig.load(None, settings))
    assert load_ontology(tmp_path / "m" / "ontology.toml").relation_names == ("Kill", "Live_In", "Work_For")


def test_overlapping_entities_and_several_relations_a_pair_are_learnt(tiny_encoder, tmp_path):
    """The same command trains on other types, with overlapping entities and two relations on one pair."""
    record = {
        "tokens": ["the", "lives", "in", "of"],
        "entities": [{"type": "Gene", "start": 0, "end": 3}, {"type": "Site", "start": 1, "end": 2}],
        "relations": [{"type": "has", "head": 0, "tail": 1}, {"type": "binds", "head": 0, "tail": 1}],
    }
    (tmp_path / "data.json").write_text(json.dumps([record] * 4), encoding="utf-8")
    settings = {"encoder": str(tiny_encoder), "train": str(tmp_path / "data.json"), "out": str(tmp_path / "m")}
    reports = train(TrainConfig.load(None, settings | {"epochs": 2, "dev": str(tmp_path / "data.json")}))
    assert reports[-1].dev["relations"]["strict"]["support"] == 8


@pytest.fixture
def cut_off(tiny_encoder, tiny_sentences, tiny_ontology, tmp_path):
    """The configuration of a training of two epochs that was cut off after the first; all it reads is its own copy."""
    shutil.copytree(tiny_encoder, tmp_path / "encoder")
    for path, name in ((tiny_sentences, "train.json"), (tiny_sentences, "dev.json"), (tiny_ontology, "o.toml")):
        shutil.copy(path, tmp_path / name)
    names = {"encoder": "encoder", "train": "train.json", "dev": "dev.json", "ontology": "o.toml", "out": "m"}
    settings = {key: str(tmp_path / name) for key, name in names.items()} | {"epochs": 2, "batch_size": 8, "threads": 1}
    config = TrainConfig.load(None, settings)

    def stop(done, total, loss):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, on_step=stop)
    return config


def swapped_types(folder):
    """Two entity types of the ontology change places, and so do the model's columns."""
    text = (folder / "o.toml").read_text(encoding="utf-8")
    first, second = '[entities.Peop]\nlabel = "Person"\n', '[entities.Org]\nlabel = "Organization"\n'
    assert first + second in text
    (folder / "o.toml").write_text(text.replace(first + second, second + first), encoding="utf-8")


def shorter(folder, name):
    """A file of sentences loses its first."""
    records = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).write_text(json.dumps(records[1:]), encoding="utf-8")


def other_weights(folder):
    """The encoder's weights are another's of the same size."""
    weights = load_file(folder / "encoder" / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, folder / "encoder" / "model.safetensors")


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (swapped_types, "ontology"),
        (lambda folder: shorter(folder, "train.json"), "training data"),
        (lambda folder: shorter(folder, "dev.json"), "dev data"),
        (other_weights, "encoder"),
    ],
)
def test_resume_on_edited_input_is_refused(cut_off, tmp_path, edit, what):
    """A training that was cut off doesn't go on with an ontology, encoder or sentences that were edited since."""
    edit(tmp_path)
    with pytest.raises(OutputError, match=rf"m\.training: holds the state of a training with another {what}; "):
        train(cut_off)


def test_resume_after_a_label_in_the_ontology(cut_off, tmp_path):
    """Comments and labels in the ontology file decide nothing: the training goes on, and keeps the new text."""
    path = tmp_path / "o.toml"
    text = path.read_text(encoding="utf-8").replace('"Person"', '"Human being"')
    path.write_text(f"# Persons and others.\n{text}", encoding="utf-8")
    assert [report.epoch for report in train(cut_off)] == [1, 2]
    assert (tmp_path / "m" / "ontology.toml").read_bytes() == path.read_bytes()


def test_training_says_what_it_does_not_use(tiny_encoder, tmp_path):
    """Annotations outside of their sentence, of wide entities and over windows are told, and stand on the card."""
    document = {
        "doc_key": "d",
        "sentences": [["the", "lives", "in", "of"], [*["in"] * 40]],
        "ner": [[[0, 2, "A"], [3, 3, "A"]], [[0, 0, "B"], [4, 4, "B"], [43, 43, "A"]]],
        "relations": [[[0, 2, 3, 3, "r"]], [[4, 4, 43, 43, "r"], [4, 4, 3, 3, "r"]]],
    }
    data = tmp_path / "d.jsonl"
    data.write_text(json.dumps(document), encoding="utf-8")
    settings = {"encoder": str(tiny_encoder), "train": str(data), "out": str(tmp_path / "m"), "format": "dygie"}
    notes = []

    train(TrainConfig.load(None, settings | {"epochs": 1, "max_span_width": 2, "max_length": 32}), on_note=notes.append)

    place = f"{data}:1: sentence"
    wide = f"entities wider than the spans of the model (first: {place} 1: entity 0:3 'A')"
    assert notes == [
        f"not used: 1 entity lies outside of its sentence (first: {place} 2: entity 0-0 'B')",
        f"not used: 1 relation joins entities of different sentences (first: {place} 2: relation 4-4 to 3-3 'r')",
        f"not used: 1 entity and 1 relation are, or join, {wide}",
        f"not used: 1 relation fits into no window of the model's input (first: {place} 2: relation 0:1 to 39:40 'r')",
    ]
    assert f"- N{notes[0][1:]}\n" in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")


def test_dev_sentences_that_are_trained_on_are_counted(tiny_encoder, tiny_sentences, tmp_path):
    """Training says how much of dev is in its data, and leaves the hashes by which others can say so."""
    records = json.loads(tiny_sentences.read_text(encoding="utf-8"))
    fresh = {"tokens": ["new"], "entities": [{"type": "Loc", "start": 0, "end": 1}]}
    (tmp_path / "dev.json").write_text(json.dumps([*records[:2], fresh]), encoding="utf-8")
    names = {"train": tiny_sentences, "dev": tmp_path / "dev.json", "encoder": tiny_encoder, "out": tmp_path / "m"}
    notes = []

    train(TrainConfig.load(None, {key: str(p) for key, p in names.items()} | {"epochs": 1}), on_note=notes.append)

    dev = read_annotated([str(tmp_path / "dev.json")], "spert")
    assert notes == [f"2 of 3 sentences of {tmp_path}/dev.json are in the training data"]
    assert n_seen(tmp_path / "m", dev) == 2
    assert n_seen(tmp_path, dev) is None
    (tmp_path / "m" / "training_data.toml").write_text("sentences = 7\n")
    with pytest.raises(CheckpointError, match=r"training_data\.toml: not the hashes of a model's training data"):
        n_seen(tmp_path / "m", dev)
