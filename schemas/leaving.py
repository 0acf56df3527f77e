"""How a process of ours ends."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """Ends the process with an exit code, as `sys.exit` does, but for the interpreter's own taking apart.

    In that, a thread of a library (pyarrow, gRPC) that comes back to Python is ended under C++ that does not bear it,
    and the process is aborted with all of its work done: three builds in some eighty on a busy machine. So threads are
    waited for, what is to be done at an exit is done, streams are flushed, in the interpreter's order; the rest is the
    system's.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # both as multiprocessing ends its processes
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # which tells of it
    os._exit(code)
