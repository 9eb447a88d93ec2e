# Two commands: `make demo` and `make test`. Everything else is a step of theirs.
SHELL := /bin/bash
FIT := import sys; sys.exit(not (3, 11, 2) <= sys.version_info[:3] < (3, 13))
PYTHON ?= $(shell for one in python3.11 python3.12 python3; do $$one -c "$(FIT)" 2>/dev/null && echo $$one && break; done)
VENV := .venv
# two processes for tests that start none of their own; `make test TWO=` for one after the other
TWO := -n 2 --dist loadfile
ALONE := not processes and not ray and not e2e and not nightly
BIN := $(VENV)/bin
export RAY_USAGE_STATS_ENABLED := 0
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export ORT_DISABLE_TELEMETRY := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup weights demo test check lint mlflow clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-10s %s\n", $$1, $$2}'

setup: $(VENV)/.done  ## the environment in .venv, exact pins

$(VENV)/.done: pyproject.toml constraints.txt
	@$(PYTHON) -c "$(FIT)" 2>/dev/null || { echo "setup wants Python 3.11 (3.11.2 or later) or 3.12, not \
	$$($(PYTHON) --version 2>&1 || true): install one, or name one: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==0.13.9"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --editable ".[demo,dev]"
	touch $@

weights: setup   ## the embedded weights, sha256 checked
	$(BIN)/playmate weights pull

demo: weights    ## all stages on the embedded corpora, then what was made
	$(BIN)/dvc repro
	$(BIN)/playmate summary

test: weights    ## the tests, with a smoke run of the whole pipeline
	$(BIN)/python -m pytest $(TWO) -m "$(ALONE)"
	$(BIN)/python -m pytest -m "(processes or ray or e2e) and not nightly"

lint: setup      ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

check: weights   ## for the inner loop: lint, types, tests without Ray, media, processes and whole runs
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest $(TWO) -m "$(ALONE) and not slow and not media"

mlflow: setup    ## MLflow's page on http://127.0.0.1:5000
	$(BIN)/playmate tracking ui

clean: setup     ## deletes what the pipeline made (not the environment, the weights or anything of yours)
	$(BIN)/python -m playmate.outputs clean
