#!/usr/bin/env bash
# Parses proto/asyncapi.yaml with the reference parser of the version given, installed under build/ when it is not there.
set -euo pipefail
folder=$PWD/build/proto/node
wanted=$1
found=$(node -p "require('$folder/node_modules/@asyncapi/parser/package.json').version" 2>/dev/null || true)
if [ "$found" != "$wanted" ]; then
  echo "contracts: installing @asyncapi/parser $wanted"
  mkdir -p "$folder"
  npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix "$folder" "@asyncapi/parser@$wanted"
fi
node proto/tools/check_asyncapi.mjs "$folder" proto/asyncapi.yaml
