"""Every source format: nothing is lost in silence, whatever a file holds, and each is said where people look."""

import io
import re
from pathlib import Path

import pytest

from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.pipelines.sources.formats import source_formats, suffixes
from kgmill.pipelines.sources.read import read
from kgmill.pipelines.sources.streams import Stream
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.records import Reject

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"
BROKEN = b'\x00\x01\xff\xfe<{"\n' * 40
FORMATS = source_formats()


def records(name, data, *, is_seekable=True):
    stream = Stream(f"a{FORMATS[name].suffixes[0]}", name, io.BufferedReader(io.BytesIO(data)), is_seekable)
    return list(read(stream, SourceConfig()))


@pytest.mark.parametrize("name", FORMATS)
def test_suffixes_are_those_of_the_format_alone(name):
    """A suffix is a dot and small letters; no other format has it."""
    assert [suffix for suffix in FORMATS[name].suffixes if not re.fullmatch(r"\.[a-z0-9-]+", suffix)] == []
    assert {suffixes()[suffix] for suffix in FORMATS[name].suffixes} == {name}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("data", [b"", b" \n"], ids=["empty", "blank"])
def test_file_without_content_has_no_document(name, data):
    """It is a reject, but where a line is a document: there it has none."""
    assert {type(record) for record in records(name, data)} == ({Reject} if name != "jsonl" else set())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("is_seekable", [True, False])
def test_broken_file_is_counted(name, is_seekable):
    """Bytes that are nothing at all are rejects, which name the file and a reason, however often it is read."""
    found = records(name, BROKEN, is_seekable=is_seekable)
    assert {(type(record), record.source.split(":")[0]) for record in found} == {
        (Reject, f"a{FORMATS[name].suffixes[0]}")
    }
    assert all(re.fullmatch("[a-z_]+", record.reason) for record in found)
    assert records(name, BROKEN) == found


@pytest.mark.parametrize("suffix", suffixes())
def test_format_is_found_by_the_name_of_a_file(tmp_path, suffix):
    """A file with the suffix, in capitals too, is read, and gives what its format makes of the bytes."""
    path = tmp_path / f"a{suffix.upper()}"
    path.write_bytes(BROKEN)
    found = list(read_records(SourceFile(str(path), path.name, len(BROKEN))))
    assert [record.reason for record in found] == [record.reason for record in records(suffixes()[suffix], BROKEN)]


@pytest.mark.parametrize("suffix", suffixes())
def test_handbook_names_the_suffix(suffix):
    """The table of sources in docs/sources.md has each suffix that is read."""
    table = PAGE.read_text(encoding="utf-8").partition("| suffix | a document is |")[2].partition("\n\n")[0]
    assert f"`{suffix}`" in table
