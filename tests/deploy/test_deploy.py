"""What deploy/ says is well formed, of one version, without secrets, and of commands that kgmill knows.

Nothing is built or started here: there is no Docker engine and no Kubernetes. The files say so themselves.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from kgmill.flows.commands import find
from kgmill.flows.parser import parse

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix not in (".md", ".example"))
YAML = [path for path in FILES if path.suffix == ".yaml"]
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "deployment.yaml")
KUBERNETES = "1.37"
LINES = """
extends: default
rules:
  line-length: {max: 130}
  document-start: disable
  comments: {min-spaces-from-content: 1}
"""
TEXTS = {path: path.read_text(encoding="utf-8") for path in FILES}
DOCKERFILE = TEXTS[DEPLOY / "Dockerfile"]
COPIED = [
    source for sources in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE) for source in sources.split()
]


def named(path):
    return str(path.relative_to(DEPLOY))


def pods(manifest):
    """Each pod that a manifest makes, as its template has it."""
    spec = manifest.get("spec", {})
    if manifest["kind"] == "FlinkDeployment":
        yield spec["taskManager"]["podTemplate"]
    elif manifest["kind"] == "CronJob":
        yield spec["jobTemplate"]["spec"]["template"]
    elif "template" in spec:
        yield spec["template"]


def containers(path):
    """Each container of a file of manifests that is not Flink's own."""
    for manifest in yaml.safe_load_all(TEXTS[path]):
        for pod in pods(manifest):
            for one in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
                if one["name"] != "flink-main-container":
                    yield pod, one


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix != ".json" and "ignore" not in p.name], ids=named)
def test_each_file_says_what_was_checked_and_what_not_run(path):
    """In the comment at its top."""
    top = TEXTS[path].partition("\n\n")[0] if path.name == "Dockerfile" else TEXTS[path]
    head = "\n".join(line for line in top.splitlines() if line.startswith("#"))
    assert "# Checked: " in head
    assert "Not run" in head.replace("\n# ", " ")


def test_images_have_tags_and_kgmills_are_of_one_version():
    """No `latest`; who takes one of kgmill's images takes the version of all others."""
    images = {
        image
        for path in (*YAML, DEPLOY / "Dockerfile")
        for image in re.findall(r"^(?: *image: |FROM )(\S+)", TEXTS[path], re.M)
    } - {"base"}
    own = {image for image in images if image.startswith("kgmill-")}
    assert not [image for image in images if not re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*", image)]
    assert {re.search(r":(\d+\.\d+\.\d+)(?:-cu\d+)?$", image)[1] for image in own} == {"0.3.0"}


def test_versions_are_those_of_constraints():
    """Prefect's images, the store's and Beam's are of the releases that kgmill is tested with."""
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    everything = "\n".join(TEXTS.values())
    assert set(re.findall(r"prefecthq/prefect:([\d.]+)-", everything)) == {pins["prefect"]}
    assert set(re.findall(r"oxigraph/oxigraph:(\S+)", everything)) == {pins["oxigraph"]}
    assert set(re.findall(r"apache/beam_python3\.11_sdk:(\S+)", everything)) == {pins["apache-beam"]}
    assert set(re.findall(r"image: flink:(\d+\.\d+)\.", everything)) == set(
        re.findall(r"FLINK_VERSION=(\S+)", DOCKERFILE)
    )


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_secret_is_in_a_file(path):
    """A variable of a secret's name has no value but a reference."""
    found = re.findall(r"(\w*(?:PASSWORD|SECRET_ACCESS_KEY|TOKEN)): (?!\$\{|/)(\S+)", TEXTS[path])
    assert found == []
    assert "KEY=" not in TEXTS[path]


def test_example_of_the_environment_is_empty():
    """Nobody starts a server with a password that the whole world knows."""
    lines = [line for line in (DEPLOY / "env.example").read_text().splitlines() if line and line[0] != "#"]
    assert lines == ["S3_USER=", "S3_PASSWORD="]


def command_lines():
    """Each command line of kgmill in deploy/, as the containers and the comments have it."""
    for path in MANIFESTS:
        for _, one in containers(path):
            if one["image"].startswith("kgmill-"):
                yield f"{named(path)}:{one['name']}", [str(word) for word in one["args"]]
    shell = re.sub(r"\\\n#?", " ", "\n".join((TEXTS[DEPLOY / "compose.yaml"], (DEPLOY / "README.md").read_text())))
    for n, line in enumerate(re.findall(r"(?:run --rm command|^   ) kgmill (.+)$", shell, re.MULTILINE)):
        yield f"shell:{n}", shlex.split(line.partition("  #")[0])
    script = re.sub(r"\$\{(\w+)[:?}]*\}?", r"\1", TEXTS[DEPLOY / "dataflow.sh"].replace("\\\n", " "))
    yield "dataflow.sh", shlex.split(re.search(r"^exec kgmill (.+)$", script, re.MULTILINE)[1].replace('"gpu[@]"', ""))


@pytest.mark.parametrize(("place", "words"), [pytest.param(*one, id=one[0]) for one in command_lines()])
def test_command_is_understood(place, words):
    """The parser takes each command line."""
    name, *arguments = words
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    command = find(name)
    assert command, f"{place}: no command {name}"
    assert parse(command, arguments[:cut], tuple(arguments[cut + 1 :]))


@pytest.mark.parametrize("path", MANIFESTS, ids=named)
def test_containers_are_locked_down(path):
    """No root, nothing written but volumes, no capability, and a limit of memory each."""
    for pod, one in containers(path):
        own, whole = one["securityContext"], pod["spec"].get("securityContext", {})
        assert own.get("runAsNonRoot", whole.get("runAsNonRoot")) is True, one["name"]
        assert own["readOnlyRootFilesystem"] is True
        assert (own["allowPrivilegeEscalation"], own["capabilities"]) == (False, {"drop": ["ALL"]})
        assert {"cpu", "memory"} <= set(one["resources"]["limits"]) & set(one["resources"]["requests"])


def test_gpu_variant_differs_in_what_it_says():
    """Name, slots, image, memory, the GPU and the toleration; all else is that of flink.yaml."""
    [plain], [gpu] = (
        list(yaml.safe_load_all(TEXTS[DEPLOY / f"kubernetes/{name}.yaml"])) for name in ("flink", "flink-gpu")
    )
    expected = deepcopy(plain)
    expected["metadata"]["name"] = "kgmill-gpu"
    expected["spec"]["flinkConfiguration"]["taskmanager.numberOfTaskSlots"] = "1"
    pod = expected["spec"]["taskManager"]["podTemplate"]["spec"]
    pod["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    worker = pod["containers"][1]
    worker["image"] = "kgmill-worker:0.3.0-cu130"
    worker["resources"]["limits"] |= {"memory": "8Gi", "nvidia.com/gpu": "1"}
    assert gpu == expected


def test_deployment_for_kubernetes_is_understood():
    """Its parameters are the flow's, and its pool's variables are those of work-pool.json."""
    from kgmill.flows.loading import LoadTo
    from kgmill.schemas.config import BuildConfig

    [one] = yaml.safe_load(TEXTS[DEPLOY / "kubernetes/deployment.yaml"])["deployments"]
    pool = json.loads(TEXTS[DEPLOY / "kubernetes/work-pool.json"])
    assert BuildConfig.load(None, one["parameters"]["config"]).dataset == "news"
    assert LoadTo.load(None, one["parameters"]["load_to"]).profile == "oxigraph"
    assert set(one["work_pool"]["job_variables"]) <= set(pool["variables"]["properties"])
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(pool["job_configuration"])))
    assert used == set(pool["variables"]["properties"])


