#!/usr/bin/env bash
# Makes .venv what requirements.lock says, with every distribution of this repository installed editable. Called by `make setup`.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=.venv python="${PYTHON:-python3}"
export VIRTUAL_ENV="$PWD/$venv"
ours=() # our own distributions
for file in libs/common proto/python infra/local services/*; do [ -f "$file/pyproject.toml" ] && ours+=("$file"); done

want="$(cat requirements.lock "${ours[@]/%//pyproject.toml}" | cksum) $PWD ${ours[*]}"
if [ "$(cat "$venv/setup.stamp" 2>/dev/null)" = "$want" ]; then echo "setup: $venv is up to date"; exit 0; fi

if ! [ -x "$venv/bin/python" ]; then
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: $python is older than 3.11; name a newer one: make setup PYTHON=python3.12" >&2; exit 1; }
  echo "setup: making $venv with $("$python" --version)"
  "$python" -m venv "$venv"
fi
uv="$(sed -n 's/^uv==\([^ ;]*\).*/\1/p' requirements.lock)"
if [ "$("$venv/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" != "$uv" ]; then
  echo "setup: uv $uv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv"
fi
echo "setup: $(grep -c '^[a-z].*==' requirements.lock) packages of requirements.lock"
"$venv/bin/uv" pip install --quiet --no-deps -r requirements.lock # first: the build backend of our own is among them
echo "setup: our own: ${ours[*]}"
mkdir -p build
printf -- '-e ./%s\n' "${ours[@]}" >build/workspace.txt
"$venv/bin/uv" pip sync --quiet --no-build-isolation requirements.lock build/workspace.txt
printf '%s' "$want" >"$venv/setup.stamp"
echo "setup: ready: $venv/bin/python"
