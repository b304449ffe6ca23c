# Two commands set everything up on a machine with Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test test-slow lint benchmark clean

help:
	@echo "make demo [DATA=path]   generate motion (or take yours), pre-train, evaluate, draw"
	@echo "make test               linter, type checker and tests"
	@echo "make test-slow          the tests that take minutes; set KINEME_DATA for those on recordings"
	@echo "make benchmark          clips per second on this machine"
	@echo "make install            only the virtual environment, in $(VENV)"
	@echo "make clean              remove it, and what demo and tests left"

# The constraints are a tested set; on Linux they name PyTorch's version, and pip takes the build it finds for it.
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

test: lint
	OMP_WAIT_POLICY=passive $(BIN)/pytest -m "not slow"

test-slow: $(INSTALLED)
	OMP_WAIT_POLICY=passive $(BIN)/pytest -m slow

benchmark: $(INSTALLED)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache
