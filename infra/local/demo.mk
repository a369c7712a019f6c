.PHONY: demo

demo: setup  ## the whole contact centre with simulated people, until Ctrl-C (STORE=cassandra DEMO_SECONDS= DEMO_RATE= DEMO_AGENTS=)
	@STORE=$(or $(STORE),sqlite) $(PY) -m switchlog_local.demo
