"""Apache Beam, for all modules here: imported so that the host's logging stays as it is.

When Beam is imported it logs that its optional Google Cloud parts are missing, through the root logger's own functions,
which give a root logger without handlers one for good.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _untouched_root() -> Iterator[None]:
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    root.addFilter(_is_no_news)
    try:
        yield
    finally:
        root.removeFilter(_is_no_news)
        root.removeHandler(handler)


def _is_no_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("apitools not found")


with _untouched_root():
    import apache_beam as beam
    from apache_beam.metrics.metric import Metrics
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.pvalue import PCollection

__all__ = ["Metrics", "PCollection", "PipelineOptions", "StandardOptions", "beam"]
