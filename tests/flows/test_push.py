"""A model goes to a hub: a server on this machine that speaks as much of the hub's API as a push needs."""

import base64
import hashlib
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
import pytest

from kgmill.extractor.hub import token_of
from kgmill.flows import cli
from kgmill.schemas.errors import UsageError

# huggingface_hub gives httpx the file that it sends under its old name.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
SECRET = "hf_secretsecret"


class Hub(ThreadingHTTPServer):
    """Repositories as dictionaries of files, and all requests."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories, self.blobs, self.requests, self.is_private = {}, {}, [], None
        self.refuses = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"] or 0)))

    do_PUT = do_POST

    def answer(self, body):
        hub, path = self.server, self.path.partition("?")[0]
        hub.requests.append((self.command, path, self.headers.get("Authorization")))
        if hub.refuses:
            return self.reply({"error": f"Forbidden: {SECRET} is not yours"}, hub.refuses)
        if path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted['organization']}/{wanted['name']}"
            if name in hub.repositories:
                return self.reply({"error": "You already created this model repo", "url": f"{hub.url}/{name}"}, 409)
            hub.repositories[name], hub.is_private = {}, wanted.get("private", wanted.get("visibility"))
            return self.reply({"url": f"{hub.url}/{name}", "name": name})
        if path == "/api/validate-yaml":
            return self.reply({"warnings": [], "errors": []})
        if path.endswith("/tree/main"):
            files = hub.repositories[path.removeprefix("/api/models/").removesuffix("/tree/main")]
            return self.reply([{"type": "file", "path": p, "size": len(d), "oid": "0"} for p, d in files.items()])
        if path.endswith("/preupload/main"):
            modes = {True: "lfs", False: "regular"}
            rows = [
                {"path": f["path"], "uploadMode": modes[f["path"].endswith(".safetensors")], "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            return self.reply({"files": rows})
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            links = [{"upload": {"href": f"{hub.url}/blobs/{o['oid']}", "header": {}}} for o in objects]
            rows = [{**o, "actions": a} for o, a in zip(objects, links, strict=True)]
            return self.reply({"transfer": "basic", "objects": rows})
        if path.startswith("/blobs/"):
            assert hashlib.sha256(body).hexdigest() == path.removeprefix("/blobs/")
            hub.blobs[path.removeprefix("/blobs/")] = body
            return self.reply({})
        if path.endswith("/commit/main"):
            return self.reply(self.commit(path.removeprefix("/api/models/").removesuffix("/commit/main"), body))
        return self.reply({"error": f"no {path}"}, 404)

    def commit(self, name, body):
        """What a commit changes."""
        files = self.server.repositories[name]
        for row in map(json.loads, body.splitlines()):
            value = row["value"]
            if row["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "lfsFile":
                files[value["path"]] = self.server.blobs[value["oid"]]
            elif row["key"] == "deletedFile":
                del files[value["path"]]
        return {"success": True, "commitOid": "c0ffee", "commitUrl": f"{self.server.url}/{name}/commit/c0ffee"}

    def reply(self, content, status=200):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def hub(monkeypatch):
    """A hub that the environment names, with a token; files go by HTTP, not by Xet."""
    server = Hub()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    huggingface_hub.close_session()
    yield server
    huggingface_hub.close_session()
    server.shutdown()
    server.server_close()


@pytest.fixture
def model(tiny_model, tmp_path):
    """A model folder with a calibration, and with what is none of a hub's business."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "calibration.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / ".env").write_text("HF_TOKEN=x")
    return folder


def test_a_model_goes_to_a_hub(hub, model, capsys):
    """Its files arrive byte by byte, by the token of the environment, which is printed nowhere; no pickle does."""
    code = cli.run(["push", str(model), "ada/tiny"])

    said = capsys.readouterr()
    files = hub.repositories["ada/tiny"]
    assert (code, said.err) == (0, "kgmill: not sent: .env, pytorch_model.bin\n")
    assert files == {p.name: p.read_bytes() for p in model.iterdir() if p.name not in (".env", "pytorch_model.bin")}
    assert {"model.safetensors", "README.md", "training.csv", "calibration.json"} < files.keys()
    assert said.out.splitlines()[-1].endswith(f" bytes, sent: {hub.url}/ada/tiny/commit/c0ffee")
    assert SECRET not in said.out + said.err
    assert {who for command, path, who in hub.requests if not path.startswith("/blobs/")} == {f"Bearer {SECRET}"}
    assert {who for command, path, who in hub.requests if path.startswith("/blobs/")} == {None}


