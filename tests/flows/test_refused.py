"""What is wrong with a command is said in one line, before anything is touched: exit code 2."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from kgmill.flows import cli
from kgmill.pipelines.sources.containers import KNOWN


def other_types(folder):
    config = json.loads((folder / "config.json").read_text())
    config["entity_types"] = ["Peop", "Place", "Loc"]
    (folder / "config.json").write_text(json.dumps(config))


def cut_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.fixture
def bad_model(tiny_model, tmp_path):
    """Makes a copy of the tiny model with a fault in it."""

    def bad_model(damage):
        folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
        damage(folder)
        return folder

    return bad_model


@pytest.fixture
def refused(kgmill, source, tmp_path):
    """Runs a build that must be refused with exit code 2 and one line, and nothing touched; returns the line."""

    def refused(*arguments, corpus=source):
        done = kgmill("build", corpus, "--out", tmp_path / "out", *arguments)
        assert (done.code, done.out, len(done.errors), (tmp_path / "out").is_dir()) == (2, "", 1, False)
        return done.errors[0].replace(str(tmp_path), "TMP")

    return refused


def test_missing_source_is_refused(refused, tmp_path):
    """A source that isn't there."""
    assert refused(corpus=tmp_path / "none") == "kgmill: TMP/none: no such file or folder"


def test_empty_folder_is_refused(refused, tmp_path):
    """A corpus without a document."""
    (tmp_path / "empty").mkdir()
    assert refused(corpus=tmp_path / "empty") == f"kgmill: TMP/empty: no file of a known kind in here; known: {KNOWN}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_confidense = 0.5\n", "unknown key 'min_confidense'; known keys: model, ontology, device, "),
        ("min_confidence = 2\n", "min_confidence: Input should be less than or equal to 1; known keys: "),
        ("min_confidence\n", "not TOML: "),
        (None, "No such file or directory"),
    ],
)
def test_wrong_configuration_is_refused(refused, tmp_path, text, message):
    """An unknown key, a value out of range, a file that is no TOML, and none at all."""
    if text is not None:
        (tmp_path / "f.toml").write_text(text)
    assert refused("--config", tmp_path / "f.toml").startswith(f"kgmill: TMP/f.toml: {message}")


def test_flag_out_of_range_is_refused(refused):
    """A flag is checked like a key."""
    assert refused("--base-iri", "https://kg.example.org/#").startswith("kgmill: base_iri: ")


def test_output_that_is_a_file_is_refused(refused, tmp_path):
    """--out wants a folder."""
    (tmp_path / "out").write_text("mine")
    assert refused() == "kgmill: TMP/out: is a file; --out wants a folder"
    assert (tmp_path / "out").read_text() == "mine"


def test_plain_encoder_is_refused(refused, tiny_encoder):
    """A BERT folder is no kgmill model."""
    assert refused("--model", tiny_encoder) == (
        f"kgmill: {tiny_encoder}: ontology.toml is missing, so this is no kgmill model folder"
    )


def test_model_of_other_types_is_refused(refused, bad_model):
    """A model whose configuration and ontology name different types."""
    assert refused("--model", bad_model(other_types)) == (
        "kgmill: TMP/model: config.json has entity_types ['Peop', 'Place', 'Loc'], ontology.toml has "
        "['Peop', 'Org', 'Loc']; a model keeps the types that it was trained on"
    )


def test_cut_weights_are_refused(refused, bad_model):
    """A safetensors file that ends too early, with both lengths."""
    line = refused("--model", bad_model(cut_weights))
    assert line.startswith("kgmill: TMP/model/model.safetensors: ")
    assert line.endswith("; the file is cut or damaged")


def test_unknown_model_is_refused(refused):
    """A name that is neither a folder nor a shipped model."""
    assert refused("--model", "none").startswith("kgmill: model 'none': no such folder, and not one of the shipped ")


def test_ontology_of_other_types_is_refused(refused, tmp_path):
    """An ontology with other types than the model's."""
    (tmp_path / "other.toml").write_text("[entities.Peop]\n[entities.Alien]\n")
    line = refused("--ontology", tmp_path / "other.toml")
    assert line.startswith("kgmill: TMP/other.toml: the model in ")
    assert " knows no type Alien; it has the types " in line


def test_refused_runner_is_refused(refused):
    """A runner that loses data."""
    assert refused("--runner", "DaskRunner") == "kgmill: runner DaskRunner: refused, because it loses data silently"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--workers", "-3"], "--workers -3: wanted a number of CPU threads, or 0 for all of them"),
        (["--runner", "FlinkRuner"], "runner FlinkRuner: Beam has no such runner; did you mean FlinkRunner?"),
        (
            ["--formats", "nq,xml"],
            "formats: unknown formats ['xml']; known are graphml, json, jsonld, kgx, neo4j, ",
        ),
        (["--min-confidence", "1.5"], "min_confidence: Input should be less than or equal to 1; known keys: "),
        (["--min-confidence", "nan"], "min_confidence: Input should be less than or equal to 1; known keys: "),
        (["--max-reject-ratio", "-1"], "max_reject_ratio: Input should be greater than or equal to 0; known keys: "),
        (["--device", "gpu"], "device: String should match pattern "),
        (["--", "--no_such_option=1"], "unknown Beam option --no_such_option=1; Beam and this runner have none of "),
        (
            ["--", "--direct_num_worker=2"],
            "unknown Beam option --direct_num_worker=2; did you mean --direct_num_workers?",
        ),
    ],
)
@pytest.mark.parametrize("command", ["build", "plan", "ingest", "schedule"])
def test_wrong_value_touches_nothing(kgmill, source, tmp_path, command, arguments, line):
    """What is wrong with a flag or a Beam option is said by every command that builds, before anything is made."""
    every = ["--every", "60"] if command == "schedule" else []
    done = kgmill(command, source, "--out", tmp_path / "out", *every, *arguments)
    assert (done.code, done.out, len(done.errors), (tmp_path / "out").exists()) == (2, "", 1, False)
    assert done.errors[0].startswith(f"kgmill: {line}")


