# make run | test | lint | bench: each sets up .venv first when it is missing or out of date.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test lint bench

run: $(VENV)/.installed
	$(BIN)/python train.py --config=configs/sentiment_sum.py
	$(BIN)/python eval.py --workdir=runs/sentiment_sum

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.limits
	$(BIN)/python -m benchmarks.sentiment
	$(BIN)/python -m benchmarks.sentiment --vocabulary=200k
	$(BIN)/python -m benchmarks.sentiment --vocabulary=2m
	$(BIN)/python -m benchmarks.mnist
	$(BIN)/python -m benchmarks.categorical
	$(BIN)/python -m benchmarks.order
	$(BIN)/python -m benchmarks.seeds
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.big_table
	$(BIN)/python -m benchmarks.compile
	$(BIN)/python -m benchmarks.step_profile
	$(BIN)/python -m benchmarks.combiners
	$(BIN)/python -m benchmarks.sweeps
	$(BIN)/python -m benchmarks.folding
	$(BIN)/python -m benchmarks.vector_sums
	$(BIN)/python -m benchmarks.skip_gram
	$(BIN)/python -m benchmarks.nearest

$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "error: Python 3.11 to 3.13 is needed, $$($(PYTHON) --version) found; choose one: make PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed pyproject.toml
	$(PIP) --constraint requirements.txt --editable '.[bench]'
	@touch $@
