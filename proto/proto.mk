# Contracts: stubs, catalogue and their checks. Included by the Makefile at the root.
.PHONY: proto proto-check topics contracts

proto: setup  ## typed Python stubs anew from proto/**/*.proto into proto/python
	@$(PY) proto/tools/generate.py

proto-check: setup  ## fails when the committed stubs are not what the .proto files make
	@$(PY) proto/tools/generate.py --check