@pytest.mark.skipif("+cpu" not in version("torch"), reason="this torch may see a GPU")
@pytest.mark.parametrize("command", ["build", "plan", "ingest"])
@pytest.mark.parametrize("device", ["cuda", "cuda:9"])
def test_gpu_that_is_not_there_touches_nothing(kgmill, source, tmp_path, command, device):
    """A GPU that was asked for is looked for before the first byte is written."""
    done = kgmill(command, source, "--out", tmp_path / "out", "--device", device)
    assert (done.code, len(done.errors), (tmp_path / "out").exists()) == (2, 1, False)
    assert done.errors[0].startswith(f"kgmill: device {device}: this torch ({version('torch')}) sees no GPU; ")


def test_int8_on_a_gpu_is_refused(refused):
    """Integer products are the CPU's."""
    assert refused("--device", "cuda", "--precision", "int8") == (
        "kgmill: precision int8 is for CPUs, the device is cuda: say --device cpu, or --precision bf16"
    )


def no_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}")


def narrow(folder):
    config = json.loads((folder / "config.json").read_text())
    config["max_span_width"] += 1
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(("damage", "message"), [(no_tokenizer, "can't be loaded: "), (narrow, "weights don't fit ")])
def test_model_that_cannot_be_loaded_touches_nothing(refused, bad_model, damage, message):
    """What only loading a model shows is found before the first byte is written, too."""
    assert refused("--model", bad_model(damage)).startswith(f"kgmill: TMP/model: {message}")


COMMANDS = ["build", "plan", "extract", "schedule", "query", "gc", "load"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "said"),
    [("nosuch://bucket/out", "Protocol not known: nosuch"), ("file://far/out", "wanted file:/// and an absolute path")],
)
def test_output_that_nobody_knows_is_refused(kgmill, source, tmp_path, monkeypatch, command, name, said):
    """A file system that isn't there, or another machine's files, are one line, and make no folder `nosuch:` here."""
    monkeypatch.chdir(tmp_path)
    others = {"query": ["ASK {}"], "gc": [], "load": ["--endpoint", "http://127.0.0.1:1"]}
    arguments = [name, *others[command]] if command in others else [source, "--out", name]
    done = kgmill(command, *arguments, *(["--every", "60"] if command == "schedule" else []))
    assert (done.code, len(done.errors)) == (2, 1)
    assert done.errors[0].startswith(f"kgmill: {name}: {said}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_file_url_is_a_folder(kgmill, source, tmp_path):
    """`file://` and a path are the same output."""
    assert kgmill("build", source, "--out", f"file://{tmp_path}/a%20b").code == 0
    assert kgmill("query", tmp_path / "a b", "ASK { ?s ?p ?o }").code == 0


def test_unknown_flag_is_refused(capsys):
    """A flag that isn't there is named, with exit code 2."""
    code = cli.run(["build", "source", "--out", "out", "--no-such-flag"])
    assert (code, "--no-such-flag" in capsys.readouterr().err) == (2, True)


def test_schedule_without_a_server_is_refused(kgmill, source, tiny_model, tmp_path):
    """A schedule needs a Prefect server, and says how to start one."""
    command = ("schedule", source, "--out", tmp_path / "out", "--model", tiny_model, "--every", "60")
    done = kgmill(*command)
    wanted = "start one with `prefect server start` and set PREFECT_API_URL=http://127.0.0.1:4200/api"
    assert (done.code, done.errors) == (2, [f"kgmill: a schedule needs a Prefect server: {wanted}"])


@pytest.mark.parametrize(
    ("when", "line"),
    [
        (["--cron", "0 3 * *"], "--cron '0 3 * *': no cron expression whose time comes; wanted "),
        (
            ["--cron", "61 * * * *"],
            "--cron '61 * * * *': no cron expression whose time comes; wanted ",
        ),
        (
            ["--cron", "0 0 30 2 *"],
            "--cron '0 0 30 2 *': no cron expression whose time comes; wanted ",
        ),
        (["--cron", ""], "--cron '': no cron expression whose time comes; wanted "),
        (
            ["--cron", "0 3 * * *", "--timezone", "Berlin"],
            "--timezone 'Berlin': no such time zone; wanted a name such as ",
        ),
        (["--every", "60", "--profile", "fuseki"], "--profile is for a store; wanted --endpoint URL too"),
        (["--every", "60", "--endpoint", "http://u:s3cret@h"], "endpoint: wanted a plain URL, without user name, "),
        (["--every", "60", "--time-limit", "-1"], "--time-limit -1: wanted a number of seconds, or 0 for no limit"),
        (["--every", "0"], "--every 0: wanted seconds from 1 to 315360000 (ten years)"),
        (["--every", "-5"], "--every -5: wanted seconds from 1 to 315360000 (ten years)"),
        (["--every", "nan"], "--every nan: wanted seconds from 1 to 315360000 (ten years)"),
        (["--every", "1e300"], "--every 1e+300: wanted seconds from 1 to 315360000 (ten years)"),
    ],
)
def test_wrong_time_is_refused(kgmill, source, tmp_path, when, line):
    """A time that is none is said before any server is asked for."""
    done = kgmill("schedule", source, "--out", tmp_path / "out", *when)
    assert (done.code, len(done.errors), (tmp_path / "out").exists()) == (2, 1, False)
    assert done.errors[0].startswith(f"kgmill: {line}")
