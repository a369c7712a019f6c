"""The import contracts are made by rule: here they are shown to bite."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LAYERING = Path(__file__).resolve().parents[1] / "layering.py"
GOOD = {
    "domain/rules.py": "import dataclasses\n",
    "app/handlers.py": "from shop.domain import rules\n",
    "api/routes.py": "from shop.app import handlers\n",
    "wiring.py": "from shop.api import routes\n",
    "__main__.py": "from shop import wiring\n",
    "wire.py": "from shop.domain import rules\n",
}


def broken_by(root: Path, **changes: str) -> list[str]:
    """The names of the contracts that two services, one of them changed so, break."""
    write(root, "shop", GOOD | changes)
    write(root, "bank", {"domain/rules.py": ""})
    (root / "tests").mkdir()
    shutil.copy(LAYERING, root / "tests" / "layering.py")
    contracts = subprocess.run(
        [sys.executable, "tests/layering.py"], cwd=root, capture_output=True, text=True, check=True
    )
    (root / "contracts.ini").write_text(contracts.stdout)
    code = (
        "import sys; sys.path[:0] = ['services/shop', 'services/bank']\n"
        "from importlinter.cli import lint_imports\n"
        "sys.exit(lint_imports(config_filename='contracts.ini', no_cache=True))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    broken = [line.removesuffix(" BROKEN") for line in done.stdout.splitlines() if line.endswith(" BROKEN")]
    assert done.returncode == bool(broken), done.stdout + done.stderr
    return broken


def write(root: Path, service: str, files: dict[str, str]) -> None:
    package = root / "services" / service / service
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    for folder in {package, *(path.parent for path in package.rglob("*.py"))}:
        (folder / "__init__.py").touch()
    (package.parent / "pyproject.toml").touch()


def test_a_service_in_order_keeps_every_contract(tmp_path):
    assert broken_by(tmp_path) == []


@pytest.mark.parametrize(
    "changed, contract",
    [
        ({"app/handlers.py": "from bank.domain import rules\n"}, "services do not know each other"),
        ({"app/handlers.py": "from shop.api import routes\n"}, "shop: the shell knows the core, never the other way"),
        ({"domain/rules.py": "from shop.app import handlers\n"}, "shop: the shell knows the core, never the other way"),
        ({"domain/rules.py": "import time\n"}, "shop: the rule book is pure"),
        ({"domain/rules.py": "from shop import wire\n", "wire.py": ""}, "shop: the rule book is pure"),
        ({"domain/rules.py": "import pydantic\n"}, "shop: the rule book is pure"),
    ],
    ids=[
        "another service",
        "app knows api",
        "domain knows app",
        "domain reads the clock",
        "domain knows wire",
        "library",
    ],
)
def test_a_breach_is_found(tmp_path, changed: dict[str, str], contract: str):
    assert contract in broken_by(tmp_path, **changed)
