# Contracts: stubs, catalogue and their checks. Included by the Makefile at the root.
.PHONY: proto proto-check topics contracts proto-release

CONTRACT_TOOLS = $(PY) proto/tools
BUF = ../$(VENV)/bin/buf
ASYNCAPI_PARSER = 3.6.6
# images have no buf.yaml beside them, so the rules are said here
BREAKING = {"version":"v2","breaking":{"use":["FILE"]}}

proto: setup  ## typed Python stubs anew from proto/**/*.proto into proto/python, and golden bytes of what is new
	@$(CONTRACT_TOOLS)/generate_stubs.py
	@$(CONTRACT_TOOLS)/golden_bytes.py

proto-check: setup  ## fails when the committed stubs are not what the .proto files make
	@$(CONTRACT_TOOLS)/generate_stubs.py --check

topics: setup  ## proto/TOPICS.md and proto/asyncapi.yaml anew from the contracts
	@$(CONTRACT_TOOLS)/contract_docs.py

contracts: proto-check  ## the contracts' rules: drift, lint, data classes, breaking changes, catalogue, AsyncAPI
	@$(VENV)/bin/ruff check --quiet proto/python/contactcenter/{catalogue,topics}.py
	@cd proto && $(BUF) format --diff --exit-code && $(BUF) lint && echo 'contracts: buf lint is content'
	@$(CONTRACT_TOOLS)/contract_lint.py
	@mkdir -p build/proto && cd proto && $(BUF) build -o ../build/proto/current.binpb
	@cd proto && $(BUF) breaking ../build/proto/current.binpb --against released.binpb --path contactcenter --config '$(BREAKING)'
	@echo 'contracts: nothing breaks proto/released.binpb'
	@$(CONTRACT_TOOLS)/contract_docs.py --check
	@if command -v npm >/dev/null; then bash proto/tools/check_asyncapi.sh $(ASYNCAPI_PARSER); \
	else echo 'contracts: asyncapi.yaml not parsed, there is no npm here'; fi

proto-release: setup  ## proto/released.binpb anew: only together with an entry in proto/CHANGELOG.md (prints its digest)
	@cd proto && $(BUF) build --exclude-source-info -o released.binpb && sha256sum released.binpb
