"""What `kgmill doctor` looks at: whether kgmill can run here, each thing with what to do where it can't."""

from __future__ import annotations

import locale
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

import kgmill
from kgmill.flows.options import EngineOptions
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import KgmillError
from kgmill.schemas.extras import EXTRAS, absent, require, way_to

Level = Literal["ok", "warn", "fail"]
_GB = 1e9
_SENTENCE = "Marie Curie lived in Paris, France."
_LOGIN = re.compile(r"(://)[^/@\s]+@")
_SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|CREDENTIAL|API_KEY|ACCESS_KEY", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Check:
    """What came of a look at one thing; `way_out` says what to do where it isn't ok."""

    name: str
    level: Level
    told: str
    way_out: str = ""


def check_up(
    config: BuildConfig, out: str, endpoint: str, profile: str, engine: EngineOptions | None = None
) -> Iterator[Check]:
    """Looks at everything, one after another; no look ends the others, and none of what is told is a secret."""
    looks: dict[str, Callable[[], Iterator[Check]]] = {
        "Python": _python,
        "packages": _packages,
        "extras": _extras,
        "encoding": _encoding,
        "processors": _processors,
        "memory": _memory,
        "GPU": lambda: _gpu(config),
        "temporary folder": lambda: _folder("temporary folder", Path(tempfile.gettempdir()), "set TMPDIR to another"),
        "model": lambda: _model(config),
        "Prefect": _prefect,
    }
    if out:
        looks["output folder"] = lambda: _out(out)
    if engine and engine.runner != EngineOptions().runner:
        looks["engine"] = lambda: _engine(config, out, engine)
    if endpoint:
        looks["triple store"] = lambda: _store(endpoint, profile)
    for name, look in looks.items():
        try:
            found = list(look())
        except KgmillError as error:
            found = [Check(name, "fail", str(error))]
        except Exception as error:  # a look at what is broken may end in any way
            found = [Check(name, "fail", f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")]
        for check in found:
            yield Check(check.name, check.level, masked(check.told, os.environ), check.way_out)


def masked(text: str, environment: Mapping[str, str]) -> str:
    """The text without logins in URLs and without the values of variables that are secrets.

    >>> masked("http://ada:pw@host/ said hunter22", {"STORE_PASSWORD": "hunter22"})
    'http://***@host/ said ***'
    """
    text = _LOGIN.sub(r"\1***@", text)
    for name, value in environment.items():
        if _SECRET.search(name) and len(value) > 3:
            text = text.replace(value, "***")
    return text


def _python() -> Iterator[Check]:
    is_known = sys.version_info >= (3, 11)
    told = f"{sys.version.split()[0]} in {sys.prefix}; kgmill {kgmill.__version__}"
    yield Check("Python", "ok" if is_known else "fail", told, "" if is_known else "install Python 3.11 or later")


def _packages() -> Iterator[Check]:
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in requires("kgmill") or ()]
    except PackageNotFoundError:
        yield Check("packages", "warn", "kgmill is not installed as a package", f"run make setup, or {way_to('build')}")
        return
    missing, others = [], []
    wanted = [
        one for one in wanted if not one.marker or any(one.marker.evaluate({"extra": e}) for e in ("", *_there()))
    ]
    for one in wanted:
        try:
            if (has := version(one.name)) not in one.specifier:
                others.append(f"{one.name} {has} is not {one.specifier}")
        except PackageNotFoundError:
            missing.append(f"{one.name} is missing")
    if missing or others:
        yield Check(
            "packages", "fail", "; ".join(missing + others), f"run make setup, or {way_to('build')} -c constraints.txt"
        )
        return
    pins = Path(kgmill.__file__).resolve().parent.parent / "constraints.txt"
    unlike = list(_unlike(pins)) if pins.is_file() else []
    if unlike:
        told = f"{len(unlike)} other than constraints.txt: {', '.join(unlike[:5])}{' ...' if unlike[5:] else ''}"
        yield Check("packages", "warn", told, "results were measured with those of constraints.txt; run make setup")
    else:
        yield Check("packages", "ok", f"{len(wanted)} as they have to be")


def _extras() -> Iterator[Check]:
    there = _there()
    lacking = [name for name in EXTRAS if name not in there]
    told = f"{', '.join(there) or 'none'} installed" + (f"; not {', '.join(lacking)}" if lacking else "")
    way_out = "" if "build" in there else f"plain kgmill predicts, queries and reads; to build: {way_to('build')}"
    yield Check("extras", "ok", told, way_out)


def _there() -> list[str]:
    return [name for name, modules in EXTRAS.items() if not absent(modules)]


def _unlike(pins: Path) -> Iterator[str]:
    for line in pins.read_text(encoding="utf-8").splitlines():
        name, equals, pinned = line.partition("==")
        if not equals or line.startswith("#"):
            continue
        try:
            has = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue  # one of an extra
        if has != pinned:
            yield f"{name} {has}"


def _encoding() -> Iterator[Check]:
    # sys.stdout is the spinner's meanwhile
    names = {"files": sys.getfilesystemencoding(), "output": getattr(sys.__stdout__, "encoding", None) or "none"}
    told = ", ".join(f"{what} {name}" for what, name in names.items()) + f"; locale {locale.setlocale(locale.LC_CTYPE)}"
    is_utf8 = all(name.lower().replace("-", "") == "utf8" for name in names.values())
    yield Check("encoding", "ok" if is_utf8 else "warn", told, "" if is_utf8 else "set PYTHONUTF8=1 or LC_ALL=C.UTF-8")


def _processors() -> Iterator[Check]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limited = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ}
    told = f"{usable} to compute on" + "".join(f"; {name}={value}" for name, value in limited.items())
    is_held = any(value.isdecimal() and int(value) < usable for value in limited.values())
    way_out = "unset it, so that a model on all threads is as fast as it can be" if is_held else ""
    yield Check("processors", "warn" if is_held else "ok", told, way_out)


