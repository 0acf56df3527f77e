"""A hundred kills: builds of the sample corpus, cut off anywhere, end in the bytes of a build that nobody cut off."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

KGMILL = str(Path(sys.executable).with_name("kgmill"))
CORPUS = Path(__file__).resolve().parents[2] / "examples" / "corpus"
STAGES = ("ingest", "extract", "decode", "aggregate", "export")
STAGE_OF = {
    "names": "decode",
    "resolve": "decode",
    "combine": "aggregate",
    "changes": "export",
}  # jobs that are part of another stage
N_KILLS, SEED, MAX_S = 100, 20, 180.0


def start(folder, model, log):
    """A build in a process group of its own, in small units."""
    command = [KGMILL, "build", str(CORPUS), "--out", str(folder), "--model", str(model), "--no-prefect"]
    config = folder.parent / "small.toml"
    config.write_text("unit_bytes = 2048\n")
    return subprocess.Popen([*command, "--config", config], stdout=log, stderr=log, start_new_session=True)


def finish(folder, model):
    """A build to its end; returns what is to be equal: every byte under graph and tables."""
    with (folder.parent / "log").open("w") as log:
        assert start(folder, model, log).wait(MAX_S) == 0, (folder.parent / "log").read_text()
    return visible(folder)


def visible(folder):
    files = (path for name in ("graph", "tables") for path in (folder / name).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stages_begun(log):
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
    return [STAGE_OF.get(line["stage"], line["stage"]) for line in lines if line["share"] == 0]


def kill(folder, model, stage, delay_s):
    """Starts a build and kills all its processes some seconds into a stage; returns the stage it was in, if it was."""
    path = folder.parent / "log"
    with path.open("w") as log:
        process = start(folder, model, log)
        end = time.monotonic() + MAX_S
        while stage not in stages_begun(path) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        try:
            assert process.wait(delay_s) == 0, path.read_text()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return stages_begun(path)[-1]
    return ""


@pytest.mark.faults
def test_killed_builds_heal(tiny_model, tmp_path, capsys):
    """Chains of kills, about as many in each stage, at random moments; each chain heals to the undisturbed bytes."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    (tmp_path / "undisturbed").mkdir()
    wanted = finish(tmp_path / "undisturbed" / "out", tiny_model)
    report = json.loads((tmp_path / "undisturbed" / "out" / "run.json").read_text())
    seconds = {stage: report["stages"][stage]["seconds"] for stage in STAGES}
    killed, n_chains, began = Counter(), 0, time.monotonic()
    while killed.total() < N_KILLS:
        n_chains += 1
        folder = tmp_path / f"chain-{n_chains}" / "out"
        folder.parent.mkdir()
        left = [stage for stage in STAGES for _ in range(N_KILLS // len(STAGES) - killed[stage])]
        chain = sorted(chance.choices(left or STAGES, k=chance.randint(2, 12)), key=STAGES.index)
        for stage in chain[: N_KILLS - killed.total()]:
            was_in = kill(folder, tiny_model, stage, chance.uniform(0.0, seconds[stage]))
            if not was_in:
                break
            killed[was_in] += 1
        assert finish(folder, tiny_model) == wanted
        assert list((folder / ".tmp").iterdir()) == []
    minutes = (time.monotonic() - began) / 60
    with capsys.disabled():
        table = "  ".join(f"{stage} {killed[stage]}" for stage in STAGES)
        print(f"\n{killed.total()} kills in {n_chains} chains, {minutes:.1f} min: {table}")  # noqa: T201 - a result
    assert min(killed[stage] for stage in STAGES) >= N_KILLS // 20
