"""How a load logs in, what of that it never tells, and what it makes of refusals and redirects."""

import doctest
import hashlib
import hmac
from dataclasses import replace

import httpx
import pytest
from store_builds import GRAPHS, quads

from kgmill.pipelines.triplestores import dump as dump_module
from kgmill.pipelines.triplestores import http_client, login, sparql_update
from kgmill.pipelines.triplestores.http_client import Connection
from kgmill.pipelines.triplestores.load import load
from kgmill.pipelines.triplestores.login import Login, login_for
from kgmill.pipelines.triplestores.profiles import PROFILES
from kgmill.schemas.errors import StoreError, UsageError


@pytest.mark.parametrize("module", [dump_module, http_client, login, sparql_update], ids=lambda module: module.__name__)
def test_doctests(module):
    """The examples in the docstrings hold."""
    result = doctest.testmod(module)
    assert (result.failed, result.attempted > 0) == (0, True)


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


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TOKEN", "s3cret ", "wanted printable ASCII, without white space at its ends"),
        ("TOKEN", "s3cret\n", "wanted printable ASCII, without white space at its ends"),
        ("USER", "s3cret\n", "wanted no line break, and no other control character"),
        ("PASSWORD", "s3cret\r", "wanted no line break, and no other control character"),
    ],
)
def test_login_that_no_header_can_hold_is_refused(build, proxy, monkeypatch, name, value, message):
    """A value with what a copy from elsewhere left at its end is named, not repeated, and nothing is sent."""
    if name != "TOKEN":
        monkeypatch.setenv("KGMILL_STORE_USER", "ada")
        monkeypatch.setenv("KGMILL_STORE_PASSWORD", "lovelace")
    monkeypatch.setenv(f"KGMILL_STORE_{name}", value)
    with pytest.raises(UsageError) as error:
        load(build, proxy.url)
    assert (str(error.value), proxy.requests) == (f"KGMILL_STORE_{name}: {message}", [])


@pytest.mark.parametrize("secret", ["s3cret ", "s3cret\n"])
def test_request_that_cannot_be_sent_is_final(proxy, waits, secret):
    """Whatever h11 doesn't take, it is told once, without what it was of the login."""

    class Odd(httpx.Auth):
        def auth_flow(self, request):
            request.headers["Authorization"] = f"Odd {secret}"
            yield request

    profile = PROFILES["oxigraph"]
    with httpx.Client(auth=Odd()) as client:
        connection = Connection(client, proxy.url, profile, Login(None, "Basic", "", (secret,)))
        with pytest.raises(StoreError) as error:
            connection.request("POST", f"{proxy.url}/query", "query", data={"query": "ASK {}"})
    assert str(error.value) == f"{proxy.url}: query: can't be sent: illegal header value b'Odd ***'"
    assert (waits, proxy.requests) == ([], [])


def test_values_of_the_environment_are_secrets(build, proxy, file, monkeypatch):
    """A store that echoes only what the environment gave of a header tells nothing; an empty header hides nothing."""
    monkeypatch.setenv("STORE_KEY", "k3y-of-the-store")
    name = file('profile = "oxigraph"\n[headers]\nX-Api-Key = "key ${STORE_KEY}"\nX-Empty = ""\n')
    proxy.faults["QUERY"] = [(403, {}, b"k3y-of-the-store may not, nor may key k3y-of-the-store")]
    with pytest.raises(StoreError, match=r"status 403: \*\*\* may not, nor may \*\*\*;"):
        load(build, proxy.url, name)


def test_redirect_tells_no_secret(build, proxy, monkeypatch):
    """The place that a store sends a request to is told without the login."""
    monkeypatch.setenv("KGMILL_STORE_TOKEN", "s3cret")
    proxy.faults["QUERY"] = [(303, {"Location": "/s3cret"}, b"")]
    with pytest.raises(StoreError, match="which is not followed") as error:
        load(build, proxy.url)
    assert "s3cret" not in str(error.value)


def test_answer_that_is_no_http_tells_no_secret(build, proxy, monkeypatch, waits):
    """What a fault of the connection repeats of the answer is told without the login."""
    monkeypatch.setenv("KGMILL_STORE_TOKEN", "s3cret")
    proxy.faults["QUERY"] = [b"s3cret, go away\r\n\r\n"] * 5
    with pytest.raises(StoreError) as error:
        load(build, proxy.url)
    assert str(error.value).endswith(
        "no answer (illegal status line: bytearray(b'***, go away')); is the store running?"
    )


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


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_SECRET_ACCESS_KEY", "", "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY"),
        ("AWS_PROFILE", "nobody", r"The config profile \(nobody\) could not be found"),
        ("AWS_SESSION_TOKEN", "t0ken\n", "wanted printable ASCII, without white space at its ends"),
    ],
)
def test_half_configured_aws_is_one_line(build, aws, monkeypatch, name, value, message):
    """What AWS's own tools find wrong is said in their words, before anything is sent."""
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"^AWS's credentials: {message}") as error:
        load(build, "https://db.example.org:8182", "neptune")
    assert "t0ken" not in str(error.value)


def test_aws_that_fails_later_is_one_line(aws, disguised, build, monkeypatch):
    """Credentials that can't be renewed while a load runs end it like any other fault of a store."""
    from botocore.exceptions import CredentialRetrievalError

    def add_auth(*_):
        raise CredentialRetrievalError(provider="a role", error_msg="it\nis gone")

    monkeypatch.setattr("botocore.auth.SigV4Auth.add_auth", add_auth)
    with pytest.raises(
        StoreError, match=r"^AWS's credentials: Error when retrieving credentials from a role: it is gone$"
    ):
        load(build, disguised(PROFILES["neptune"]).url, "neptune")


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
        (
            {},
            401,
            {"WWW-Authenticate": 'Digest realm="x"'},
            'it wants a login by Digest, .* gives Basic: auth = "digest"',
        ),
        (
            {},
            401,
            {"WWW-Authenticate": 'Negotiate, Digest realm="a, Basic b", nonce="c", Bearer'},
            'it wants a login by Negotiate or Digest or Bearer, .*: auth = "digest" .*, or set KGMILL_STORE_TOKEN',
        ),
        ({}, 401, {"WWW-Authenticate": 'Negotiate, Basic realm="x"'}, "set KGMILL_STORE_USER"),
        ({"TOKEN": "t"}, 401, {"WWW-Authenticate": 'basic realm="x"'}, 'it wants .* gives Bearer: auth = "basic" in a'),
        (
            {},
            401,
            {"WWW-Authenticate": "Negotiate oYIB=="},
            "it wants a login by Negotiate, and kgmill knows basic, digest, bearer, sigv4",
        ),
        ({}, 404, {}, r"is this the store's base URL\? of this profile it is like http://HOST:7878"),
        ({}, 405, {}, "is the store read-only, or of another profile"),
    ],
)
def test_hints_fit_what_is_set(build, proxy, monkeypatch, environment, status, headers, hint):
    """A refusal says what is left to be done."""
    for name, value in environment.items():
        monkeypatch.setenv(f"KGMILL_STORE_{name}", value)
    proxy.faults["QUERY"] = [(status, headers, b"no")]
    with pytest.raises(StoreError, match=f"status {status}: no; {hint}"):
        load(build, proxy.url)
