"""The formats of annotated files, by the names that configurations and commands have for them."""

from __future__ import annotations

from typing import Literal

AnnotationFormat = Literal["spert", "dygie", "conll", "brat", "ace", "doccano", "label-studio", "spacy"]
