"""Makes the Python stubs in proto/python from the .proto files, or checks that the committed ones are fresh."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc_tools  # type: ignore[import-untyped]

PROTO = Path(__file__).resolve().parent.parent
STUBS = PROTO / "python"
FRESH = PROTO.parent / "build" / "proto" / "python"
SOURCES = (PROTO, PROTO / "third_party")
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def proto_files() -> list[str]:
    """Every .proto file by the name it is imported by, ordered."""
    ours = (path.relative_to(PROTO) for path in (PROTO / "contactcenter").rglob("*.proto"))
    theirs = (path.relative_to(SOURCES[1]) for path in SOURCES[1].rglob("*.proto"))
    return sorted(str(path) for path in (*ours, *theirs))


def generate(out: Path) -> None:
    """Writes all stubs under ``out``; raises ``CalledProcessError`` when a file does not compile."""
    out.mkdir(parents=True, exist_ok=True)
    files = proto_files()
    with_services = [name for name in files if name.endswith(("service.proto", "event_log.proto"))]
    protoc(files, f"--python_out={out}", f"--mypy_out=quiet:{out}")
    protoc(with_services, f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}")
    for package in _packages(out):
        (package / "__init__.py").touch()
    for root in ("contactcenter", "buf"):
        (out / root / "py.typed").touch()


def protoc(files: list[str], *outputs: str) -> None:
    """Runs protoc on ``files`` with the options ``outputs``; raises ``CalledProcessError``."""
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    includes = [f"-I{path}" for path in (*SOURCES, well_known)]
    # the plugins are beside this interpreter, whether or not its environment is activated
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "grpc_tools.protoc", *includes, *outputs, *files]
    subprocess.run(command, check=True, env={**os.environ, "PATH": path})


def _packages(out: Path) -> Iterator[Path]:
    for root in ("contactcenter", "buf"):
        yield out / root
        yield from (path for path in (out / root).rglob("*") if path.is_dir() and path.name != "__pycache__")


def generated(out: Path) -> set[Path]:
    """The generated files under ``out``, relative to it."""
    found = (path for path in out.rglob("*") if path.is_file() and path.name.endswith(SUFFIXES))
    return {path.relative_to(out) for path in found}


def drift() -> list[str]:
    """What differs between the committed stubs and fresh ones, one sentence each; empty when nothing does."""
    shutil.rmtree(FRESH, ignore_errors=True)
    generate(FRESH)
    fresh, stored = generated(FRESH), generated(STUBS)
    missing = [f"{path} is missing" for path in sorted(fresh - stored)]
    stale = [f"{path} has no .proto file any more" for path in sorted(stored - fresh)]
    both = sorted(fresh & stored)
    changed = [f"{path} differs" for path in both if not filecmp.cmp(FRESH / path, STUBS / path, shallow=False)]
    return missing + stale + changed


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        found = drift()
        print("\n".join([*found, "stubs differ from the .proto files: make proto"] if found else ["stubs are fresh"]))
        return 1 if found else 0
    for path in generated(STUBS):
        (STUBS / path).unlink()
    generate(STUBS)
    print(f"proto: {len(generated(STUBS))} files in proto/python")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
