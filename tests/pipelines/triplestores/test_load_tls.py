"""A store behind TLS: who vouches for it is checked, and can be an authority of one's own."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from store_builds import GRAPHS, quads

from kgmill.flows.cli import run
from kgmill.pipelines.triplestores.load import load
from kgmill.schemas.errors import StoreError, UsageError


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that vouches for itself, with its key, as PEM."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kgmill")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "own.pem"
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, pkcs8, plain)
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def https(proxy, certificate, one_tls_context):
    """The URL of the store behind TLS."""
    one_tls_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
    return proxy.url.replace("http:", "https:")


def test_own_authority_is_trusted(build, https, certificate, dump, capsys):
    """With --ca-file a store is loaded whose certificate nobody else vouches for."""
    assert run(["load", str(build), "--endpoint", https, "--ca-file", str(certificate)]) == 0
    assert dump() == sorted(quads(GRAPHS))


def test_query_takes_it_too(build, https, certificate, capsys):
    """A question to that store is answered with --ca-file, and without it the error names the option."""
    asked = ["query", "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", "--endpoint", https, "--format", "csv"]
    assert run([*asked, "--ca-file", str(certificate)]) == 0
    assert capsys.readouterr().out.split() == ["n", "0"]
    assert run(asked) == 1
    assert "--ca-file names who may vouch for it" in capsys.readouterr().err


def test_unknown_authority_is_refused(build, https, proxy):
    """Without it nothing is sent, and the way out is named at once."""
    with pytest.raises(StoreError, match=r"certificate verify failed.*; --ca-file names who may vouch for it"):
        load(build, https)
    assert proxy.requests == []


@pytest.mark.parametrize(("text", "reason"), [(None, "No such file"), ("not PEM", "wanted certificates as PEM")])
def test_file_without_certificates_is_refused(build, endpoint, tmp_path, one_tls_context, text, reason):
    """A file that holds no certificate is named before anything is sent."""
    one_tls_context()
    path = tmp_path / "ca.pem"
    if text:
        path.write_text(text)
    with pytest.raises(UsageError, match=rf"--ca-file .*ca\.pem: .*{reason}"):
        load(build, endpoint, ca_file=path)
