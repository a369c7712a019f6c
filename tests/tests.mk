.PHONY: bench
bench: setup  ## every benchmark with its ceiling beside it, figures in build/bench (ONLY=kernel, STORE=sqlite, QUICK=1)
	@ONLY='$(ONLY)' STORE='$(STORE)' PYTHONPATH=tests $(PY) -m benchmarks

.PHONY: compiled
compiled: setup  ## an experiment: routing's pure half as extension modules in build/compiled (needs a C compiler)
	@$(PY) services/routing/compile.py build/compiled

.PHONY: faults
faults: setup  ## kill -9 and outages, then every promise is checked, figures in build/faults (STORE=cassandra, KILLS=10 a crash point, ONLY=broker)
	@STORE='$(STORE)' KILLS='$(KILLS)' ONLY='$(ONLY)' PYTHONPATH=tests $(PY) -m faults

.PHONY: verify-figures
verify-figures: setup  ## live figures against a batch recomputation of what the topics hold (of the STORE used last); differences must be 0
	@PYTHONPATH=tests $(PY) -m verification
