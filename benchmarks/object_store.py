"""What a build asks of an object store: requests, objects and seconds, beside the same build on a disk.

    python -m benchmarks.object_store [--copies 1] [--model benchmarks/tiny_model] [--only 400]

A real S3 server of this machine (moto's) holds the output; AG News is built from nothing, again with nothing changed,
and with every hundredth document changed. Requests are counted where they arrive, by kind and by what they are for. The
tiny model leaves the engine itself to be measured; `--only` takes that many documents.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

CORPUS = Path("../shared/data/corpora/agnews.jsonl")
_CHANGED = 100  # every such document
_KINDS = ("LIST", "HEAD", "GET", "PUT", "COPY", "DELETE")
Answer = Callable[..., Iterable[bytes]]


class Counted:
    """A WSGI application that counts what is asked of it."""

    def __init__(self, inner: Answer) -> None:
        self.inner = inner
        self.counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Counts a request and passes it on."""
        with self._lock:
            self.counts[_kind(environ), _what(environ["PATH_INFO"])] += 1
        return self.inner(environ, start_response)

    def take(self) -> Counter[tuple[str, str]]:
        """What was counted since the last time."""
        with self._lock:
            found, self.counts = self.counts, Counter()
        return found


def _kind(environ: dict[str, Any]) -> str:
    method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
    if method == "PUT" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return "COPY"
    if method == "POST":
        return "DELETE" if "delete" in query else "PUT"
    return "LIST" if method == "GET" and ("list-type" in query or "prefix=" in query) else method


def _what(path: str) -> str:
    """The folder of the output that a request is about."""
    pieces = path.strip("/").split("/")[2:]
    return "/".join(pieces[:2]) if pieces[:1] in (["parts"], ["tables"]) else (pieces or ["-"])[0]


def served() -> tuple[Counted, str]:
    """A server in a thread of this process, and its address."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Says nothing of a request."""

    counted = Counted(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, counted, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return counted, f"http://127.0.0.1:{server.server_port}"


def corpora(folder: Path, n_copies: int, only: int) -> Iterator[tuple[str, Path]]:
    """The corpus of each build: whole, the same, and with every hundredth document changed."""
    lines = CORPUS.read_text(encoding="utf-8").splitlines()[: only or None]
    records = [json.loads(line) for line in lines]
    made = [
        record | {"id": f"{copy}-{i}", "text": f"{record['text']} It was copy {copy} of number {i}."}
        for copy in range(n_copies)
        for i, record in enumerate(records)
    ]
    path = folder / "corpus.jsonl"
    for what in ("first", "nothing changed", "1 % changed"):
        if what == "1 % changed":
            made = [r if i % _CHANGED else r | {"text": f"{r['text']} It was changed."} for i, r in enumerate(made)]
        path.write_text("".join(f"{json.dumps(record)}\n" for record in made), encoding="utf-8")
        yield what, path


def build(corpus: Path, out: str, model: str) -> float:
    """Seconds of a build in a process of its own."""
    command = [sys.executable, "-m", "kgmill", "build", str(corpus), "--out", out, "--model", model, "--quiet"]
    started = time.perf_counter()
    subprocess.run([*command, "--dataset", "bench"], check=True)
    return time.perf_counter() - started


def objects(url: str) -> int:
    """How many objects a bucket holds below a name."""
    import s3fs

    return len(s3fs.S3FileSystem(skip_instance_cache=True).find(url.removeprefix("s3://")))


def main() -> None:
    """`python -m benchmarks.object_store`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--only", type=int, default=0)
    parser.add_argument("--model", default="benchmarks/tiny_model")
    asked = parser.parse_args()
    counted, address = served()
    os.environ |= {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "kgmill",
        "AWS_SECRET_ACCESS_KEY": "kgmill",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    import s3fs

    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
    print(f"| build | disk s | S3 s | ratio | {' | '.join(_KINDS)} | requests | objects |")
    print("|---" * (6 + len(_KINDS)) + "|")
    with tempfile.TemporaryDirectory() as scratch:
        for what, corpus in corpora(Path(scratch), asked.copies, asked.only):
            near = build(corpus, f"{scratch}/out", asked.model)
            counted.take()
            far = build(corpus, "s3://bucket/out", asked.model)
            counts = counted.take()
            kinds = [sum(n for (kind, _), n in counts.items() if kind == name) for name in _KINDS]
            cells = [what, f"{near:.1f}", f"{far:.1f}", f"{far / near:.1f}", *kinds, counts.total()]
            print(f"| {' | '.join(map(str, [*cells, objects('s3://bucket/out')]))} |", flush=True)
            for (kind, about), n in counts.most_common(12):
                print(f"    {n} {kind} {about}", file=sys.stderr)


if __name__ == "__main__":
    main()
