"""What is wrong before a store is asked, and what is kept secret from everybody but the store."""

import gzip

import pytest
from store_builds import GRAPHS, PROVENANCE, make_build, quads

from kgmill.pipelines.triplestores.load import load
from kgmill.schemas.errors import CorruptPartError, StoreError, UsageError


@pytest.fixture
def login(monkeypatch):
    monkeypatch.setenv("KGMILL_STORE_USER", "loader")
    monkeypatch.setenv("KGMILL_STORE_PASSWORD", "s3cret-word")


def test_login_comes_from_the_environment(build, proxy, login):
    """User name and password go out as Basic authentication, with every request."""
    load(build, proxy.url)
    assert set(proxy.logins) == {"Basic bG9hZGVyOnMzY3JldC13b3Jk"}


def test_login_is_never_told(build, proxy, login, caplog):
    """Not even a store that echoes them gets name, password or token into a message, a log or the journal."""
    echo = b"loader may not, with s3cret-word or bG9hZGVyOnMzY3JldC13b3Jk"
    caplog.set_level("DEBUG")
    proxy.faults["POST"] = [(503, {"Retry-After": "0"}, echo), (403, {}, echo)]
    with pytest.raises(StoreError) as error:
        load(build, proxy.url)
    journal = "".join(path.read_text() for path in (build / "load").iterdir())
    told = str(error.value) + caplog.text + journal
    assert "status 403: *** may not, with *** or ***" in told
    assert [secret for secret in ("loader", "s3cret-word", "bG9hZGVy") if secret in told] == []


def test_half_a_login_is_refused(build, endpoint, login, monkeypatch):
    """A user without a password is a mistake, not a wish."""
    monkeypatch.delenv("KGMILL_STORE_PASSWORD")
    with pytest.raises(UsageError, match="wanted both KGMILL_STORE_USER and KGMILL_STORE_PASSWORD, or neither"):
        load(build, endpoint)


@pytest.mark.parametrize(
    "url",
    ["http://loader:s3cret@127.0.0.1:7878", "loader:s3cret@host", "http://host/?key=s3cret", "ftp://u:s3cret@host"],
)
def test_secrets_in_the_endpoint_are_refused(build, url):
    """A password doesn't belong on a command line, and isn't repeated."""
    with pytest.raises(UsageError, match="set KGMILL_STORE_USER and KGMILL_STORE_PASSWORD") as error:
        load(build, url)
    assert "s3cret" not in str(error.value)


# What is wrong before a store is asked


URN = {f"urn:kgmill:dataset:news:{iri.removeprefix('https://kg.example.org/')}": lines for iri, lines in GRAPHS.items()}


@pytest.mark.parametrize("host", ["kg.example.org", "192.0.2.7", "[2001:db8::1]", "localhost.example.org"])
def test_default_names_do_not_leave_the_machine(build, host):
    """Names that nobody can look up are refused for a store elsewhere, with the command that gives others."""
    make_build(build, URN)
    with pytest.raises(UsageError) as error:
        load(build, f"http://{host}:7878")
    assert str(error.value) == (
        "the graph's names begin with urn:kgmill:dataset:, which nobody else can look up, and "
        f"http://{host}:7878 is another machine; give them a base of your own with "
        f"`kgmill export {build} --base-iri IRI` (it calls no model), then load"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "store.localhost"])
def test_default_names_are_good_for_this_machine(build, free_port, host, monkeypatch):
    """A store on this machine is asked, whatever its name is."""
    monkeypatch.setattr("kgmill.pipelines.triplestores.http_client._MAX_CONNECTING_S", 0.0)
    make_build(build, URN)
    with pytest.raises(StoreError, match="is the store running"):
        load(build, f"http://{host}:{free_port()}")


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:7878", "file:///tmp/x", "http://", "http://host:port", ""]
)
def test_endpoint_must_be_an_http_url(build, url):
    """Other schemes, or none, are refused with an example."""
    with pytest.raises(UsageError, match=r"wanted the store's http or https URL, such as http://127\.0\.0\.1:7878"):
        load(build, url)


def test_unknown_profile_is_refused(build):
    """The message lists the profiles that there are."""
    with pytest.raises(UsageError, match="unknown profile 'jena'; known: oxigraph, fuseki, virtuoso, graphdb"):
        load(build, "http://127.0.0.1:7878", "jena")


def test_folder_without_a_build_is_refused(tmp_path):
    """Nothing to load is a usage error."""
    with pytest.raises(UsageError, match="no finished build here; run kgmill build"):
        load(tmp_path, "http://127.0.0.1:7878")


BAD_FILES = {
    "scattered": (quads(GRAPHS)[1:] + quads(GRAPHS)[:1], rf"lines of graph <{PROVENANCE}> don't stand together"),
    "two datasets": (
        [*quads(GRAPHS), "<a:a> <a:b> <a:c> <https://kg.example.org/news2/graph/d1> .\n"],
        r"graph <https://kg.example.org/news2/graph/d1> isn't of one dataset with <https://kg.example.org/news/graph/prov",
    ),
    "no dataset": (["<a:a> <a:b> <a:c> <a:g> .\n"], r"graph <a:g> isn't of one dataset"),
    "no graph": (
        [*quads(GRAPHS), "<a:a> <a:b> <a:c> .\n"],
        r"line 25: wanted one quad in a named graph, got b'<a:a> <a",
    ),
    "empty": ([], r"holds no quad"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_graph_file_is_refused_before_the_store_is_touched(build, proxy, name):
    """A file that can't be loaded whole, as one dataset, isn't loaded at all."""
    lines, message = BAD_FILES[name]
    make_build(build, lines=lines)
    with pytest.raises(UsageError, match=message):
        load(build, proxy.url)
    assert proxy.requests == []


def test_altered_graph_file_is_refused(build, proxy):
    """Bytes that aren't those of run.json's sha256 never reach a store."""
    (build / "graph" / "graph.nq.gz").write_bytes(gzip.compress("".join(quads(GRAPHS)[:-1]).encode()))
    with pytest.raises(CorruptPartError, match=r"graph\.nq\.gz: not the bytes that run\.json promises"):
        load(build, proxy.url)
    assert proxy.requests == []


def test_truncated_graph_file_is_refused(build, proxy):
    """A gzip file that ends too early never reaches a store."""
    path = build / "graph" / "graph.nq.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(CorruptPartError, match=r"graph\.nq\.gz: .*; run kgmill build again"):
        load(build, proxy.url)
    assert proxy.requests == []
