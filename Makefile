# make demo: set up and run the whole pipeline on the embedded starter.   make test: set up and run all checks.
# make docs: set up and build the documentation.
PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/demo-$(RECIPE)
RECIPE ?= dstc-dpo
SEED ?= 0
BIN := $(VENV)/bin

.PHONY: setup demo docs test lint types pytest clean

setup: $(VENV)/.ready

# torch first and by its exact version, so that no looser range can pull another build of it.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "codepref needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "torch==$$(sed -n 's/^torch==//p' constraints.txt)" -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	$(BIN)/codepref demo --recipe $(RECIPE) --seed $(SEED) --out $(OUT)

# The documentation as a site. The parts of the reference that come from the code are written again first.
docs: setup
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

test: lint types pytest

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

pytest: setup
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) runs build/site
