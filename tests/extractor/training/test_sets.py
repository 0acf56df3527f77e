"""Training data from many sets: labels, what is known, what is left out, how much of each an epoch sees."""

import json
from collections import Counter

import numpy as np
import pytest

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, read_spert
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.training.lineage import sentence_hash, text_hash, write_hashes
from kgmill.extractor.training.sets import allowed_alone, draw, read_set, rename, with_policy
from kgmill.extractor.training.state import EpochReport
from kgmill.extractor.training.train import TrainingRun, read_data, train
from kgmill.schemas.errors import ConfigError, DataError
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.training import SetConfig, TrainConfig

WORDS = ("Bob", "Stone", "of", "Initech", "moved", "to", "Rome", ".")
ENTITIES = (EntitySpan(0, 2, "PER"), EntitySpan(3, 4, "ORG"), EntitySpan(6, 7, "MISC"))
# Of the tiny data under its seed, by step, from before there were sets.
LOSSES = ("0x1.060b0ap+1", "0x1.f79fd4p+0", "0x1.f52af0p+0", "0x1.03c5f4p+1")


def write(path, records):
    """A SpERT file of records; returns its name."""
    path.write_text(json.dumps(records), encoding="utf-8")
    return str(path)


def record(text, *entities, **more):
    """A record of a sentence with (start, end, type) entities."""
    rows = [{"start": start, "end": end, "type": name} for start, end, name in entities]
    return {"tokens": text.split(), "entities": rows, "relations": [], **more}


def steps(config):
    """The losses of a training by step."""
    losses = []
    train(config, on_step=lambda done, total, loss: losses.append(loss))
    return losses


def notes_of(config):
    """What is said before a training."""

    class Enough(Exception):  # noqa: N818
        """The notes are all that is wanted."""

    notes = []

    def stop(done, total, loss):
        raise Enough

    with pytest.raises(Enough):
        train(config, on_note=notes.append, on_step=stop)
    return notes


def test_losses_are_those_from_before_there_were_sets(training, tmp_path):
    """Files alone are trained on as ever: equal seeds, equal losses."""
    found = steps(training(epochs=2, negative_pairs=3))

    assert found == pytest.approx([float.fromhex(loss) for loss in LOSSES], rel=1e-5)


def test_a_set_that_is_complete_trains_as_its_file_does(training, tiny_sentences, tmp_path):
    """A [[train]] entry of everything has the losses of the file alone, bit for bit."""
    records = json.loads(tiny_sentences.read_text())
    everything = {"types": ["Peop", "Org", "Loc"], "relations": ["Work_For", "Live_In", "Kill"]}
    said = write(tmp_path / "said.json", [r | {"annotated": everything} for r in records])

    plain = steps(training(out=str(tmp_path / "a")))
    entry = steps(training(out=str(tmp_path / "b"), train=[{"files": str(tiny_sentences)}]))
    named = steps(training(out=str(tmp_path / "c"), train=[{"files": said, "unknown": "absent"}]))

    assert plain == entry == named


def test_labels():
    """Labels become the ontology's: renamed, turned, of several types, left out and counted."""
    labels = {"PER": "Peop", "ORG": "", "MISC": ("Loc", "Org"), "home": "-Live_In", "of": "Work_For", "x": ""}
    relations = (RelationPair(2, 0, "home"), RelationPair(0, 1, "of"), RelationPair(0, 2, "x"))
    partial = Partial(("ORG", "PER"), ("home", "x"), ((3, 5),), ((0, 2), (0, 1)))
    left_out = Counter()

    found = rename(AnnotatedSentence(WORDS, ENTITIES, relations, partial=partial), labels, left_out)

    assert found.entities == (EntitySpan(0, 2, "Peop"), EntitySpan(6, 7, "Loc", ("Loc", "Org")))
    assert found.relations == (RelationPair(0, 1, "Live_In"),)
    assert found.partial == Partial(("Peop",), ("Live_In",), ((3, 5),), ((0, 1),))
    assert left_out == {"of label ORG": 1, "of label x": 1, "relations of names that are left out": 1}