def _memory() -> Iterator[Check]:
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    for path in ("/proc/meminfo",):
        text = Path(path).read_text(encoding="ascii") if Path(path).exists() else ""
        if match := re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE):
            free = int(match[1]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (allowed := limit.read_text(encoding="ascii").strip()).isdecimal():
        free = min(free, int(allowed))
    level: Level = "ok" if free > 3 * _GB else "warn" if free > 1.5 * _GB else "fail"
    way_out = (
        "" if level == "ok" else "a build takes about 1 GB, and one more a worker; end others, or take --workers 1"
    )
    yield Check("memory", level, f"{free / _GB:.1f} GB free", way_out)


def _gpu(config: BuildConfig) -> Iterator[Check]:
    from kgmill.extractor.neural.devices import gpu_names

    driver, torch = Path("/dev/nvidiactl").exists(), f"torch {version('torch')}"
    if names := gpu_names():
        yield Check("GPU", "ok", f"{', '.join(names)}; {torch}")
    elif driver or config.device.startswith("cuda"):
        told = f"{torch} sees no GPU" + (", but a driver is here" if driver else "")
        level: Level = "fail" if config.device.startswith("cuda") else "warn"
        yield Check(
            "GPU", level, told, "install a torch of the driver's CUDA (README, Choosing torch), or --device cpu"
        )
    else:
        yield Check("GPU", "ok", f"none, and none is needed; {torch}")


def _folder(name: str, place: Path, way_out: str) -> Iterator[Check]:
    """Whether files can be made in a folder, and how much room it has."""
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".kgmill-doctor-") as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        yield Check(name, "fail", f"{place}: {error.strerror or error}", way_out)
        return
    free = shutil.disk_usage(place).free
    level: Level = "ok" if free > 5 * _GB else "warn" if free > 0.5 * _GB else "fail"
    yield Check(
        name, level, f"{place}: {free / _GB:.1f} GB free", "" if level == "ok" else f"free some room, or {way_out}"
    )


def _out(out: str) -> Iterator[Check]:
    from kgmill.pipelines.output.format import check_format
    from kgmill.pipelines.output.parts import Store

    store = Store(out)
    store.storage.check()
    near = store.storage.folder()
    if near is None:
        yield Check("output folder", "ok", f"{store.where}: answers")
    else:
        place = next(path for path in (near, *near.parents) if path.exists())
        yield from _folder("output folder", place, "give another folder")
    if not store.storage.was_held():
        return
    check_format(store)
    with store.lock(clear=False):
        pass
    yield Check("lock", "ok", f"{store.where}: nobody builds there")


def _engine(config: BuildConfig, out: str, how: EngineOptions) -> Iterator[Check]:
    """Whether the engine fits and has room; with an output, also whether its workers come, see that, and can work."""
    from kgmill.pipelines.building import try_engine
    from kgmill.pipelines.engine.engines import open_engine
    from kgmill.pipelines.engine.runners import check_runner

    check_runner(how.runner, how.beam_options)
    notes: list[str] = []
    if not out:
        with open_engine(how.runner, how.beam_options, how.workers, "") as engine:
            told = engine.check(notes.append)
        way_out = "give --out DIR, and its workers are tried too"
    else:
        told, way_out = try_engine(out, config, how.runner, how.beam_options, how.workers, notes.append), ""
    yield from (Check("engine", "warn", note) for note in notes)
    yield Check("engine", "ok", told, way_out)


def _model(config: BuildConfig) -> Iterator[Check]:
    from kgmill.extractor.api import Extractor

    started = time.perf_counter()
    extractor = Extractor.from_pretrained(config.model, device=config.device, precision=config.precision)
    loaded = time.perf_counter()
    [found] = extractor.extract([_SENTENCE])
    seconds = time.perf_counter() - loaded
    told = f"{config.model} loads in {loaded - started:.1f} s; a sentence takes {seconds:.2f} s, "
    told += f"{len(found.mentions)} mentions, {len(found.relations)} relations"
    way_out = "" if found.mentions else f"it finds nothing in {_SENTENCE!r}; right for a model of other types"
    yield Check("model", "ok" if found.mentions else "warn", told, way_out)


def _prefect() -> Iterator[Check]:
    from kgmill.flows.prefect_environment import import_prefect, prefect_is_configured

    if not prefect_is_configured():
        yield Check("Prefect", "ok", "no API is configured: builds run without it; a schedule needs PREFECT_API_URL")
        return
    require("Prefect, whose API is configured", "prefect")
    import_prefect()
    from kgmill.flows.deployments import check_server

    check_server()
    yield Check("Prefect", "ok", "the server answers")


def _store(endpoint: str, profile: str) -> Iterator[Check]:
    from kgmill.pipelines.triplestores.answer import How, answer

    started = time.perf_counter()
    answer(None, "ASK {}", "json", 10.0, How(endpoint=endpoint, profile=profile))
    yield Check("triple store", "ok", f"{endpoint} answers in {time.perf_counter() - started:.2f} s")
