.PHONY: demo

STORE ?= sqlite
demo: setup  ## the whole contact centre with simulated people, until Ctrl-C (STORE=cassandra DEMO_SECONDS= DEMO_RATE= DEMO_AGENTS=)
	@STORE=$(STORE) $(PY) -m switchlog_local.demo
