"""A model folder to a hub, by huggingface_hub: one commit, safetensors alone, the token from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from kgmill.extractor.modelfolder import HUB_FILES, check_model_folder, is_hub_id
from kgmill.schemas.errors import CheckpointError, HubError, UsageError

TOKEN = "HF_TOKEN"  # noqa: S105 - the variable's name
_CARD = "*.md"  # what people may have written on the hub


@dataclass(frozen=True, slots=True)
class Parcel:
    """What of a model folder goes to a hub: files in order, and the names of what stays here."""

    files: tuple[Path, ...]
    left_out: tuple[str, ...]

    @property
    def n_bytes(self) -> int:
        """The files' size."""
        return sum(path.stat().st_size for path in self.files)


def pack(folder: Path) -> Parcel:
    """The files of a model folder that a hub gets: weights as safetensors, configuration, tokenizer, card, log.

    Raises:
        CheckpointError: the folder holds no kgmill model.
    """
    check_model_folder(folder)
    files: list[Path] = []
    left_out: list[Path] = []
    for path in sorted(folder.iterdir()):
        is_sent = path.is_file() and not path.name.startswith(".") and any(fnmatch(path.name, p) for p in HUB_FILES)
        (files if is_sent else left_out).append(path)
    return Parcel(tuple(files), tuple(path.name for path in left_out))


def check_repository(name: str) -> None:
    """Checks the name of a repository.

    Raises:
        UsageError: it is not OWNER/NAME, or a folder here.
    """
    if not is_hub_id(name):
        raise UsageError(f"repository {name!r}: wanted OWNER/NAME, which is no folder here")


def token_of(environment: Mapping[str, str]) -> str:
    """The token of the environment.

    Raises:
        UsageError: there is none, or it is none that a header can hold; it is not shown.
    """
    token = environment.get(TOKEN, "")
    if not token:
        raise UsageError(f"no token: set {TOKEN} to one that may write to the repository; it is read from there alone")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(f"{TOKEN} holds a space, a line break or another character that no token has")
    return token


def push(parcel: Parcel, repository: str, token: str, *, is_private: bool, message: str, has_bars: bool) -> str:
    """Sends the files as one commit, and makes the repository, if there is none; returns the commit's URL.

    Files that the model doesn't have any more, such as a calibration, leave the repository; its cards stay. `has_bars`
    says whether the client shows its progress.

    Raises:
        HubError: the hub refused, or didn't answer.
        CheckpointError: a file of the model went away.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token, library_name="kgmill")
    with _told(repository, token), _bars(has_bars):
        api.create_repo(repository, private=is_private, exist_ok=True)
        kept = {path.name for path in parcel.files}
        gone = [name for name in api.list_repo_files(repository) if _is_ours(name) and name not in kept]
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(CommitOperationAdd(path.name, path) for path in parcel.files),
            *(CommitOperationDelete(name) for name in gone),
        ]
        return str(api.create_commit(repository, operations, commit_message=message).commit_url)


def _is_ours(name: str) -> bool:
    """Whether a file of the repository is one that a model is made of."""
    return "/" not in name and any(fnmatch(name, pattern) for pattern in HUB_FILES if pattern != _CARD)


@contextmanager
def _bars(are_shown: bool) -> Iterator[None]:
    """The client's bars as they are, or none, for as long as the block lasts."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_shown or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


@contextmanager
def _told(repository: str, token: str) -> Iterator[None]:
    """Gives whatever the client raises its one line, in which no token stands."""
    try:
        yield
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename}: {error.strerror}") from None
    except Exception as error:  # the client raises many kinds: refused, unknown, offline, not reached
        cause = error.__cause__ or error  # of a file that was refused the client says no more than its name
        said = [str(error), *([f"{type(cause).__name__}: {cause}"] if cause is not error or not str(error) else [])]
        reason = " ".join(" ".join(said).split()).replace(token, "***")[:300]
        status = getattr(getattr(cause, "response", None), "status_code", 0)
        hint = f"; may the token of {TOKEN} write there?" if status in (401, 403) else ""
        raise HubError(f"{repository}: the hub has refused, or no answer: {reason}{hint}") from None
