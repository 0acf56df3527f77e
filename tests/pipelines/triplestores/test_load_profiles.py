"""What each profile says to a store, and profiles of the user's own."""

import hashlib
import hmac
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest
from store_builds import FACTS, FIRST, GRAPHS, NEW_FACTS, NEW_SECOND, SECOND, E, V, make_build, quads

from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.detect import profile_for
from kgmill.pipelines.triplestores.load import load
from kgmill.pipelines.triplestores.login import login_for
from kgmill.pipelines.triplestores.profile_file import read_profile
from kgmill.pipelines.triplestores.profiles import PROFILES, Profile
from kgmill.schemas.errors import ConfigError, StoreError, UsageError


@pytest.fixture
def aws(monkeypatch, tmp_path):
    """Credentials of AWS that are nobody's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalr-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


@pytest.fixture
def file(tmp_path):
    """Writes a profile's file."""

    def file(text):
        (tmp_path / "own.toml").write_text(text)
        return str(tmp_path / "own.toml")

    return file


@pytest.mark.parametrize("name", PROFILES)
def test_each_profile_loads(name, build, disguised, dump, aws):
    """A load, nothing new, and changes of all kinds, said as the profile has it; other words would be refused."""
    proxy = disguised(PROFILES[name])
    assert load(build, proxy.url, name).n_replaced == 6
    assert dump() == sorted(quads(GRAPHS))
    proxy.requests.clear()
    assert load(build, proxy.url, name).n_unchanged == 6
    assert {kind for kind, _ in proxy.requests} == {"QUERY"}
    graphs = {iri: lines for iri, lines in GRAPHS.items() if iri != FIRST} | {FACTS: NEW_FACTS, SECOND: NEW_SECOND}
    make_build(build, graphs)
    report = load(build, proxy.url, name, wishes=Wishes(yes=True))
    assert (report.n_replaced, report.n_changed, report.n_removed) == (1, 1, 1)
    assert dump() == sorted(quads(graphs))
    assert None not in {kind for kind, _ in proxy.requests}


@pytest.mark.parametrize("name", PROFILES)
def test_each_profile_swaps_large_graphs_in(name, build, disguised, dump, aws, monkeypatch):
    """Graphs larger than a request, new and changed, arrive whole by every way that a profile has."""
    monkeypatch.setitem(PROFILES, name, replace(PROFILES[name], n_bytes=500, n_triples=3))
    proxy = disguised(PROFILES[name])
    load(build, proxy.url, name)
    long = [f'<{E}m{n}> <{V}anchorOf> "{n:04}" .\n' for n in range(20)]
    make_build(build, GRAPHS | {SECOND: long, FACTS: NEW_FACTS})
    load(build, proxy.url, name)
    assert dump() == sorted(quads(GRAPHS | {SECOND: long, FACTS: NEW_FACTS}))


@pytest.mark.parametrize("limit", [2_000, 700])
@pytest.mark.parametrize("name", PROFILES)
def test_refused_sizes_are_halved(name, build, disguised, dump, aws, limit):
    """A proxy's limit that nobody told of costs a few refusals, and no setting."""
    proxy = disguised(PROFILES[name])
    proxy.max_bytes = limit
    long = [f'<{E}m{n}> <{V}anchorOf> "{n:04}" .\n' for n in range(60)]
    make_build(build, GRAPHS | {SECOND: long})
    load(build, proxy.url, name)
    assert dump() == sorted(quads(GRAPHS | {SECOND: long}))


# Files


def test_file_is_a_profile(build, proxy, dump, file, monkeypatch):
    """Keys of a file go over those of a kind of store; a header's value comes from the environment."""
    monkeypatch.setenv("STORE_KEY", "k3y-of-the-store")
    name = file('profile = "oxigraph"\nn_graphs = 2\nquads = "/store"\n[headers]\nX-Api-Key = "key ${STORE_KEY}"\n')
    load(build, proxy.url, name)
    assert [kind for kind, _ in proxy.writes()] == ["PUT", "POST", "POST", "POST", "PUT"]
    assert dump() == sorted(quads(GRAPHS))
    assert read_profile_headers(name) == {"X-Api-Key": "key k3y-of-the-store"}
    proxy.faults["QUERY"] = [(403, {}, b"not with key k3y-of-the-store")]
    with pytest.raises(StoreError, match=r"status 403: not with \*\*\*") as error:
        load(build, proxy.url, name)
    assert "k3y" not in str(error.value)