def test_a_second_push_takes_back_what_the_model_has_no_more(hub, model, capsys):
    """A calibration of other weights would be applied to these; what people wrote there stays."""
    assert cli.run(["push", str(model), "ada/tiny", "--private"]) == 0
    hub.repositories["ada/tiny"] |= {".gitattributes": b"", "NOTES.md": b"mine", "more/a.json": b"{}"}
    for name in ("calibration.json", "README.md"):
        (model / name).unlink()

    assert cli.run(["push", str(model), "ada/tiny"]) == 0

    files = hub.repositories["ada/tiny"]
    assert "calibration.json" not in files
    assert {"README.md", "NOTES.md", ".gitattributes", "more/a.json", "config.json"} < files.keys()
    assert hub.is_private in (True, "private")


def test_a_refusal_is_one_line_without_the_token(hub, model, capsys):
    """Though the hub's answer has it."""
    hub.refuses = 403

    code = cli.run(["push", str(model), "ada/tiny"])

    said = capsys.readouterr()
    assert (code, len(said.err.splitlines())) == (1, 2)
    assert "ada/tiny: the hub has refused, or no answer: " in said.err
    assert said.err.endswith("; may the token of HF_TOKEN write there?\n")
    assert SECRET not in said.out + said.err


def test_a_hub_that_is_not_there(hub, model, monkeypatch, capsys):
    """Is told as such."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    code = cli.run(["push", str(model), "ada/tiny"])

    assert (code, capsys.readouterr().err.splitlines()[-1].partition(": the hub")[0]) == (1, "kgmill: ada/tiny")


def test_a_push_without_a_token(hub, model, monkeypatch, capsys):
    """Is refused before anything is said or asked; a token that another program has kept is not taken."""
    monkeypatch.delenv("HF_TOKEN")

    code = cli.run(["push", str(model), "ada/tiny"])

    said = capsys.readouterr()
    assert (code, said.out, hub.requests) == (2, "", [])
    assert said.err.startswith("kgmill: no token: set HF_TOKEN to one that may write to the repository; ")


def test_nothing_is_asked_in_a_dry_run(hub, model, monkeypatch, capsys):
    """What would be sent is listed, without a token too."""
    monkeypatch.delenv("HF_TOKEN")

    code = cli.run(["push", str(model), "ada/tiny", "--dry-run"])

    out = capsys.readouterr().out.splitlines()
    assert (code, hub.requests) == (0, [])
    assert [line.split()[0] for line in out[:-1]] == sorted(line.split()[0] for line in out[:-1])
    assert out[-1].endswith(" bytes, would go to ada/tiny")


@pytest.mark.parametrize("token", ["", "hf_a b", "hf_a\n", "hf_ä", "hf_\x7f"])
def test_tokens_that_are_none(token):
    """They are refused up front, and not shown: a header with them makes an error that shows it."""
    with pytest.raises(UsageError, match="HF_TOKEN") as caught:
        token_of({"HF_TOKEN": token})

    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{model}", "tiny"), "repository 'tiny': wanted OWNER/NAME"),
        (("{model}", "ada/../x"), "repository 'ada/../x': wanted OWNER/NAME"),
        (("{model}/..", "ada/tiny"), "model.safetensors is missing, so this is no kgmill model folder"),
    ],
)
def test_wrong_pushes_are_refused(hub, model, capsys, arguments, message):
    """Before anything is asked."""
    code = cli.run(["push", *(argument.format(model=model) for argument in arguments)])

    assert (code, hub.requests) == (2, [])
    assert message in capsys.readouterr().err
