"""What training makes of its data: the ontology that it shows, and that it stays the same over a resume."""

import json

import pytest

from extractor.annotated import AnnotatedSentence, EntitySpan, RelationPair, infer_ontology, read_annotated
from extractor.train import train
from schemas.config import TrainConfig
from schemas.errors import DataError, OutputError
from schemas.ontology import load_ontology


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


def test_resume_on_edited_data_is_refused(tiny_encoder, tiny_sentences, tmp_path):
    """A training that was cut off doesn't go on with sentences that were edited since."""
    data = tmp_path / "data.json"
    records = json.loads(tiny_sentences.read_text(encoding="utf-8"))
    data.write_text(json.dumps(records), encoding="utf-8")
    config = TrainConfig.load(
        None, {"encoder": str(tiny_encoder), "train": str(data), "out": str(tmp_path / "m"), "epochs": 2}
    )

    def stop(done, total, loss):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, on_step=stop)
    data.write_text(json.dumps(records[1:]), encoding="utf-8")
    with pytest.raises(OutputError, match="of other data"):
        train(config)
