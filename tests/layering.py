"""Prints import-linter's contracts for the packages there are: who may import whom, by rule instead of by list.

`make lint` runs it; a new service is covered from its first file on.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTEXTS = ROOT / "proto" / "python" / "contactcenter"
LAYERS = ("(__main__)", "(wiring)", "(api) : (rpc) : (bus) : (projections) : (adapters)", "(app)", "domain")
SHELL = ("__main__", "wiring", "api", "rpc", "bus", "projections", "adapters", "app", "wire", "config", "metrics")
IMPURE = (
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
)
FOREIGN = (
    *("aiokafka", "cassandra", "contactcenter", "cryptography", "fastapi", "faust", "google", "grpc", "httpx2"),
    *("msgspec", "obstore", "opentelemetry", "orjson", "pydantic", "pydantic_settings", "stamina", "structlog"),
    *("uuid_utils", "uvicorn", "yaml"),
)


def services() -> list[str]:
    """The services that can be installed."""
    return sorted(path.parent.name for path in ROOT.glob("services/*/*/__init__.py") if _is_service(path))


def contracts() -> Iterator[str]:
    """import-linter's configuration, piece by piece."""
    found = services()
    ours = [name for name in ("switchlog", "switchlog_local", "contactcenter") if _exists(name)]
    yield _section("importlinter", root_packages=[*ours, *found], include_external_packages=True)
    if len(found) > 1:
        yield _contract("services", "services do not know each other", "independence", modules=found)
    if len(ours) == 3:
        sentence = "the common library knows no service and no contract but the bus"
        yield _forbidden("common", sentence, ["switchlog"], [*found, "switchlog_local", *_contexts_but_bus()])
    if found and "switchlog_local" in ours:
        yield _forbidden("local", "no service leans on the laptop's servers", found, ["switchlog_local"])
    for service in found:
        yield from _of_service(service)


def _of_service(service: str) -> Iterator[str]:
    package = ROOT / "services" / service / service
    rooms = {path.stem for path in (*package.glob("*.py"), *(init.parent for init in package.glob("*/__init__.py")))}
    if "domain" not in rooms:
        return
    yield _contract(
        f"{service}-rooms",
        f"{service}: the shell knows the core, never the other way",
        "layers",
        containers=[service],
        layers=LAYERS,
    )
    shell = [f"{service}.{room}" for room in SHELL if room in rooms]
    yield _forbidden(
        f"{service}-domain", f"{service}: the rule book is pure", [f"{service}.domain"], [*shell, *IMPURE, *FOREIGN]
    )


def _is_service(init: Path) -> bool:
    return init.parent.name == init.parents[1].name and (init.parents[1] / "pyproject.toml").exists()


def _exists(name: str) -> bool:
    homes = {"switchlog": "libs/common", "switchlog_local": "infra/local", "contactcenter": "proto/python"}
    return (ROOT / homes[name] / name / "__init__.py").exists()


def _contexts_but_bus() -> list[str]:
    found = (path.parent.name for path in CONTEXTS.glob("*/__init__.py"))
    return sorted(f"contactcenter.{name}" for name in found if name != "bus")


def _forbidden(name: str, sentence: str, sources: list[str], targets: list[str]) -> str:
    return _contract(name, sentence, "forbidden", source_modules=sources, forbidden_modules=targets)


def _contract(name: str, sentence: str, kind: str, **values: object) -> str:
    return _section(f"importlinter:contract:{name}", name=sentence, type=kind, **values)


def _section(title: str, **values: object) -> str:
    return "\n".join([f"[{title}]", *(f"{key} ={_ini(value)}" for key, value in values.items()), ""])


def _ini(value: object) -> str:
    if isinstance(value, list | tuple):
        return "".join(f"\n    {item}" for item in value)
    return f" {value}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(contracts()))
