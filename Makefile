# Every target does the set-up itself; it is quick when it is done.
# Another torch build:  make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu   (see README, Choosing torch)
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
TORCH_INDEX ?=
INDEX_OPTION := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX),)
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
FLINK_VERSION := 1.19.3
FLINK := .cache/flink/lib/flink-dist-$(FLINK_VERSION).jar

.PHONY: setup demo test test-all test-servers test-browser test-faults test-flink coverage lint site bench bench-engine bench-graph bench-s3 clean

setup: $(STAMP)

# dev is every extra but docs, and the tools.
$(STAMP): setup.py constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11 or say make PYTHON=..." >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(INDEX_OPTION) -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: setup
	$(BIN)/kgmill build examples/corpus --out demo --prefect
	@echo; echo 'Who worked for an organisation that is based in a place in New Jersey?  (examples/new-jersey.rq)'; echo
	$(BIN)/kgmill query demo @examples/new-jersey.rq

test: setup
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test-all: setup
	$(BIN)/python -m pytest -m 'not faults and not servers and not browser and not flink'

test-servers: setup
	$(BIN)/python -m pytest -m servers tests/pipelines/triplestores tests/flows

test-browser: setup
	$(BIN)/python -m pytest -m browser tests/pipelines/report

test-faults: setup
	$(BIN)/python -m pytest -m faults tests/faults

test-flink: setup $(FLINK)
	@command -v java >/dev/null || { echo "make: no java; Debian has it as openjdk-17-jre-headless" >&2; exit 2; }
	$(BIN)/python -m pytest -m flink tests/flink -rs

# Flink's jars: the sdist of PyPI has them under deps/lib.
$(FLINK): | $(STAMP)
	mkdir -p .cache/flink
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
	  --dest .cache/flink apache-flink-libraries==$(FLINK_VERSION)
	tar xzf .cache/flink/apache-flink-libraries-$(FLINK_VERSION).tar.gz -C .cache/flink --strip-components=2 \
	  --wildcards '*/deps/lib/*'
	rm .cache/flink/apache-flink-libraries-$(FLINK_VERSION).tar.gz

coverage: setup
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --cov --cov-report term:skip-covered

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

site: $(DOCS_STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(INDEX_OPTION) -c constraints.txt -e '.[docs]'
	touch $(DOCS_STAMP)

bench: setup
	$(BIN)/python -m benchmarks.speed

bench-engine: setup
	$(BIN)/python -m benchmarks.engine

bench-graph: setup
	$(BIN)/python -m benchmarks.graph

bench-s3: setup
	$(BIN)/python -m benchmarks.object_store

clean:
	rm -rf $(VENV) .site build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
