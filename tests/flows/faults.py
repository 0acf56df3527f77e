"""What goes wrong with a build, from one list: sources, keys and parameters, and the line and exit code that say so.

The command line and Prefect's flow are held to the same list.
"""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from kgmill.pipelines.sources.containers import KNOWN

GOOD = "Ada Byron worked for Acme Corp in Paris .\nBob Stone lives in London .\n"
TOO_MANY = "1 of 1 documents were rejected, more than --max-reject-ratio 0.01; see TMP/out/tables/rejects"


@dataclass(frozen=True)
class Fault:
    """A build that can't be, or that some of its sources spoil.

    Attributes:
        name: what is wrong.
        code: the exit code of the command.
        line: how the error's line begins; empty where there is none. TMP is the test's folder.
        corpus: writes what TMP/corpus is to be.
        model: what spoils the copy TMP/model of a good model.
        keys: keys of the configuration, each of which is a flag too.
        how: parameters of the flow, each of which is a flag too.
        before: what else is done in TMP.
        out: the output folder.
    """

    name: str
    code: int
    line: str
    corpus: Callable[[Path], Any] = lambda path: path.write_text(GOOD)
    model: Callable[[Path], Any] | None = None
    keys: dict[str, Any] = field(default_factory=dict)
    how: dict[str, Any] = field(default_factory=dict)
    before: Callable[[Path], Any] = lambda tmp: None
    out: str = "TMP/out"

    def prepare(self, tmp: Path, tiny_model: Path) -> dict[str, Any]:
        """Makes the fault in a folder; gives the parameters of the flow."""
        model = tiny_model
        self.corpus(tmp / "corpus.txt")
        if self.model:
            model = Path(shutil.copytree(tiny_model, tmp / "model"))
            self.model(model)
        self.before(tmp)
        corpus = [str(path) for path in sorted(tmp.glob("corpus*"))] or ["TMP/corpus.txt"]
        keys = {"model": str(model), "dataset": "kg"} | self.keys
        given = {"sources": corpus, "out": self.out, "config": keys, "when_busy": "fail", **self.how}
        return json.loads(json.dumps(given).replace("TMP", str(tmp)))

    @staticmethod
    def command(given: dict[str, Any]) -> list[str]:
        """The command line of the same build."""
        more = {name: value for name, value in given.items() if name not in ("sources", "out", "config")}
        beam = more.pop("beam_options", [])
        more["workers"] = more.pop("n_workers", 0)
        flags = [(f"--{name.replace('_', '-')}", _word(value)) for name, value in (given["config"] | more).items()]
        return ["build", *given["sources"], "--out", given["out"], *chain(*flags), *(["--", *beam] if beam else [])]