def test_labels_that_become_one():
    """Two relations of a pair that are one in the ontology are one."""
    relations = (RelationPair(0, 1, "employer"), RelationPair(0, 1, "member"))

    found = rename(AnnotatedSentence(WORDS, ENTITIES, relations), {"employer": "of", "member": "of"}, Counter())

    assert found.relations == (RelationPair(0, 1, "of"),)


@pytest.mark.parametrize(
    ("entry", "partial", "expected"),
    [
        ({}, None, None),
        ({}, Partial(("Peop",), ()), Partial(("Peop",), ())),
        ({"types": ["Peop"], "relations": []}, None, Partial(("Peop",), ())),
        ({"types": ["Loc"], "relations": []}, Partial(("Peop",), ()), Partial(("Peop",), ())),
        ({"more_types": ["Loc"]}, Partial(("Peop",), ()), Partial(("Loc", "Peop"), ())),
        ({"more_types": ["Loc"]}, None, None),
        ({"unknown": "absent"}, Partial(("Peop",), (), ((0, 1),)), None),
        (
            {"unknown": "completed"},
            Partial(("Peop",), (), ((0, 1),), ((0, 1),)),
            Partial(spans=((0, 1),), pairs=((0, 1),)),
        ),
        ({"learn": ["relations", "types"]}, None, Partial(tasks=("types", "relations"))),
    ],
)
def test_what_is_known(entry, partial, expected):
    """A sentence says what is complete in it, else its set; the set says what becomes of the rest."""
    one = AnnotatedSentence(WORDS, (), (), partial=partial, tags=(("completed", "abc"),))

    assert with_policy(one, SetConfig.model_validate({"files": "f"} | entry)).partial == expected


def test_completed_sets_were_completed():
    """A set that is said to be completed, and is not, is refused."""
    with pytest.raises(DataError, match=r'sentence 0: its set says `unknown = "completed"`; complete it first'):
        with_policy(
            AnnotatedSentence(WORDS, (), (), place="a.json: sentence 0"), SetConfig(files=("f",), unknown="completed")
        )


def test_relations_that_the_ontology_does_not_allow():
    """They are left out, counted, and of their pairs nothing is known."""
    types = {"entities": {"PER": {}, "ORG": {}, "MISC": {}}, "relations": {"of": {"head": ["PER"], "tail": ["ORG"]}}}
    relations = (RelationPair(0, 1, "of"), RelationPair(1, 0, "of"))
    left_out = Counter()

    found = allowed_alone(AnnotatedSentence(WORDS, ENTITIES, relations), parse_ontology(types, "test"), left_out)

    assert (found.relations, found.partial) == (relations[:1], Partial(pairs=((1, 0),)))
    assert left_out == {"relations that the ontology does not allow there": 1}


def test_sentences_without_relations_teach_none(training, tiny_sentences):
    """Of a set of which only relations are learnt the sentences without any are left out, and counted."""
    sets, _, _ = read_data(training(train=[{"files": str(tiny_sentences), "learn": ["relations"]}]))

    assert [len(one.sentences) for one in sets] == [7]
    assert sets[0].left_out["sentences without a relation to learn"] == 1


def test_choosing_sentences(tmp_path):
    """Sentences are chosen by the keys of their records, and documents by their number."""
    rows = [
        record("a", orig_id=f"{name}#{i}", fold=fold) for i, (name, fold) in enumerate(zip("AABC", "1221", strict=True))
    ]
    path = write(tmp_path / "a.json", rows)

    def chosen(**more):
        return [s.key for s in read_set(SetConfig.model_validate({"files": path} | more), {}).sentences]

    assert chosen() == ["A#0", "A#1", "B#2", "C#3"]
    assert chosen(only={"fold": ["1"]}) == ["A#0", "C#3"]
    assert chosen(documents=[1, 3]) == ["B#2", "C#3"]
    assert chosen(documents=[0, 2], only={"fold": ["2", "3"]}) == ["A#1", "B#2"]


