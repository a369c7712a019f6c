# `make` prints every target with its sentence; proto/, tests/ and infra/local/ add theirs by the -include lines.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv

.PHONY: help setup lock lint types test up down wipe status

help:  ## every target, one line each
	@printf 'Switchlog: a contact centre whose truth is a log.\n\n'
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## .venv at the root, from requirements.lock, with every distribution of this repository in it
	@bash infra/local/setup.sh

COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)
lock:  ## requirements.lock anew from requirements.in (UPGRADE=1 takes newer versions)
	@[ -x $(UV) ] || { python3 -m venv $(VENV) && $(PY) -m pip install --quiet --disable-pip-version-check uv; }
	@for set in requirements tests/benchmarks/requirements; do echo "lock: $$set.lock"; $(COMPILE) $$set.in -o $$set.lock; done

lint: setup  ## ruff (rules and format) and who may import whom
	@echo 'lint: rules' && $(VENV)/bin/ruff check --quiet --output-format concise .
	@echo 'lint: format' && $(VENV)/bin/ruff format --check --quiet . || { echo 'lint: the files above are not formatted: $(VENV)/bin/ruff format .' >&2; exit 1; }
	@echo 'lint: imports' && mkdir -p build && $(PY) tests/layering.py >build/importlinter.ini && $(VENV)/bin/lint-imports --no-logo --cache-dir build/import-linter build/importlinter.ini

TYPED = libs/common/switchlog infra/local/switchlog_local $(wildcard $(foreach name,$(notdir $(wildcard services/*)),services/$(name)/$(name)))
types: setup  ## mypy --strict outside tests and generated code
	@$(VENV)/bin/mypy --cache-dir build/mypy $(TYPED)

test: setup  ## every test over Kafka and SQLite (STORE=cassandra: over Cassandra; ONLY=routing: one part, without servers; ARGS='-k word')
	@STORE='$(STORE)' ONLY='$(ONLY)' $(PY) tests/run.py $(ARGS)

LOCAL = $(PY) -m switchlog_local
STORE_OPTION = $(if $(STORE),--store $(STORE))
up: setup  ## Kafka, and Cassandra with STORE=cassandra, on this machine, data under build/ (ONLY=kafka for Kafka alone)
	@$(LOCAL) up $(STORE_OPTION) $(if $(ONLY),--only $(ONLY))

down: setup  ## stop them; data stay
	@$(LOCAL) down $(STORE_OPTION) $(if $(ONLY),--only $(ONLY))

wipe: setup  ## stop them and empty what they and the services keep (STORE=... for one store's)
	@$(LOCAL) wipe $(STORE_OPTION)

status: setup  ## what runs
	@$(LOCAL) status $(STORE_OPTION)

-include proto/proto.mk tests/tests.mk infra/local/demo.mk