def _word(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _changed(**keys: Any) -> Callable[[Path], Any]:
    """A model whose config.json says something else."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | keys))

    return change


def _cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _plain_encoder(folder: Path) -> None:
    (folder / "ontology.toml").unlink()


def _lines(path: Path) -> None:
    """Two hundred good records, one that is cut, and a file without a text."""
    lines = [json.dumps({"id": n, "text": f"Hi {n} ."}) for n in range(200)]
    path.with_suffix(".jsonl").write_text("\n".join([*lines, '{"id": 200, "text": "cut o']))
    path.with_name("corpus-empty.txt").write_text("")


def _bomb(path: Path) -> None:
    path.with_suffix(".txt.gz").write_bytes(gzip.compress(b"Hi . " * 20_000_000))


def _hostile(path: Path) -> None:
    """A record whose id and text are out to be commands, paths, markup and SPARQL."""
    text = "\x1b]0;owned\x07<script>alert(1)</script> \u202e Ada Byron worked for Acme Corp . '; } DROP ALL ; {"
    path.with_suffix(".jsonl").write_text(json.dumps({"id": "../../etc/passwd\n\x1b[31m", "text": text}) + "\n")


WRONG = (
    Fault("missing source", 2, "TMP/corpus.txt: no such file or folder", lambda path: None),
    Fault(
        "empty folder",
        2,
        f"TMP/corpus: no file of a known kind in here; known: {KNOWN}",
        lambda path: path.with_suffix("").mkdir(),
    ),
    Fault("no known kind", 2, "TMP/corpus.exe: ", lambda path: path.with_suffix(".exe").write_bytes(b"MZ")),
    Fault(
        "server of sources that is dead",
        2,
        "http://127.0.0.1:1/x.txt: ",
        lambda path: None,
        how={"sources": ["http://127.0.0.1:1/x.txt"]},
    ),
    Fault("no model", 2, "model 'none': no such folder, and not one of the shipped ", keys={"model": "none"}),
    Fault(
        "plain encoder",
        2,
        "TMP/model: ontology.toml is missing, so this is no kgmill model folder",
        model=_plain_encoder,
    ),
    Fault(
        "model of other types",
        2,
        "TMP/model: config.json has entity_types ['Peop', 'Place', 'Loc'], ontology.toml has ['Peop', 'Org', 'Loc']; "
        "a model keeps the types that it was trained on",
        model=_changed(entity_types=["Peop", "Place", "Loc"]),
    ),
    Fault("cut weights", 2, "TMP/model/model.safetensors: ", model=_cut_weights),
    Fault(
        "model that can't be loaded",
        2,
        "TMP/model: can't be loaded: ",
        model=lambda path: (path / "tokenizer.json").write_text("{}"),
    ),
    Fault("weights that don't fit", 2, "TMP/model: weights don't fit ", model=_changed(max_span_width=5)),
    Fault(
        "ontology of other types",
        2,
        "TMP/other.toml: the model in ",
        keys={"ontology": "TMP/other.toml"},
        before=lambda tmp: (tmp / "other.toml").write_text("[entities.Peop]\n[entities.Alien]\n"),
    ),
    Fault("no ontology", 2, "TMP/none.toml: No such file or directory", keys={"ontology": "TMP/none.toml"}),
    Fault("base that is no IRI", 2, "base_iri: ", keys={"base_iri": "https://kg.example.org/#"}),
    Fault(
        "value out of range",
        2,
        "min_confidence: Input should be less than or equal to 1; known keys: ",
        keys={"min_confidence": 1.5},
    ),
    Fault("device that is none", 2, "device: String should match pattern ", keys={"device": "gpu"}),
    Fault(
        "int8 on a GPU",
        2,
        "precision int8 is for CPUs, the device is cuda: say --device cpu, or --precision bf16",
        keys={"device": "cuda", "precision": "int8"},
    ),
    Fault(
        "unknown format",
        2,
        "formats: unknown formats ['xml']; known are graphml, json, jsonld, kgx, neo4j, ",
        keys={"formats": ["nq", "xml"]},
    ),
    Fault(
        "runner that loses data",
        2,
        "runner DaskRunner: refused, because it loses data silently",
        how={"runner": "DaskRunner"},
    ),
    Fault(
        "unknown runner",
        2,
        "runner FlinkRuner: Beam has no such runner; did you mean FlinkRunner?",
        how={"runner": "FlinkRuner"},
    ),
    Fault(
        "workers below none",
        2,
        "--workers -3: wanted a number of CPU threads, or 0 for all of them",
        how={"n_workers": -3},
    ),
    Fault(
        "unknown option of Beam",
        2,
        "unknown Beam option --direct_num_worker=2; did you mean --direct_num_workers?",
        how={"beam_options": ["--direct_num_worker=2"]},
    ),
    Fault(
        "time below none", 2, "--time-limit -1: wanted a number of seconds, or 0 for no limit", how={"time_limit": -1.0}
    ),
    Fault(
        "log that can't be written",
        2,
        "--log-file TMP/none/log: No such file or directory",
        keys={"log_file": "TMP/none/log"},
    ),
    Fault(
        "output that is a file",
        2,
        "TMP/out: is a file; --out wants a folder",
        before=lambda tmp: (tmp / "out").write_text("mine"),
    ),
    Fault("storage that nobody knows", 2, "nosuch://bucket/out: Protocol not known: nosuch", out="nosuch://bucket/out"),
)
"""What is refused before anything is touched."""

SPOILT = (
    Fault("binary file", 3, TOO_MANY, lambda path: path.write_bytes(b"\x7fELF\x00\x01" * 100)),
    Fault("file without a text", 3, TOO_MANY, lambda path: path.write_text(" \n")),
    Fault(
        "malformed records alone",
        3,
        TOO_MANY.replace("1 of 1", "2 of 2"),
        lambda path: path.with_suffix(".jsonl").write_text("{\n[]\n"),
    ),
    Fault("what unpacks to too much", 3, TOO_MANY, _bomb),
    Fault(
        "cut archive",
        3,
        TOO_MANY,
        lambda path: path.with_suffix(".txt.gz").write_bytes(gzip.compress(b"Hi . " * 999)[:-9]),
    ),
    Fault("no Parquet", 3, TOO_MANY, lambda path: path.with_suffix(".parquet").write_bytes(b"PAR1" + b"x" * 99)),
    Fault("a bad record of many", 0, "", _lines),
    Fault(
        "another encoding",
        0,
        "",
        lambda path: path.write_bytes("Ada Byron lives in Zürich . Grüße .\n".encode("cp1252")),
    ),
    Fault("a huge line", 0, "", lambda path: path.write_text("Ada Byron lives in London . " * 4000)),
    Fault("hostile text", 0, "", _hostile),
    Fault(
        "time that is too short",
        1,
        "took longer than --time-limit 0.001 s; the next run goes on from ",
        how={"time_limit": 0.001},
    ),
)
"""What costs documents, or the run, once it has begun."""
