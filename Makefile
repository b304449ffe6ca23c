# Two commands set everything up on a machine with Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test test-slow lint docs benchmark clean

help:
	@echo "make demo [DATA=path]   generate motion (or take your own), pre-train, evaluate, draw"
	@echo "make test               linter, type checker and tests"
	@echo "make test-slow          the tests that take minutes; set KINEME_DATA for those on recordings"
	@echo "make docs               this documentation as a site, in build/site"
	@echo "make benchmark          clips per second on this machine"
	@echo "make install            the virtual environment in $(VENV), and nothing else"
	@echo "make clean              remove it, and what the other targets made"

# The constraints are the tested versions; they name PyTorch's version, and pip takes the build that it finds for it.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Kineme needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

install: $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/kineme demo $(if $(DATA),--data "$(DATA)")

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One process a core, a test file at a time; small models gain nothing from more threads.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile -m "not slow"

test-slow: $(INSTALLED)
	OMP_WAIT_POLICY=passive $(BIN)/pytest -m slow

docs: $(INSTALLED)
	$(BIN)/python -m sphinx -W --keep-going -q docs build/site

benchmark: $(INSTALLED)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build demo docs/api .pytest_cache .mypy_cache .ruff_cache
