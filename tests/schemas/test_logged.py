"""What log lines say of where they come from, also out of threads and of workers."""

import json
import logging
import threading

import pytest

from kgmill.schemas.errors import DiskError
from kgmill.schemas.logged import Relay, carried, take, where, where_raised, within

logger = logging.getLogger("kgmill.tests.logged")


@pytest.fixture
def sent():
    """What a worker's handler sends of this file's logger, as JSON."""
    lines = []
    relay = Relay(lambda content: lines.append(json.dumps(content)))
    logger.addHandler(relay)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(relay)
    logger.setLevel(logging.NOTSET)


def test_what_is_within_holds_for_its_time():
    """The inner one adds to the outer one and goes with its end."""
    with within(run="r", stage="decode"):
        with within(unit="00-0000"):
            assert where() == {"run": "r", "stage": "decode", "unit": "00-0000"}
        assert where() == {"run": "r", "stage": "decode"}
    assert where() == {}


def test_thread_is_told_what_it_is_in():
    """A function that was carried says in another thread where it was carried from; others there know nothing."""
    found = []
    with within(unit="00-0001"):
        told = carried(lambda: found.append(where()))
    for function in (told, lambda: found.append(where())):
        thread = threading.Thread(target=function)
        thread.start()
        thread.join()
    assert found == [{"unit": "00-0001"}, {}]


def fill_disk():
    """A fault within a stage, of which another one is made outside of it."""
    try:
        with within(run="r"), within(stage="ingest"):
            raise OSError("full")
    except OSError as error:
        raise DiskError("full") from error


def test_error_knows_the_innermost_place():
    """Also one that another was made of, as of a full disk."""
    with pytest.raises(DiskError) as caught:
        fill_disk()
    assert where_raised(caught.value) == {"run": "r", "stage": "ingest"}
    assert where_raised(ValueError("elsewhere")) == {}


def test_record_of_a_worker_is_logged_here(sent, caplog):
    """Its level, message, time and exception are what they were; its unit is the worker's, its stage is ours."""
    with within(unit="00-0002"):
        try:
            raise ValueError("of 7 %")
        except ValueError:
            logger.exception("names: %d %% failed", 7)
    content = json.loads(sent.pop())
    caplog.clear()
    with within(stage="decode"), caplog.at_level(logging.INFO, "kgmill.tests.logged"):
        take(content)
    [record] = caplog.records
    assert (record.levelname, record.getMessage(), record.created) == ("ERROR", "names: 7 % failed", content["created"])
    assert record.exc_text.splitlines()[-1] == "ValueError: of 7 %"
    assert json.loads(sent[0])["where"] == {"unit": "00-0002", "stage": "decode"}


def test_record_below_the_level_is_dropped(caplog):
    """A worker that was told an older level sends more than is wanted here."""
    with caplog.at_level(logging.WARNING, "kgmill.tests.logged"):
        take({"name": "kgmill.tests.logged", "levelno": logging.INFO, "levelname": "INFO", "msg": "unit done"})
    assert caplog.records == []