def read_profile_headers(name):
    from pathlib import Path

    return read_profile(Path(name)).headers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query = 3", r"own\.toml: query: Input should be a valid string"),
        ('kwery = "/q"', r"own\.toml: unknown key kwery; known: profile, query, update, "),
        ('endpoint = "http://h"', r"own\.toml: unknown key endpoint"),
        ('profile = "jena"', "unknown profile 'jena'"),
        ("profile = 3", r"own\.toml: profile: wanted the name of a kind of store, got 3"),
        ("n_bytes = 0", r"own\.toml: n_bytes: wanted a number above 0, got 0"),
        ('query = "sparql"', r"own\.toml: query: wanted a path below the endpoint, such as /sparql, got 'sparql'"),
        ('auth = "kerberos"', r"own\.toml: auth: Input should be 'basic', 'digest', 'bearer' or 'sigv4'"),
        ('transient = "("', r"own\.toml: transient: not a regular expression"),
        ('[headers]\nA = "${KGMILL_NO_SUCH}"', r"own\.toml: headers\.A: the environment has no KGMILL_NO_SUCH"),
        ("query = ", r"own\.toml: the profile can't be read: Invalid value"),
    ],
)
def test_wrong_file_is_refused(build, proxy, file, text, message):
    """One line names the file and the key; the store isn't asked."""
    with pytest.raises(UsageError, match=message):
        load(build, proxy.url, file(text))
    assert proxy.requests == []


def test_missing_file_is_refused(build, proxy):
    """A name that ends in .toml is that of a file."""
    with pytest.raises(ConfigError, match=r"none\.toml: the profile can't be read: No such file"):
        load(build, proxy.url, "none.toml")


# Telling kinds apart


def test_auto_finds_oxigraph(build, endpoint, dump):
    """A real server is known by its answer, at its base URL or below it."""
    assert profile_for("auto", f"{endpoint}/query") == PROFILES["oxigraph"]
    load(build, endpoint, "auto")
    assert dump() == sorted(quads(GRAPHS))


@pytest.mark.parametrize(
    ("name", "headers", "page"),
    [
        ("fuseki", {"Fuseki-Request-Id": "7"}, b"no"),
        ("graphdb", {"Server": "GraphDB/10.8 RDF4J/4"}, b"12"),
        ("blazegraph", {"Server": "Jetty"}, b'<sd:feature rdf:resource="http://www.bigdata.com/rdf#/features/KB"/>'),
        ("neptune", {}, b'{"status":"healthy","dbEngineVersion":"1.3"}'),
        ("qlever", {}, b'{"git-hash-index":"a1","name-index":"x"}'),
        ("rdf4j", {"Content-Type": "text/plain"}, b"24"),
    ],
)
def test_auto_knows_the_signs_of_others(proxy, name, headers, page):
    """What is documented of the others' answers tells them apart."""
    for path in dict.fromkeys(profile.sign[0] for profile in PROFILES.values() if profile.sign[1]):
        answer = (200, headers, page) if path == PROFILES[name].sign[0] else (404, {"Server": "nginx"}, b"nothing")
        proxy.faults["QUERY" if path == "/query" else "GET"].append(answer)
    assert profile_for("auto", proxy.url) == PROFILES[name]


def test_auto_says_when_nothing_is_known(build, proxy, free_port):
    """A web server is no store; a port where nobody listens is named."""
    proxy.faults["GET"] = [(404, {}, b"<html>")] * 9
    with pytest.raises(StoreError, match="is none of the kinds of stores that can be told by their answers; say which"):
        load(build, proxy.url, "auto")
    with pytest.raises(StoreError, match=r"no answer .connection refused.; is the store running"):
        load(build, f"http://127.0.0.1:{free_port()}", "auto")


