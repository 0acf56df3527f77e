"""Gzip files without a date."""

import gzip

from kgmill.pipelines.graph.gzipped import write_gzip


def test_many_batches_are_one_file(tmp_path):
    """More pieces than are written at once are all written, and counted."""
    pieces = [f"<a:{n}> <a:p> <a:o> <a:g> .\n" for n in range(10_000)]
    assert write_gzip(tmp_path / "m.gz", pieces) == 10_000
    assert gzip.decompress((tmp_path / "m.gz").read_bytes()).decode() == "".join(pieces)
