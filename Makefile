# Two commands for new users: `make example` and `make test`. See README.md.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
TEST_LOCKS := $(foreach part,extras torch nnunet nnunet-no-deps test,requirements/lock-$(part).txt)
EXAMPLE_OUTPUT := build/example
# Simulated scores, for the group level of the example: no person stands behind them.
EXAMPLE_SCORES := build/simulated_scores

.PHONY: help example environment test kills lint format docs clean

help:
	@echo "make example  run both levels on bids_example/ and say where the reports are"
	@echo "make test     run the test suite"
	@echo "make kills    kill 60 runs at random moments and run them again (about an hour)"
	@echo "make lint     style, format and types"
	@echo "make docs     pages of the code of pipelines, in build/docs"

environment: $(VENV)/.app-installed

$(VENV)/.app-installed: requirements/lock.txt
	command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11"; exit 69; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements/lock.txt
	touch $@

# The locks are complete: nothing is resolved. Torch has no hashes, so it is asked for by itself.
$(VENV)/.test-installed: $(VENV)/.app-installed $(TEST_LOCKS)
	$(BIN)/python -m pip install --quiet --no-deps $(filter-out %-torch.txt,$(TEST_LOCKS:%=--requirement=%))
	$(BIN)/python -m pip install --quiet --requirement requirements/lock-torch.txt
	touch $@

$(VENV)/.docs-installed: $(VENV)/.test-installed requirements/lock-docs.txt
	$(BIN)/python -m pip install --quiet --requirement requirements/lock-docs.txt
	touch $@

example: environment
	$(BIN)/python -m bids_example.code.make_example --check bids_example
	$(BIN)/python run.py bids_example $(EXAMPLE_OUTPUT) participant
	rm -rf $(EXAMPLE_SCORES)
	$(BIN)/python tools/simulate_cohort.py $(EXAMPLE_SCORES) --samples 250 --least-patients 8
	$(BIN)/python run.py bids_example $(EXAMPLE_OUTPUT) group --overwrite --train example --profile quick \
	  --study $$(for scale in $(EXAMPLE_SCORES)/*; do echo $$(basename $$scale)=$$scale; done)
	@echo "Reports: $$(ls -d $(CURDIR)/$(EXAMPLE_OUTPUT)/*.html | tr '\n' ' ')"

test: $(VENV)/.test-installed
	$(BIN)/python -m pytest

kills: $(VENV)/.test-installed
	$(BIN)/python -m tests.hostile.kills --kills 60

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.test-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs-installed
	rm -rf build/docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs/api build/docs
	@echo "Pages: $(CURDIR)/build/docs/index.html"

clean:
	rm -rf $(VENV) build
