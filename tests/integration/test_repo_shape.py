"""House rules that no linter knows: where things lie, who may read what, and what must never be committed."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"api", "rpc", "bus", "projections", "adapters", "app", "domain"}
FILES = {"__init__.py", "__main__.py", "config.py", "wiring.py", "metrics.py", "wire.py", "py.typed"}
READS_ENVIRONMENT = {"__main__.py", "config.py"}
IMPURE = {
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "sqlite3",
    "subprocess",
    "threading",
    "time",
}
# with ~ for a stroke and for a dot, or this file would break its own rules
MACHINE_PATH = re.compile(r"(?<![\w.])~(?:work|root|home~\w+|Users~\w+)~[\w.]".replace("~", "/"))
REGISTRY = re.compile(
    "|".join(
        host.replace("~", r"\.")
        for host in (
            *("registry~npmjs~org", "registry~yarnpkg~com", "pypi~org", "pythonhosted~org"),
            *("repo1?~maven~", "maven~org", "proxy~golang~org", "static~crates~io"),
        )
    )
)


@cache
def tracked() -> tuple[Path, ...]:
    """Every committed file that is still there."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = (ROOT / name for name in listing.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path.relative_to(ROOT), path.read_text()
        except UnicodeDecodeError:
            continue


def services() -> list[Path]:
    """The package folders of the services."""
    names = {path.relative_to(ROOT).parts[1] for path in tracked() if path.is_relative_to(ROOT / "services")}
    return [ROOT / "services" / name / name for name in sorted(names) if (ROOT / "services" / name).is_dir()]


def modules(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in tracked():
        if path.suffix == ".py" and path.is_relative_to(folder):
            yield path, ast.parse(path.read_text(), str(path))


def imports(path: Path, tree: ast.Module, package: Path) -> Iterator[str]:
    """Absolute names of what a module imports; relative imports resolved."""
    here = (package.name, *path.relative_to(package).with_suffix("").parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: -node.level]) if node.level else ""
            stem = ".".join(filter(None, (base, node.module)))
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def findings(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {found[0]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := pattern.search(line))
    ]


def test_there_is_something_to_check():
    assert len(tracked()) > 50
    assert services()


def test_no_file_is_a_drawer():
    assert [str(path) for path in tracked() if path.name in ("utils.py", "util.py", "helpers.py")] == []


def test_no_service_makes_its_tests_a_package():
    """All would be called ``tests``, and of two test files of one name only the first would run."""
    assert list(ROOT.glob("services/*/tests/__init__.py")) == []


def test_no_path_of_somebodys_machine_is_committed():
    assert findings(MACHINE_PATH) == []


def test_no_registry_host_is_committed():
    assert findings(REGISTRY) == []


@pytest.mark.parametrize("text", ["see ~work~main", "'~root~.cache'", "~home~ann~x", "file:~~~Users~ann~x"])
def test_the_path_rule_finds_paths(text: str):
    assert MACHINE_PATH.search(text.replace("~", "/"))


@pytest.mark.parametrize("text", ["a~work~b", "framework~x", "~v1~agents~me", "the ~root of it", "services~routing~"])
def test_the_path_rule_leaves_others_alone(text: str):
    assert not MACHINE_PATH.search(text.replace("~", "/"))


@pytest.mark.parametrize("host", ["https://registry~npmjs~org/x", "files~pythonhosted~org", "repo1~maven~org/maven2"])
def test_the_host_rule_finds_hosts(host: str):
    assert REGISTRY.search(host.replace("~", "."))


def test_every_service_has_the_same_rooms():
    strange = [
        str(path.relative_to(ROOT))
        for package in services()
        for path in tracked()
        if path.is_relative_to(package) and not _known(path.relative_to(package))
    ]
    assert strange == []


def test_every_service_is_a_distribution_with_a_readme():
    wanted = [package.parent / name for package in services() for name in ("README.md", "pyproject.toml")]
    assert [str(path.relative_to(ROOT)) for path in wanted if not path.exists()] == []


def test_only_the_entrance_reads_the_environment():
    readers = {
        str(path.relative_to(ROOT))
        for package in services()
        for path, tree in modules(package)
        if path.name not in READS_ENVIRONMENT and _reads_environment(tree)
    }
    assert readers == set()


def test_only_the_doors_know_protobuf():
    """wire translates facts, rpc answers calls, adapters make them; wiring may plug a client in."""
    knowers = {
        f"{path.relative_to(ROOT)}: {name}"
        for package in services()
        for path, tree in modules(package)
        for name in imports(path, tree, package)
        if "_pb2" in name and not _door(path.relative_to(package), name)
    }
    assert knowers == set()


def test_a_rule_book_knows_the_language_and_the_decider_only():
    pure = sys.stdlib_module_names - IMPURE
    foreign = [
        f"{path.relative_to(ROOT)}: {name}"
        for package in services()
        for path, tree in modules(package / "domain")
        for name in imports(path, tree, package)
        if name.split(".")[0] not in pure and not name.startswith((f"{package.name}.domain", "switchlog.decider"))
    ]
    assert foreign == []


def _known(inside: Path) -> bool:
    return inside.parts[0] in (ROOMS if len(inside.parts) > 1 else FILES)


def _door(inside: Path, name: str) -> bool:
    return inside.parts[0] in ("wire.py", "rpc", "adapters") or (inside.name == "wiring.py" and "_pb2_grpc" in name)


def _reads_environment(tree: ast.Module) -> bool:
    return any(
        (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"))
        or (isinstance(node, ast.ImportFrom) and any(alias.name in ("environ", "getenv") for alias in node.names))
        for node in ast.walk(tree)
    )
