"""Compiles the pure half of routing with mypyc: ``python services/routing/compile.py TARGET`` makes TARGET/routing.

That is a copy of the package with extension modules beside its sources; ``PYTHONPATH=TARGET`` runs it in place of the
sources, to see what compiling brings. It is an experiment, not for a service: ``simulate``, the benchmarks and a day's
chapter give the same bytes, but ``why`` and ``what-if`` copy boards, which mypyc's frozen dataclasses refuse
(``deepcopy``). Nothing depends on it.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from mypyc.build import mypycify
from setuptools import setup

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The shell's half that runs once for every fact, beside all of the domain.
HOT = ("app/deadlines.py", "app/paper/engine.py", "app/paper/floor.py", "app/paper/stays.py", "app/paper/world.py")
MYPY = """[mypy]
python_version = 3.11
explicit_package_bases = True
namespace_packages = True
mypy_path = {target}:{root}/libs/common:{root}/proto/python
follow_imports = silent
"""


def main(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HERE / "routing", target / "routing", ignore=ignored)
    (target / "mypy.ini").write_text(MYPY.format(target=target, root=ROOT))
    os.chdir(target)  # module names follow from where the files are named from
    files = [*map(str, sorted(Path("routing/domain").rglob("*.py"))), *(f"routing/{name}" for name in HOT)]
    options = ["--config-file=mypy.ini", f"--cache-dir={target}/cache"]
    modules = mypycify([*options, *files], opt_level="3", debug_level="0")
    build = ["--quiet", "build_ext", "--inplace", "--parallel", str(len(os.sched_getaffinity(0)))]
    setup(name="routing-compiled", packages=[], ext_modules=modules, script_args=build)
    shutil.rmtree(target / "build")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