def test_drawing_windows():
    """Each epoch has of a set what its weight and cap say; what is seen whole is not drawn."""
    rng = np.random.default_rng(0)

    drawn = draw([(3, "abc"), (5, "xy"), (2, "pqrstuv")], rng)

    assert drawn[:3] == list("abc")
    assert Counter(drawn[3:8]) in ({"x": 3, "y": 2}, {"x": 2, "y": 3})
    assert len(set(drawn[8:])) == 2
    assert set(drawn[8:]) <= set("pqrstuv")


def test_epochs_have_as_much_of_a_set_as_it_says(training, tiny_sentences):
    """Weight and cap decide the steps of an epoch; other epochs draw other sentences."""
    import torch

    entries = [{"files": str(tiny_sentences), "weight": 0.5}, {"files": str(tiny_sentences), "weight": 2.5, "cap": 9}]
    config = training(train=entries, batch_size=1)
    run = TrainingRun(config, *read_data(config), torch.device("cpu"))

    epochs = [[w.sentence for batch in run.batches(np.random.default_rng(i)) for w in batch] for i in range(3)]

    assert run.n_steps == 13
    assert [(sum(i < 8 for i in one), sum(i >= 8 for i in one)) for one in epochs] == [(4, 9)] * 3
    assert len({frozenset(i for i in one if i < 8) for one in epochs}) > 1


def test_what_is_in_dev_or_excluded_is_left_out(training, tiny_sentences, tmp_path):
    """Sentences of dev, however cut, those excluded, and other sentences of their documents are left out."""
    long = "Bob Stone of Initech moved to Rome in May ."
    dev = write(tmp_path / "dev.json", [record(long.upper().replace(" .", ".")), record("Yes ."), record("Old news .")])
    rows = [
        *(record(text, orig_id=f"A#{i}") for i, text in enumerate((long, "He likes it ."))),
        *(record(text, orig_id=f"B#{i}") for i, text in enumerate(("yes", "Eve Moss came ."))),
        record("Hidden away .", orig_id="C#1"),
        record("Kept .", (0, 1, "Loc")),
    ]
    hashes = tmp_path / "hashes.toml"
    write_hashes(hashes, [AnnotatedSentence(("Hidden", "away"), (), ())])
    files = write(tmp_path / "a.json", rows)

    config = training(train=[{"files": files}], dev=dev, exclude=[str(hashes)])
    sets, _, _ = read_data(config)

    assert [" ".join(s.words) for one in sets for s in one.sentences] == ["Eve Moss came .", "Kept ."]
    assert notes_of(config)[0] == (
        "set a: 2 sentences, 2 an epoch, 1 mentions and 0 relations; left out: 3 sentences in dev or excluded; "
        "left out: 1 sentences of documents in dev or excluded"
    )


def test_files_alone_are_only_left_out_where_excluded(training, tiny_sentences):
    """Of a training on files what is in dev stays, and is told as ever; what is excluded goes, and is told."""
    data = read_spert(tiny_sentences)
    config = training(dev=str(tiny_sentences))

    with pytest.raises(DataError, match=r"eight_sentences.json: no sentences to train on; all are left out"):
        read_data(training(exclude=[str(tiny_sentences)]))
    assert [one.sentences for one in read_data(config)[0]] == [tuple(data)]


