"""What makes a stage run again: its version, its settings, the model, the kind of device; nothing else."""

import gzip
import json
import shutil

import pyarrow.parquet as pq
import pytest

from kgmill.extractor.candidates import Floors
from kgmill.extractor.text.split import split_text
from kgmill.pipelines.checks import check_build
from kgmill.pipelines.stages import extract
from kgmill.pipelines.stages.candidates import PredictorSettings, Reading
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.identity import fingerprint

TEXT = (
    'Mr. A. Byron (of Acme Corp.) said: "It won\'t do. No." She left\u2003at 5 p.m. on Jan. 3.\n\n'
    "U.S. shares fell 1.5% - the 3rd fall; e.g. Initech's. \u201cWhy?\u201d he asked. http://a.b/c?d=1 x@y.org\n"
    "- Acme\u2014of Oslo\u2014and \u6771\u4eac\nAda Byron | Acme Corp\nthe 1914\u20131918 war"
)


@pytest.fixture(scope="module")
def finished(build_here, tmp_path_factory):
    """A source of one document, and the folder it was built in; only copied."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "a.txt").write_text("Ada Byron worked for Acme Corp in Paris . Bob Stone lives in London .")
    build_here(folder / "a.txt", folder / "out")
    return folder


@pytest.fixture
def built(finished, tmp_path):
    """A copy that a test may build on: its source, and its folder."""
    return finished / "a.txt", shutil.copytree(finished / "out", tmp_path / "out")


def what_ran(report):
    """The sentences that met the model, and the stages that made a part."""
    return report["model_calls"]["sentences"], [name for name, stage in report["stages"].items() if stage["n_done"]]


def test_new_sentences_need_a_new_version():
    """The rule: whoever changes how text is cut adds one to extract.VERSION, or old candidates would be taken for new.

    Then the hash here changes too.
    """
    cut = [(s.begin, s.end, s.words, s.word_begins, s.word_ends) for s in split_text(TEXT)]
    assert (extract.VERSION, fingerprint(cut)[:16]) == (9, "9e163d722d105382")


def test_candidates_hang_on_all_that_makes_them(monkeypatch):
    """Model, kind of device, precision, floors, passages, references and version each give another key."""

    def reading(entity=-5.0, **how):
        return Reading(PredictorSettings("folder", "cpu", "fp32"), Floors(entity, -5.0), **how)

    keys = [
        extract.extract_key(*settings)
        for settings in [
            ("model", "cpu", "fp32", reading()),
            ("other", "cpu", "fp32", reading()),
            ("model", "cuda", "fp32", reading()),
            ("model", "cpu", "bf16", reading()),
            ("model", "cpu", "fp32", reading(entity=-6.0)),
            ("model", "cpu", "fp32", reading(passage=2)),
            ("model", "cpu", "fp32", reading(references=True)),
        ]
    ]
    monkeypatch.setattr(extract, "VERSION", extract.VERSION + 1)
    keys.append(extract.extract_key("model", "cpu", "fp32", reading()))
    assert len(set(keys)) == len(keys)


def test_threshold_redoes_decode_and_later(built, build_here):
    """A new threshold doesn't need the model."""
    assert what_ran(build_here(*built, min_confidence=0.999)) == (0, ["decode", "aggregate", "export"])
    assert what_ran(build_here(*built, min_confidence=0.999)) == (0, [])


def test_wanted_precision_redoes_aggregate_and_later(built, build_here):
    """Which facts are asserted is decided without the model and without names.

    The others lose their triples, and the dataset's description the three lines of a property that has none.
    """
    before = build_here(*built, wanted_precision=0.0)
    after = build_here(*built, wanted_precision=1.0)
    assert what_ran(after) == (0, ["aggregate", "export"])
    assert before["graph"]["facts"] == after["graph"]["facts"] == 2
    assert before["graph"]["quads"] - after["graph"]["quads"] == 2 * (1 + 3)
    assert after["graph"]["removed_quads"] >= 2 * (1 + 3)


def test_buckets_redo_aggregate_and_export(build_here, tmp_path):
    """More buckets order the graph by more bits: it holds the same; and what nobody asked more of is as it was."""
    source, out = tmp_path / "a.txt", tmp_path / "out"
    lasts = ("ron", "stone", "lin", "mar", "tor", "vic")
    names = [f"{first}{last}" for first in ("Ab", "Be", "Ce", "Da", "Do") for last in lasts]
    source.write_text("".join(f"Ada {name} worked for {name} Corp in Paris .\n\n" for name in names))
    graphs = []
    for run, buckets in enumerate((256, 1024, 256)):
        report = build_here(source, out, buckets=buckets)
        if run:
            assert what_ran(report) == (0, ["aggregate", "export"])
            assert (report["graph"]["added_quads"], report["graph"]["removed_quads"]) == (0, 0)
        graphs.append(gzip.decompress((out / "graph" / "graph.nq.gz").read_bytes()))
    lines = [graph.splitlines() for graph in graphs]
    assert lines[0] != lines[1]
    assert set(lines[0]) == set(lines[1])
    assert graphs[0] == graphs[2]
    assert len(pq.read_table(out / "tables" / "facts")) > 20


