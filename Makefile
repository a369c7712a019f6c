# `make` prints every target with its sentence; proto/, tests/ and infra/local/ add theirs by the -include lines.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv

.PHONY: help setup lock up down wipe status

help:  ## every target, one line each
	@printf 'Switchlog: a contact centre whose truth is a log.\n\n'
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## .venv at the root, from requirements.lock, with every distribution of this repository in it
	@bash infra/local/setup.sh

COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)
lock:  ## requirements.lock anew from requirements.in (UPGRADE=1 takes newer versions)
	@[ -x $(UV) ] || { python3 -m venv $(VENV) && $(PY) -m pip install --quiet --disable-pip-version-check uv; }
	@for set in requirements tests/benchmarks/requirements; do echo "lock: $$set.lock"; $(COMPILE) $$set.in -o $$set.lock; done

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
