# Two commands matter: `make demo` and `make test`. Each does all the set-up that it needs, in .venv and .datamaster.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE :=
# IPython would put the packages of the shell's own environment before those of .venv.
unexport VIRTUAL_ENV
SHELL := /bin/bash
# Python compiles what it imports; pip would compile all that is installed.
export PIP_NO_COMPILE := 1
# tests at a time: a process for each core, at least two, at most four
PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(min(4, max(2, os.cpu_count() or 2)))')
FORMATTED := nbs tests tools benchmarks templates setup.py
PARALLEL := -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

.PHONY: demo test workspace connect oldest setup lock wheel tools infra notebooks hooks clean-notebooks export check fast docs pictures readme bench bench-peers clean help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-16s %s\n", $$1, $$2}'

$(STAMP): settings.ini setup.py pyproject.toml tools/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint tools/constraints.txt --editable '.[local,forms,dev]'
	touch $@

setup: $(STAMP)  ## install everything into .venv, and Delta's jars into .datamaster
	$(BIN)/datamaster doctor --install

wheel: $(STAMP)  ## the wheel, and the list of what it is made of, into dist/
	$(BIN)/python tools/sbom.py

lock: $(STAMP)  ## bring tools/constraints.txt and the hashed requirements of the workflows up to date
	rm -rf .datamaster/lock && $(PYTHON) -m venv .datamaster/lock
	.datamaster/lock/bin/python -m pip install --quiet --editable '.[local,forms,dev]'
	(head -1 tools/constraints.txt; .datamaster/lock/bin/python -m pip freeze --exclude-editable) > .datamaster/constraints.txt && mv .datamaster/constraints.txt tools/constraints.txt
	$(BIN)/python tools/lock.py

tools: $(STAMP)  ## Terraform, its providers, tflint, checkov and actionlint into .datamaster, Chromium and the broker of the tests, where they are missing
	$(BIN)/python tools/terraform.py
	$(BIN)/python tools/actionlint.py
	$(BIN)/python tools/chromium.py
	$(BIN)/python tools/kafka_broker_jars.py

infra: tools  ## the checks and tests of infra/ alone
	$(BIN)/python -m pytest tests/setup/test_infra.py

demo: setup  ## sample contracts and raw files -> Delta tables, executed notebooks and a report
	$(BIN)/datamaster contract lint contracts
	$(BIN)/datamaster demo .

test: setup tools check  ## every check and every test
	$(BIN)/python -m pytest $(PARALLEL)

workspace: setup  ## a workspace for tests on this machine, which runs what is submitted; Ctrl-C ends it
	$(BIN)/python tests/servers/workspace serve

connect: setup  ## every test that uses the Spark session once more, through Spark Connect
	DATAMASTER_CONNECT=1 $(BIN)/python -m pytest $(PARALLEL) -m 'spark and not slow' --junit-xml runs/connect.xml

oldest: setup  ## the tests of readers, rules and ingest on Spark 4.0 and Delta 4.0, the oldest runtime that is supported
	$(BIN)/python tools/oldest_runtime.py

fast: $(STAMP) check  ## the checks, and the tests that start no Spark and no server
	$(BIN)/python -m pytest $(PARALLEL) -m 'not spark and not server and not slow'

check: $(STAMP)  ## notebooks clean and exported, lint, types, import rules, README
	$(BIN)/python tools/check_notebooks.py
	$(BIN)/python tools/check_names.py
	$(BIN)/ruff check . && $(BIN)/ruff format --check -q $(FORMATTED)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/nbdev_test --n_workers 2

notebooks: $(STAMP)  ## bring notebooks and their text twins in _txt/ together; the newer side wins
	shopt -s globstar nullglob; $(BIN)/jupytext --sync nbs/*.ipynb nbs/**/*.ipynb

export: $(STAMP)  ## write datamaster_kit/ and README.md from the notebooks
	$(BIN)/ruff format -q $(FORMATTED)
	$(BIN)/nbdev_clean && $(BIN)/python tools/export.py && $(BIN)/python tools/readme.py

hooks: $(STAMP)  ## run the checks of the notebooks before every commit
	printf '#!/bin/sh\nexec make --no-print-directory -s check-notebooks\n' > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit

.PHONY: check-notebooks
check-notebooks: $(STAMP)
	$(BIN)/python tools/check_notebooks.py

bench: setup  ## ingest against its floor and as it grows, as a table; takes a while
	$(BIN)/python -m pip install --quiet tpchgen-cli==4.0.0
	$(BIN)/python benchmarks/ingest.py

bench-peers: setup  ## ingest beside its peers, each in an environment of its own, into docs/speed-peers.md; takes a while
	$(BIN)/python -m pip install --quiet tpchgen-cli==4.0.0
	$(BIN)/python benchmarks/peers.py --output docs/speed-peers.md

pictures: setup  ## the pictures of README, taken anew of a demo
	$(BIN)/python tools/chromium.py
	$(BIN)/datamaster demo .datamaster/demo
	$(BIN)/python tools/pictures.py .datamaster/demo

docs: $(STAMP)  ## build the documentation into _site/, without a network
	$(BIN)/python tools/docs.py

clean:  ## remove what was built, and the local lakehouse
	rm -rf .datamaster runs _site _proc _docs build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
