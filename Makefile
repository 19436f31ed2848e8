# Two commands for new users: `make example` and `make test`. See README.md.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
EXAMPLE_OUTPUT := build/example

.PHONY: help example environment test lint format clean

help:
	@echo "make example  run the participant level on bids_example/ and say where the report is"
	@echo "make test     run the test suite"
	@echo "make lint     style, format and types"

environment: $(VENV)/.app-installed

$(VENV)/.app-installed: requirements/lock.txt requirements/lock-no-deps.txt
	command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11"; exit 69; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements/lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements/lock-no-deps.txt
	touch $@

$(VENV)/.test-installed: $(VENV)/.app-installed requirements/lock-extras.txt requirements/lock-test.txt
	$(BIN)/python -m pip install --quiet --requirement requirements/lock-extras.txt --requirement requirements/lock-test.txt
	touch $@

example: environment
	$(BIN)/python -m bids_example.code.make_example --check bids_example
	$(BIN)/python run.py bids_example $(EXAMPLE_OUTPUT) participant
	@echo "Reports: $$(ls -d $(CURDIR)/$(EXAMPLE_OUTPUT)/*.html | tr '\n' ' ')"

test: $(VENV)/.test-installed
	$(BIN)/python -m pytest

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.test-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build
