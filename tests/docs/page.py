"""Pages whose commands are run: their fenced `sh` blocks, and the `text` blocks below, which these print."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from kgmill.flows import cli

ROOT = Path(__file__).resolve().parents[2]
KGMILL = ".venv/bin/kgmill"
BASH = "/bin/bash"
_BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_SERVER = re.compile(r"127\.0\.0\.1:(\d+).* &$")
_CONFIDENCE = re.compile(r"\b0\.\d{5,6}\b")  # its last digits are those of one kind of processor


@dataclass(frozen=True)
class Block:
    """Lines of a shell, and what they print, with `...` for anything; None where the page doesn't say."""

    lines: tuple[str, ...]
    printed: str | None


def blocks(page: str) -> list[Block]:
    """The blocks of a page, named from the root, in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(tuple(lines.splitlines()), printed or None) for lines, printed in _BLOCK.findall(text)]


def rounded(text: str) -> str:
    """A text whose confidences have four digits."""
    return _CONFIDENCE.sub(lambda found: f"{float(found[0]):.4f}", text)


class Workspace:
    """A folder with the examples of a checkout, in which pages are followed.

    `kgmill` is called in this process, as it would take seconds to start; everything else runs in a shell. A line that
    ends in `&` is a server, which gets a free port in place of that of the page.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        self.ports: dict[str, str] = {}
        if not folder.exists():
            shutil.copytree(ROOT / "examples", folder / "examples")
            (folder / ".venv").mkdir()
            (folder / ".venv/bin").symlink_to(Path(sys.executable).parent)

    def run(self, block: Block) -> str:
        """What the lines print on standard output, with the page's ports; each of them ends with 0."""
        printed = ""
        with contextlib.chdir(self.folder):
            for line in block.lines:
                here = self._with_ports(line)
                if server := _SERVER.search(line):
                    self._serve(server[1], here.removesuffix(" &"))
                elif line.startswith(f"{KGMILL} "):
                    printed += self._kgmill(here)
                else:
                    printed += subprocess.check_output([BASH, "-euc", here], text=True)
        for port, other in self.ports.items():
            printed = printed.replace(f":{other}", f":{port}")
        return printed

    def follow(self, page_blocks: list[Block]) -> None:
        """Runs blocks one after the other, and holds what they print to what the page says."""
        for block in page_blocks:
            printed = self.run(block)
            if block.printed is not None:
                wanted, found = rounded(block.printed), rounded(printed)
                example = doctest.Example("\n".join(block.lines), wanted)
                checker = doctest.OutputChecker()
                assert checker.check_output(wanted, found, doctest.ELLIPSIS), checker.output_difference(
                    example, found, doctest.ELLIPSIS
                )

    def stop(self) -> None:
        """Ends the servers."""
        for process in self.servers.values():
            process.kill()
            process.wait()

    def _kgmill(self, line: str) -> str:
        words = subprocess.check_output([BASH, "-euc", f"printf '%s\\0' {line}"], text=True).split("\0")[1:-1]
        printed, told = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
            code = cli.run(words)
        assert code == 0, f"{line}: exit code {code}\n{told.getvalue()}"
        return printed.getvalue()

    def _with_ports(self, line: str) -> str:
        for port, other in self.ports.items():
            line = line.replace(f"127.0.0.1:{port}", f"127.0.0.1:{other}")
        if (server := _SERVER.search(line)) and server[1] not in self.ports.values():
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                self.ports[server[1]] = str(listener.getsockname()[1])
            return line.replace(f":{server[1]}", f":{self.ports[server[1]]}")
        return line

    def _serve(self, port: str, line: str) -> None:
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.servers[port] = subprocess.Popen([BASH, "-euc", f"exec {line}"], **silent)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(self.ports[port])), 1):
                return
            time.sleep(0.05)
        raise AssertionError(f"{line}: the server didn't start")
