.PHONY: bench
bench: setup  ## every benchmark with its ceiling beside it, figures in build/bench (ONLY=kernel, STORE=sqlite, QUICK=1)
	@ONLY='$(ONLY)' STORE='$(STORE)' PYTHONPATH=tests $(PY) -m benchmarks
