"""How a process ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DOOMED = """
import atexit, os, sys, threading, time
class Doomed:
    def __del__(self):  # stands for a library's threads, which the interpreter's end does not suit
        os.abort()
doomed = Doomed()
atexit.register(print, "done at the exit")
threading.Thread(target=lambda: (time.sleep(0.2), print("a thread's end"))).start()
print("unflushed", end=" ")
"""


def run(code, **options):
    """What a new interpreter makes of some lines."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run([sys.executable, "-c", code], text=True, check=False, env=environment, **options)


def test_what_an_end_of_the_interpreter_would_abort():
    """Threads end, exits are handled, streams are flushed, and the code is the one that was meant."""
    plain = run(DOOMED + "sys.exit(3)", capture_output=True)
    done = run(DOOMED + "from kgmill.schemas.leaving import leave; leave(3)", capture_output=True)

    assert plain.returncode < 0
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == plain.stdout == "unflushed a thread's end\ndone at the exit\n"


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_stream_that_cannot_be_flushed_is_told():
    """Where standard output holds no more, the interpreter says so, as ever."""
    with Path("/dev/full").open("w") as full:
        done = run("from kgmill.schemas.leaving import leave; print(1); leave(0)", stdout=full, stderr=subprocess.PIPE)

    assert done.returncode == 120
    assert "No space left" in done.stderr
