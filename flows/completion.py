"""Completion of command lines in bash, zsh, fish and PowerShell, by typer's own scripts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from typer.completion import (  # type: ignore[attr-defined]  # typer imports them there itself
    completion_init,
    get_completion_script,
    install,
    shell_complete,
)
from typer.core import TyperCommand, TyperGroup

from kgmill.flows.commands import find, lines
from kgmill.flows.parser import documented, typer_command
from kgmill.schemas.errors import UsageError

VARIABLE = "_KGMILL_COMPLETE"  # what the shells' scripts ask by; flows/cli.py looks for it
SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
_NAME = "kgmill"


class _Commands(TyperGroup):
    """All commands for a shell that asks what may come next; only the one that is begun is imported."""

    _names_only = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return list(lines())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them."""
        if self._names_only:
            return TyperCommand(cmd_name, help=lines()[cmd_name])
        command = find(cmd_name)
        return documented(typer_command(command), command) if command else None

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The commands that begin so, each with its line."""
        self._names_only = True
        return super().shell_complete(ctx, incomplete)


def complete() -> int:
    """Answers a shell's script; returns the exit code."""
    completion_init()
    return shell_complete(_Commands(name=_NAME), {}, _NAME, VARIABLE, os.environ[VARIABLE])


def script(shell: str) -> str:
    """What has to be run in a shell so that it completes; `shell` is empty for the one that this runs in."""
    return get_completion_script(prog_name=_NAME, complete_var=VARIABLE, shell=_known(shell))


def install_script(shell: str) -> Path:
    """Puts the script where the shell finds it when it is started; returns where."""
    _, path = install(shell=_known(shell), prog_name=_NAME, complete_var=VARIABLE)
    return path


def _known(shell: str) -> str:
    from shellingham import ShellDetectionFailure, detect_shell

    if not shell:
        try:
            shell = detect_shell()[0]
        except ShellDetectionFailure:
            shell = "none that is known"
    if shell not in SHELLS:
        raise UsageError(f"the shell is {shell}; name one of {', '.join(SHELLS)}: kgmill --show-completion bash")
    return shell