# Logins


def test_token_is_a_login(build, proxy, monkeypatch, tmp_path):
    """A token, of the environment or of a file, goes out as Bearer."""
    monkeypatch.setenv("KGMILL_STORE_TOKEN", "t0ken")
    load(build, proxy.url)
    monkeypatch.delenv("KGMILL_STORE_TOKEN")
    (tmp_path / "token").write_text("t0ken-2\n")
    monkeypatch.setenv("KGMILL_STORE_TOKEN_FILE", str(tmp_path / "token"))
    load(build, proxy.url)
    assert set(proxy.logins) == {"Bearer t0ken", "Bearer t0ken-2"}


def test_two_logins_are_refused(build, proxy, monkeypatch):
    """A token and a user are one too many; a file that isn't there is named."""
    for name in ("TOKEN", "USER", "PASSWORD"):
        monkeypatch.setenv(f"KGMILL_STORE_{name}", "x")
    with pytest.raises(UsageError, match="wanted either KGMILL_STORE_TOKEN or KGMILL_STORE_USER and"):
        load(build, proxy.url)
    monkeypatch.delenv("KGMILL_STORE_TOKEN")
    monkeypatch.delenv("KGMILL_STORE_PASSWORD")
    monkeypatch.setenv("KGMILL_STORE_PASSWORD_FILE", "/none")
    with pytest.raises(UsageError, match="KGMILL_STORE_PASSWORD_FILE: /none can't be read: No such file"):
        load(build, proxy.url)


