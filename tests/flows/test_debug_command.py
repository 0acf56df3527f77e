"""`kgmill debug data`: a table for people, JSON for programs, and an exit code for scripts."""

import json
import shutil


def test_faults_are_told_and_strict_fails(kgmill, tiny_sentences, tmp_path):
    """The same sentences as train and as dev leak; only --strict makes that an error. One file twice is refused."""
    files = (tiny_sentences, shutil.copy(tiny_sentences, tmp_path / "dev.json"))
    table, told, strict = (kgmill("debug", "data", *files, *more) for more in ((), ("--json",), ("--strict",)))
    assert (table.code, told.code, strict.code) == (0, 0, 1)
    assert "fault" in table.out
    report = json.loads(told.out)
    assert strict.errors[0].startswith(f"kgmill: debug data: {report['faults']} faults in {tiny_sentences}, ")
    assert kgmill("debug", "data", tiny_sentences, tiny_sentences).code == 2


def test_training_is_looked_at_as_it_reads_its_data(kgmill, tiny_sentences, tmp_path):
    """Its files, labels and ontology; a sentence of dev that is trained on is a leak."""
    config = tmp_path / "t.toml"
    config.write_text(f'train = "{tiny_sentences}"\ndev = "{tiny_sentences}"\nlabels = {{Kill = "killed"}}\n')
    report = json.loads(kgmill("debug", "data", config, "--json").out)
    assert list(report["parts"]) == ["train", "dev"]
    assert "killed" in report["parts"]["train"]["relations"]
    assert {one["kind"]: one["n"] for one in report["findings"]}["leak"] == report["parts"]["dev"]["sentences"]
