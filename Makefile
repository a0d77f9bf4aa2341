# `make help` lists what there is. Nothing here needs .venv to be active.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# A process for each processor, up to four, and each file of tests in one of them.
PYTEST := $(PY) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile
INSTALL := $(PY) -m pip --disable-pip-version-check --no-input --quiet install
COMPILE = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make pins" \
	$(if $(UPGRADE),--upgrade) pyproject.toml
COMPILE_ON = $(COMPILE) --constraint requirements/dev.txt

# What .venv holds: first what the SDK and its sandbox need, then all that tests and checks need, and more on demand.
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
MUTATE := $(VENV)/.mutate
BENCH := $(VENV)/.bench
DOCS := $(VENV)/.docs

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:[^#]*## / {printf "  %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(RUNTIME) ## list user groups from a local sandbox, over several pages and two tokens
	@$(PY) examples/demo.py

.PHONY: test
test: $(DEV) ## run the tests; ARGS="-k token" narrows them down
	$(PYTEST) $(ARGS)

.PHONY: check
check: lint types specs drift imports api-diff coverage ## everything that CI runs: all of the checks below, and the tests

.PHONY: lint
lint: $(DEV) ## check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: format
format: $(DEV) ## mend style and formatting
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: types
types: $(DEV) ## check types, by mypy and by pyright
	$(BIN)/mypy
	$(BIN)/pyright --warnings

.PHONY: specs
specs: $(DEV) ## check the OpenAPI documents, and that they keep our rules
	$(BIN)/yamllint --strict --config-file specs/.yamllint specs
	$(BIN)/openapi-spec-validator specs/m3ter.yaml specs/smartpm.yaml
	$(PY) specs/rules.py

.PHONY: generate
generate: $(DEV) ## write generated/ anew from specs/
	$(PY) specs/generate.py

.PHONY: drift
drift: $(DEV) ## check that generated/ is what specs/ give
	$(PY) specs/generate.py --check

.PHONY: imports
imports: $(DEV) ## check which module may import which
	$(BIN)/lint-imports --no-logo --no-cache

.PHONY: api
api: $(DEV) ## accept the public API as it is now: write tests/contract/public_api.txt
	$(PY) tests/api.py

.PHONY: api-diff
api-diff: $(DEV) ## compare the public API with that of the last tag, and check that the version announces what breaks
	$(PY) tests/api.py --diff

.PHONY: coverage
coverage: $(DEV) ## run the tests, and check how much of the code they reach
	$(PYTEST) --cov --cov-report=term $(ARGS)

.PHONY: storm
storm: $(DEV) ## many callers, seeded faults and a look for losses, for some minutes; ARGS="--seed 7" for another
	cd tests && $(abspath $(PY)) -m storms $(ARGS)

.PHONY: reliability
reliability: $(DEV) ## run the tests of the fault table, and write docs/reliability.md
	$(PY) tests/reliability.py

.PHONY: matrix
matrix: $(DEV) ## run the tests on each promised Python, with the lowest and the newest versions; ARGS="--python 3.12"
	$(PY) tests/matrix.py $(ARGS)

.PHONY: mutate
mutate: $(MUTATE) ## break the code in small ways and see that a unit test fails; MUTANTS="usergroups._http.retry*" for some
	$(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

.PHONY: bench
bench: $(BENCH) ## measure, and write docs/benchmarks.md, in about eight minutes; ARGS=--quick for a first look
	$(PY) -m benchmarks $(ARGS)

.PHONY: docs
docs: $(DOCS) ## write docs/_build/, the documentation as pages for a browser
	$(PY) -m sphinx --fail-on-warning --fresh-env --quiet docs docs/_build

.PHONY: wheel
wheel: $(DEV) ## build the sdist and the wheel into dist/
	$(PY) -m build --no-isolation

.PHONY: spec-diff
spec-diff: $(DEV) ## compare the OpenAPI documents with those of the last tag; needs Node.js and the npm registry
	$(PY) tests/spec_diff.py

.PHONY: release-check
release-check: $(DEV) ## build, install and try the sdist and the wheel, each in an environment of its own
	$(PY) tests/release_check.py

.PHONY: pins
pins: $(DEV) ## write requirements/ anew from pyproject.toml; UPGRADE=1 takes the newest of what is not pinned there
	$(COMPILE) --all-extras --group dev --output-file requirements/dev.txt
	$(COMPILE_ON) --extra sandbox --group install --output-file requirements/runtime.txt
	$(COMPILE_ON) --group mutate --output-file requirements/mutate.txt
	$(COMPILE_ON) --extra sandbox --extra aiohttp --group bench --output-file requirements/bench.txt
	$(COMPILE_ON) --group docs --output-file requirements/docs.txt

.PHONY: clean
clean: ## remove what was built and cached; .venv stays
	rm -rf build dist docs/_build mutants .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find src generated specs tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Python 3.11 or newer is needed, and "$(PYTHON)" is not: name one, as in: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(PY)
	@echo 'Installing the SDK and its sandbox into $(VENV) ...'
	@$(INSTALL) --require-hashes --requirement requirements/runtime.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt | $(RUNTIME)
	@echo 'Installing the tools for tests and checks into $(VENV), about a minute ...'
	@$(INSTALL) --require-hashes --requirement requirements/dev.txt
	@touch $@

$(MUTATE) $(BENCH) $(DOCS): $(VENV)/.%: requirements/%.txt | $(DEV)
	@echo 'Installing what make $* needs into $(VENV) ...'
	@$(INSTALL) --require-hashes --requirement $<
	@touch $@