def test_sigv4_signs_what_is_sent(aws):
    """The signature is that of AWS's own rules, worked out here by hand for one request."""
    login = login_for(PROFILES["neptune"])
    body = b"update=DROP+SILENT+GRAPH+%3Ca%3Ag%3E"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = httpx.Request("POST", "https://db.example.org:8182/sparql", content=body, headers=headers)
    (signed,) = login.auth.auth_flow(request)
    day = signed.headers["x-amz-date"]
    scope = f"{day[:8]}/eu-west-1/neptune-db/aws4_request"
    names = "content-type;host;x-amz-date"
    lines = ["POST", "/sparql", "", f"content-type:{headers['Content-Type']}", "host:db.example.org:8182"]
    canonical = "\n".join([*lines, f"x-amz-date:{day}", "", names, hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", day, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4wJalr-secret"
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    assert signed.headers["authorization"] == (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    assert "wJalr-secret" in login.secrets
    assert "wJalr" not in repr(login)


@pytest.mark.parametrize(("missing", "message"), [("AWS_DEFAULT_REGION", "a region"), ("AWS_ACCESS_KEY_ID", "creden")])
def test_half_of_aws_is_refused(aws, monkeypatch, missing, message):
    """What a signature lacks is named before anything is sent."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    for name in (missing, "AWS_REGION", *(["AWS_SECRET_ACCESS_KEY"] if "KEY" in missing else [])):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=f"a SigV4 login needs .*{message}"):
        login_for(PROFILES["neptune"])


# Redirects and hints


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_on_the_same_host_is_followed(build, proxy, dump, status):
    """A store that moved on its host gets the request there, with its body, and later ones at once."""
    proxy.faults["QUERY"] = [(status, {"Location": f"{proxy.url}/query"}, b"")]
    moved = replace(PROFILES["oxigraph"], query="/query", store="/old/store", quads="/old/store")
    proxy.faults["PUT"] = [(status, {"Location": "/store"}, b"")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROFILES, "oxigraph", moved)
        load(build, proxy.url)
    assert dump() == sorted(quads(GRAPHS))
    assert [kind for kind, _ in proxy.writes()] == ["PUT", "PUT", "POST", "PUT"]


@pytest.mark.parametrize(
    ("status", "where", "named"),
    [
        (302, "https://login.example.org/sso?next=s3cret", "to https://login.example.org/sso, which is not followed"),
        (303, "/done", r"to http://127.0.0.1:\d+/done, which is not followed"),
    ],
)
def test_redirect_elsewhere_is_named(build, proxy, status, where, named):
    """Another host gets neither the login nor the data."""
    proxy.faults["QUERY"] = [(status, {"Location": where}, b"")]
    with pytest.raises(StoreError, match=named) as error:
        load(build, proxy.url)
    assert "s3cret" not in str(error.value)
    assert len(proxy.requests) == 1


def test_redirects_in_a_circle_end(build, proxy):
    """A store that sends requests round is left."""
    proxy.faults["QUERY"] = [(307, {"Location": "/query"}, b"")] * 9
    with pytest.raises(StoreError, match="sent on more than 5 times"):
        load(build, proxy.url)


@pytest.mark.parametrize(
    ("environment", "status", "headers", "hint"),
    [
        ({}, 401, {}, "set KGMILL_STORE_USER and KGMILL_STORE_PASSWORD"),
        (
            {"USER": "u", "PASSWORD": "p"},
            401,
            {},
            "it doesn't take the login of KGMILL_STORE_USER and KGMILL_STORE_PASSW",
        ),
        ({"TOKEN": "t"}, 403, {}, "it doesn't allow this, read-only or not, to the login of KGMILL_STORE_TOKEN"),
        ({}, 401, {"WWW-Authenticate": 'Digest realm="x"'}, 'wants a login by Digest, .* gives Basic: auth = "digest"'),
        ({}, 404, {}, r"is this the store's base URL\? of this profile it is like http://HOST:7878"),
        ({}, 405, {}, "is the store read-only, or of another profile"),
    ],
)
def test_hints_fit_what_is_set(build, proxy, monkeypatch, environment, status, headers, hint):
    """A refusal says what is left to be done."""
    for name, value in environment.items():
        monkeypatch.setenv(f"KGMILL_STORE_{name}", value)
    proxy.faults["QUERY"] = [(status, headers, b"no")]
    with pytest.raises(StoreError, match=f"status {status}: no; .*{hint}"):
        load(build, proxy.url)


def test_statuses_of_a_profile_are_tried_again(build, proxy, waits, file):
    """What passes is a profile's to say: a status, or words on the page of another one."""
    name = file('profile = "oxigraph"\nretried = [409]\ntransient = "ConcurrentModification"\n')
    proxy.faults["UPDATE"] = []
    proxy.faults["PUT"] = [(409, {}, b""), (500, {}, b'{"code":"ConcurrentModificationException"}')]
    assert load(build, proxy.url, name).n_replaced == 6
    assert len(waits) == 2
    proxy.faults["PUT"] = [(503, {}, b"busy")]
    make_build(build, GRAPHS | {SECOND: NEW_SECOND})
    with pytest.raises(StoreError, match="status 503"):
        load(build, proxy.url, name)


def test_break_in_a_large_request_makes_smaller_ones(build, proxy, dump, waits):
    """A connection that closes on a large body twice gets halves of it."""
    long = [f'<{E}m{n}> <{V}anchorOf> "{n:04}" .\n' for n in range(2000)]
    make_build(build, GRAPHS | {SECOND: long})
    proxy.faults["POST"] = ["drop", "drop"]
    load(build, proxy.url)
    assert dump() == sorted(quads(GRAPHS | {SECOND: long}))
    assert [kind for kind, _ in proxy.writes()].count("POST") >= 4


def test_slow_store_is_waited_for(build, proxy, dump, file):
    """A request that takes longer than timeout_s is sent again, and what it did twice is there once."""
    import time

    name = file('profile = "oxigraph"\ntimeout_s = 0.5\n')
    naps = [0, 0, 0, 1.2]
    proxy.before = lambda: time.sleep(naps.pop(0) if naps else 0)
    assert load(build, proxy.url, name).n_replaced == 6
    assert dump() == sorted(quads(GRAPHS))


def test_profile_tells_no_secret():
    """Headers are left out wherever a profile is printed."""
    assert "s3cret" not in repr(Profile(endpoint="http://h", headers={"A": "s3cret"}))
    assert urlsplit(PROFILES["neptune"].endpoint).scheme == "https"