@pytest.mark.slow
def test_dockerfile_passes_hadolint():
    """Pinned bases, no root at the end, no shell form of commands, and its other rules."""
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), DEPLOY / "Dockerfile"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
    stages = DOCKERFILE.split("\nFROM ")
    assert all(stage.count("USER 0") < 1 or "USER 10001" in stage.partition("USER 0")[2] for stage in stages)


@pytest.mark.slow
def test_yaml_passes_yamllint():
    """In the lines' length of this project."""
    done = subprocess.run([sys.executable, "-m", "yamllint", "-s", "-d", LINES, DEPLOY], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_compose_files_are_of_the_specification():
    """By the schema of the Compose specification."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, *DEPLOY.glob("compose*.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("path", MANIFESTS, ids=named)
def test_manifests_are_kubernetes(path):
    """By its schemas, strictly; of Flink's own kind, which these don't have, the pods."""
    import kubernetes_validate

    for manifest in yaml.safe_load_all(TEXTS[path]):
        if manifest["kind"] == "FlinkDeployment":
            [manifest] = pods(manifest)
            for one in manifest["spec"]["containers"]:
                one.setdefault("image", "flink")
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@pytest.mark.slow
def test_image_has_all_that_a_wheel_needs(tmp_path):
    """The Dockerfile copies enough: a wheel of that alone has the default model and the sample corpus."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, tmp_path / "src" / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            (tmp_path / "src").mkdir(exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "src" / name)
    code = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)],
        cwd=tmp_path / "src",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", *tmp_path.glob("*.whl")], capture_output=True, text=True
    )
    for name in (
        "kgmill/extractor/models/default/model.safetensors",
        "kgmill/examples/new-jersey.rq",
        "kgmill/flows/cli.py",
    ):
        assert name in listed.stdout


def test_ignored_is_what_is_not_copied():
    """deploy/Dockerfile.dockerignore lets in what COPY takes, and nothing else."""
    let_in = {line[1:] for line in TEXTS[DEPLOY / "Dockerfile.dockerignore"].splitlines() if line.startswith("!")}
    assert let_in == set(COPIED)
