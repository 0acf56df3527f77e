"""Where a flow run loads its graph, and the login that it takes from the server."""

import os
from pathlib import Path

import pytest
import yaml

from kgmill.flows.loading import LoadTo, logged_in
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import ConfigError


@pytest.mark.parametrize("endpoint", ["http://ann:s3cret@store:7878", "http://store/?key=s3cret"])
def test_secret_in_an_endpoint_is_refused(endpoint):
    """Parameters are kept and shown, so that a login in a URL would be; the refusal doesn't say it again."""
    with pytest.raises(ConfigError, match=r"^endpoint: wanted a plain URL, ") as refused:
        LoadTo.load(None, {"endpoint": endpoint})
    assert "s3cret" not in str(refused.value)


@pytest.fixture
def block(monkeypatch):
    """A Secret block of the server, with the value that a test gives it; none of other names."""
    from prefect.blocks.system import Secret

    def block(value):
        def load(name):
            if name != "store":
                raise ValueError(f"Unable to find block document named {name}")
            return Secret(value=value)

        monkeypatch.setattr(Secret, "load", load)

    return block


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a-token", {"TOKEN": "a-token"}),
        ({"user": "ann", "password": "pw"}, {"USER": "ann", "PASSWORD": "pw"}),
    ],
)
def test_login_of_a_block_is_there_for_the_load_alone(block, monkeypatch, value, expected):
    """It goes before what the environment has, which comes back."""
    block(value)
    monkeypatch.setenv("KGMILL_STORE_TOKEN_FILE", "/of/another")
    before = dict(os.environ)
    with logged_in("store"):
        found = {key: value for key, value in os.environ.items() if key.startswith("KGMILL_STORE_")}
    assert found == {f"KGMILL_STORE_{name}": value for name, value in expected.items()}
    assert dict(os.environ) == before


@pytest.mark.parametrize("value", ["", {"user": "ann"}, {"user": "ann", "pasword": "pw"}, ["s3cret"]])
def test_block_without_a_login_is_refused(block, value):
    """Neither a token nor user and password: one line that has the block's name and not what is in it."""
    block(value)
    with pytest.raises(
        ConfigError, match=r"^the Prefect Secret block store holds no login; wanted a token, or "
    ) as bad:
        logged_in("store").__enter__()
    assert "ann" not in str(bad.value)


def test_unknown_block_is_refused(block):
    """A block that isn't there is named, with the way out."""
    block("a-token")
    with pytest.raises(ConfigError, match=r"^the Prefect server has no Secret block other; make one with "):
        logged_in("other").__enter__()


def test_example_has_known_keys():
    """What examples/prefect.yaml says of configuration and store is understood."""
    example = yaml.safe_load((Path(__file__).parents[2] / "examples" / "prefect.yaml").read_text())
    news, letters = (one["parameters"] for one in example["deployments"])
    assert BuildConfig.load(None, news["config"]).min_confidence == 0.5
    assert BuildConfig.load(None, letters["config"]).dataset == "letters"
    assert LoadTo.load(None, news["load_to"]).credentials == "kgmill-store"