@pytest.mark.parametrize(
    ("buckets", "why"),
    [
        (300, "buckets: 300 is no power of two; wanted one from 256 to 65536, such as 1024"),
        (128, "buckets: Input should be greater than or equal to 256"),
        (1 << 17, "buckets: Input should be less than or equal to 65536"),
        ("many", "buckets: Input should be a valid integer"),
    ],
)
def test_buckets_are_a_power_of_two(buckets, why):
    """Any other number is refused, in one line."""
    with pytest.raises(ConfigError, match=why) as refused:
        BuildConfig.load(None, {"buckets": buckets})
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_threshold_below_the_candidate_floor_needs_the_model(built, build_here):
    """What a threshold below the floor asks for was forgotten: it meets the model again, and there is more of it."""
    before = build_here(*built)
    after = build_here(*built, min_confidence=0.0001)
    assert what_ran(after) == (2, ["extract", "decode", "aggregate", "export"])
    assert after["graph"]["facts"] > before["graph"]["facts"]


def test_ontology_redoes_decode_and_later(built, build_here, tiny_model, tmp_path):
    """A new ontology doesn't need the model; what it doesn't change of the decoded rows is not aggregated again."""
    text = (tiny_model / "ontology.toml").read_text().replace('tail = ["Org"]', 'tail = ["Org", "Loc"]', 1)
    (tmp_path / "own.toml").write_text(text)
    ran = what_ran(build_here(*built, ontology=str(tmp_path / "own.toml")))
    assert ran == (0, ["decode", "export"])


def test_calibration_redoes_decode_and_later(built, build_here, tiny_model, tmp_path):
    """A new calibration of the same weights doesn't need the model, unless it is so flat that it lowers the floor."""
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / "calibration.json").write_text('{"entity": {"slope": 0.8, "bias": 0.0}}')
    sentences, stages = what_ran(build_here(*built, model=str(model)))
    assert (sentences, stages[0]) == (0, "decode")
    (model / "calibration.json").write_text('{"entity": {"slope": 0.5, "bias": 0.0}}')
    sentences, stages = what_ran(build_here(*built, model=str(model)))
    assert (sentences, stages[:2]) == (2, ["extract", "decode"])


@pytest.mark.parametrize("name", ["tokenizer_config.json", "model.safetensors"])
def test_model_redoes_extract_and_later(built, build_here, tiny_model, tmp_path, name):
    """Another tokenizer or other weights: every sentence meets the model again; the documents stay."""
    model = shutil.copytree(tiny_model, tmp_path / "model")
    if name.endswith(".json"):
        (model / name).write_text((model / name).read_text() + "\n")
    else:
        data = bytearray((model / name).read_bytes())
        data[-1] ^= 1
        (model / name).write_bytes(bytes(data))
    sentences, stages = what_ran(build_here(*built, model=str(model)))
    assert (sentences, stages[0]) == (2, "extract")


def test_stage_version_redoes_the_stage(built, build_here, monkeypatch):
    """A stage that was programmed anew runs again, and those before it don't."""
    monkeypatch.setattr(extract, "VERSION", extract.VERSION + 1)
    sentences, stages = what_ran(build_here(*built))
    assert (sentences, stages[0]) == (2, "extract")


def test_words_of_the_ontology_decide_nothing(built, build_here, tiny_model, tmp_path):
    """A label, a comment or an IRI of the ontology redoes export alone, and leaves the run's name as it is."""
    source, out = built
    before = build_here(source, out)["fingerprints"]["run"]
    text = (tiny_model / "ontology.toml").read_text()
    new = 'entities.Peop]\niri = "urn:x:h"\ncomment = "One."\n'
    (tmp_path / "o.toml").write_text(text.replace("entities.Peop]\n", new, 1))
    report = build_here(source, out, ontology=str(tmp_path / "o.toml"))
    assert what_ran(report) == (0, ["export"])
    assert report["fingerprints"]["run"] == before


def test_fit_of_facts_is_a_setting_of_its_own(tiny_model, tmp_path):
    """run.json tells it apart from the calibration of candidates, and a model without one has none."""
    found = []
    for facts in ({}, {"bias": 1.0}, {"bias": 2.0}):
        model = shutil.copytree(tiny_model, tmp_path / f"model{len(found)}")
        (model / "calibration.json").write_text(json.dumps({"facts": facts}))
        config = BuildConfig.load(None, {"model": str(model), "device": "cpu", "dataset": "kg"})
        found.append(check_build((), tmp_path / "out", config).fingerprints)
    assert [one.get("facts") for one in found] == [None, fingerprint({"bias": 1.0}), fingerprint({"bias": 2.0})]
    assert len({one["calibration"] for one in found}) == 1
