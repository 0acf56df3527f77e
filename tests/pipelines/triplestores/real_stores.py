"""Real servers: Oxigraph, and where they are there Fuseki and Virtuoso, which can be killed and started again.

The Fuseki jar is KGMILL_FUSEKI_JAR or in ../shared/engines, with java; Virtuoso's binary is virtuoso-t (Debian's
virtuoso-opensource-7-bin).
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[3]
LOGIN = ("loader", "s3cret-word")
FEW_ROWS, ROWS_AS_IT_COMES = 50, 10_000  # of an answer of Virtuoso
VIRTUOSO_INI = """
[Database]
DatabaseFile = {folder}/virtuoso.db
ErrorLogFile = {folder}/virtuoso.log
LockFile = {folder}/virtuoso.lck
TransactionFile = {folder}/virtuoso.trx
xa_persistent_file = {folder}/virtuoso.pxa
[TempDatabase]
DatabaseFile = {folder}/virtuoso-temp.db
TransactionFile = {folder}/virtuoso-temp.trx
[Parameters]
ServerPort = 127.0.0.1:{sql_port}
DisableUnixSocket = 1
NumberOfBuffers = 10000
MaxDirtyBuffers = 6000
[HTTPServer]
ServerPort = 127.0.0.1:{port}
ServerThreads = 10
[SPARQL]
ResultSetMaxRows = {max_rows}
MaxQueryCostEstimationTime = 400
MaxQueryExecutionTime = 60
"""


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class RealStore:
    """A server of its own, in a folder of its own.

    Attributes:
        profile: the name of its kind.
        endpoint: its base URL.
        query_url: where it answers queries.
        login: user name and password of who may write; None: there is no login.
        asker: those that `query_url` wants.
        max_rows: rows that an answer may have, where a kind has such a limit.
    """

    def __init__(self, folder, max_rows=FEW_ROWS):
        self.folder, self.port, self.process, self.asker = folder, free_port(), None, None
        self.max_rows = max_rows
        self.prepare()

    def start(self, *more):
        command, timeout_s = self.command(*more), 120
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, cwd=self.folder, start_new_session=True, **silent)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                httpx.get(self.query_url, timeout=20)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return self
        self.kill()
        pytest.fail(f"{self.query_url}: the server didn't start")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self, *more):
        self.kill()
        return self.start(*more)

    def ask(self, sparql, accept="text/csv"):
        """What anybody gets who may ask."""
        answer = httpx.post(
            self.query_url, data={"query": sparql}, headers={"Accept": accept}, auth=self.asker, timeout=60
        )
        return answer.raise_for_status().content.decode()


class Oxigraph(RealStore):
    profile, login = "oxigraph", None

    def prepare(self):
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.query_url = f"{self.endpoint}/query"

    def command(self, verb="serve"):
        oxigraph = Path(sys.executable).with_name("oxigraph")
        return [oxigraph, verb, "-l", self.folder / "db", "-b", f"127.0.0.1:{self.port}"]


class Fuseki(RealStore):
    profile, login = "fuseki", LOGIN

    def prepare(self):
        jars = [Path(os.environ["KGMILL_FUSEKI_JAR"])] if "KGMILL_FUSEKI_JAR" in os.environ else []
        for root in (ROOT.parent, ROOT.parents[1]):
            jars += sorted(root.glob("shared/engines/jena-fuseki-server-*.jar"))
        self.jar = next((jar for jar in jars if jar.is_file()), None)
        if self.jar is None or shutil.which("java") is None:
            pytest.skip("no Fuseki: java, or the jar that KGMILL_FUSEKI_JAR names, isn't there")
        (self.folder / "db").mkdir()
        (self.folder / "passwords").write_text(": ".join(LOGIN))
        self.endpoint, self.asker = f"http://127.0.0.1:{self.port}/kg", LOGIN
        self.query_url = f"{self.endpoint}/query"

    def command(self, update="--update"):
        where = ["--localhost", "--port", str(self.port), "--loc", self.folder / "db", "--tdb2"]
        login = [f"--passwd={self.folder / 'passwords'}", "--auth=basic"]
        return ["java", "-Xmx600m", "-jar", self.jar, *where, *login, *filter(None, [update]), "/kg"]


class Virtuoso(RealStore):
    profile, login = "virtuoso", ("dba", "dba")

    def prepare(self):
        if shutil.which("virtuoso-t") is None:
            pytest.skip("no Virtuoso: virtuoso-t isn't there; on Debian it is in virtuoso-opensource-7-bin")
        values = {"folder": self.folder, "port": self.port, "sql_port": free_port(), "max_rows": self.max_rows}
        (self.folder / "virtuoso.ini").write_text(VIRTUOSO_INI.format(**values))
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.query_url = f"{self.endpoint}/sparql"

    def command(self):
        (self.folder / "virtuoso.lck").unlink(missing_ok=True)  # a killed server leaves it
        return ["virtuoso-t", "+foreground", "+configfile", self.folder / "virtuoso.ini"]


KINDS = {kind.profile: kind for kind in (Oxigraph, Fuseki, Virtuoso)}
OTHERS_ARE_MARKED = ["oxigraph", *(pytest.param(name, marks=pytest.mark.servers) for name in ("fuseki", "virtuoso"))]


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Starts one server of each kind that is asked for, which no other file's tests have left graphs in."""
    running = {}

    def started(name, max_rows=FEW_ROWS):
        if name not in running:
            running[name] = KINDS[name](tmp_path_factory.mktemp(name), max_rows).start()
        return running[name]

    yield started
    for store in running.values():
        store.kill()


@pytest.fixture
def logged_in(monkeypatch):
    """Sets the login for a store."""

    def logged_in(store, password=None):
        if store.login:
            monkeypatch.setenv("KGMILL_STORE_USER", store.login[0])
            monkeypatch.setenv("KGMILL_STORE_PASSWORD", password or store.login[1])

    return logged_in