def test_both_kinds_of_hashes_exclude(training, tiny_sentences, tmp_path):
    """The list of a model's training data excludes too."""
    first = read_spert(tiny_sentences)[0]
    (tmp_path / "h.toml").write_text(f'sentences = "{sentence_hash(first)} {text_hash(["none"])}"\n')
    (tmp_path / "bad.toml").write_text("[")

    sets, _, _ = read_data(training(exclude=[str(tmp_path / "h.toml")]))

    assert len(sets[0].sentences) == 7
    with pytest.raises(DataError, match=r"bad\.toml: neither annotated data \(\.json, \.jsonl\) nor a list of hashes"):
        read_data(training(exclude=[str(tmp_path / "bad.toml")]))
    with pytest.raises(DataError, match=r"gone\.toml: No such file"):
        read_data(training(exclude=[str(tmp_path / "gone.toml")]))


def test_sets_are_described(training, tiny_sentences, tmp_path):
    """The note on a set has its size, what is completed, and the share of related pairs."""
    rows = json.loads(tiny_sentences.read_text())
    rows[0]["entities"][0]["by"] = "completed"
    files = write(tmp_path / "mine.json", rows)

    notes = notes_of(training(train=[{"files": files, "cap": 5, "name": "mine"}]))

    line = "set mine: 8 sentences, 5 an epoch, 20 mentions and 9 relations (1 of them completed)"
    assert notes == [f"{line}; related are 25.0 % of 36 pairs"]


def test_completed_file_is_trained_on(training, tiny_sentences, tmp_path):
    """A set that names the file of its completed sentences is read from there, under the ontology's labels."""
    rows = [r | {"completed": "abc"} for r in json.loads(tiny_sentences.read_text())[:2]]
    path = str(tmp_path / "c.json")
    config = training(
        train=[{"files": "gone.json", "labels": {"Peop": "X"}, "unknown": "completed", "completed": path}]
    )

    with pytest.raises(DataError, match=r"c\.json: no such file; kgmill complete --config makes it from gone"):
        read_data(config)
    write(tmp_path / "c.json", rows)

    sets, _, _ = read_data(config)
    assert [len(one.sentences) for one in sets] == [2]
    assert sets[0].config.title == "gone"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"files": "a", "wieght": 2}, "train: set 1: unknown key 'wieght'; known keys of a set: files, name, "),
        ({"files": []}, "train: set 1: files: "),
        ({"files": "a", "unknown": "gone"}, "train: set 1: unknown: Input should be 'masked', 'absent' or 'completed'"),
        ({"files": "a", "completed": "b"}, "train: set 1: completed: names a file, so `unknown` must be "),
        ({"files": "a", "weight": 0}, "train: set 1: weight: "),
    ],
)
def test_wrong_sets(entry, message):
    """A wrong entry is refused with its number and key."""
    with pytest.raises(ConfigError) as caught:
        TrainConfig.load(None, {"train": [entry]})

    assert message in str(caught.value)


def test_unknown_names_in_annotated(training, tiny_sentences, tmp_path):
    """A type that is said to be complete and that the ontology doesn't know is refused."""
    rows = [r | {"annotated": {"types": ["Animal"], "relations": []}} for r in json.loads(tiny_sentences.read_text())]

    with pytest.raises(DataError, match=r"a\.json: types Animal are not in the ontology"):
        read_data(training(train=write(tmp_path / "a.json", rows)))


def test_configuration_with_sets_is_kept(training, tiny_sentences, tmp_path):
    """The training.toml of a model that was trained on sets, and scored on some, is the configuration that made it."""
    entries = [
        {"files": str(tiny_sentences), "labels": {"x": ["Peop", "Loc"], "y": ""}, "types": ["Loc"], "weight": 0.5}
    ]
    config = training(
        train=entries, dev=[{"files": str(tiny_sentences), "only": {"fold": ["no"]}}], labels={"z": "-Kill"}
    )
    more = training(train=entries, labels={"z": "-Kill"})

    reports = train(more)

    assert TrainConfig.load(tmp_path / "model" / "training.toml", {}) == more
    assert read_data(config)[2] == []
    assert isinstance(reports[0], EpochReport)
