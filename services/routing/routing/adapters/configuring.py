"""``config apply`` and ``config export`` on the command line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import orjson
import yaml
from cyclopts import App

from switchlog.config import PORTS
from switchlog.errors import NotNow, Rejected

from ..app.applying import Plan, applied, planned
from ..app.configuration import Change, Json, Place
from .config_checks import Known
from .config_export import exported
from .config_files import config_of, shaped
from .owners import COLLECTIONS, Owners
from .progress import Tell, told_progress
from .telling import in_words
from .yaml_marks import Mistakes

DONE, FAILED, BAD_INPUT = 0, 1, 2
SERVICES = ("routing", "agent_state", "ingress_chat", "ingress_voice")
SIGNS = {"added": "+", "changed": "~", "removed": "-"}
# sections whose names a file may lead to
NAMED = {"pools": "pools", "queues": "queues", "skills": "skills", "hours": "hours", "workflows": "workflows"}
NAMED |= {"teams": "teams"}


def add_commands(app: App, env: Mapping[str, str]) -> None:
    """``config apply`` and ``config export`` become commands of ``app``."""
    config = App(name="config", help="A centre's configuration as a file.")

    @config.command
    def apply(
        file: Path,
        *,
        dry_run: bool = False,
        remove: bool = False,
        url: tuple[str, ...] = (),
        token: str = "",
        json: bool = False,
        progress: Literal["bar", "json", "none"] = "bar",
    ) -> int:
        """Show the difference to what stands, then send each part to its owner. Repeating it changes nothing.

        Parameters
        ----------
        file
            YAML: pools, queues, skills, policies, workflows, hours, entry_points, teams, targets, agents.
        dry_run
            Only show the difference.
        remove
            Also remove what the file does not name, of the sections that it has.
        url
            Where a service answers, such as routing=http://127.0.0.1:8103; once for each that is not on this machine.
        token
            A bearer token of an admin; SWITCHLOG_TOKEN when not given.
        """
        owners = Owners(addresses(url, env), token or env.get("SWITCHLOG_TOKEN", ""))
        with told_progress(progress, "parts") as tell:
            return _run(_apply(file, owners, tell, dry_run=dry_run, remove=remove, json=json))

    @config.command
    def export(*, out: Path | None = None, url: tuple[str, ...] = (), token: str = "") -> int:
        """What stands, as a file that config apply takes.

        Parameters
        ----------
        out
            Where to; standard output when not given.
        url
            As for config apply.
        token
            A bearer token of an admin; SWITCHLOG_TOKEN when not given.
        """
        return _run(_export(Owners(addresses(url, env), token or env.get("SWITCHLOG_TOKEN", "")), out))

    app.command(config)


def addresses(given: Sequence[str], env: Mapping[str, str]) -> dict[str, str]:
    """``service=address`` pairs over the ports of this machine; an address alone is routing's."""
    found = {name: f"http://127.0.0.1:{env.get(f'{name.upper()}_PORT') or PORTS[name]}" for name in SERVICES}
    for one in given:
        name, equals, address = one.partition("=")
        found |= {name: address.rstrip("/")} if equals else {"routing": one.rstrip("/")}
    return found


async def apply_file(file: Path, owners: Owners, tell: Tell, *, remove: bool = False) -> Plan:
    """What was sent. Raises ``Mistakes``, ``Rejected``, or ``NotNow`` also when the owners do not show it in time."""
    plan, wanted = await _planned(file, owners, remove=remove)
    await _send(plan, wanted, owners, tell)
    return plan


async def _send(plan: Plan, wanted: Mapping[Place, Json], owners: Owners, tell: Tell) -> None:
    left = await applied(plan, wanted, owners, COLLECTIONS, tell)
    if left.changes:
        shown = ", ".join(str(one.place) for one in left.changes[:5])
        raise NotNow("NOT_SEEN_YET", f"sent, but not to be seen yet: {shown}")


async def _planned(file: Path, owners: Owners, *, remove: bool) -> tuple[Plan, Mapping[Place, Json]]:
    read = await asyncio.to_thread(lambda: shaped(file.read_text()))  # before anybody is asked anything
    wanted = config_of(read, await _known(owners)).parts
    return await planned(wanted, owners, COLLECTIONS, remove=remove), wanted


async def _known(owners: Owners) -> Known:
    """The names that stand, by section of the file."""
    asked = [one for one in COLLECTIONS if one.name in NAMED and one.owner in ("routing", "agent_state")]
    found = await asyncio.gather(*(owners.standing(one) for one in asked))
    return Known({one.name: frozenset(place.id for place in places) for one, places in zip(asked, found, strict=True)})


async def _apply(file: Path, owners: Owners, tell: Tell, *, dry_run: bool, remove: bool, json: bool) -> int:
    async with owners:
        plan, wanted = await _planned(file, owners, remove=remove)
        sys.stdout.write(_as_json(plan, dry_run) if json else _as_text(plan))
        sys.stdout.flush()
        if plan.changes and not dry_run:
            await _send(plan, wanted, owners, tell)
    if not json:
        sys.stdout.write("nothing was sent\n" if dry_run or not plan.changes else "sent, and seen to stand\n")
    return DONE


async def _export(owners: Owners, out: Path | None) -> int:
    async with owners:
        found = await asyncio.gather(*(owners.standing(one) for one in COLLECTIONS))
    standing: dict[Place, Json] = {place: body for some in found for place, body in some.items()}
    text: str = yaml.safe_dump(exported(standing), allow_unicode=True, sort_keys=False, width=120)
    if out is None:
        sys.stdout.write(text)
    else:
        await asyncio.to_thread(out.write_text, text)
    return DONE


def _as_text(plan: Plan) -> str:
    lines = [line for change in plan.changes for line in _lines(change)]
    lines += [f"! {place} stays: its owner removes none" for place in plan.kept]
    counts = ", ".join(f"{sum(one.kind == kind for one in plan.changes)} {kind}" for kind in SIGNS)
    return "\n".join([*lines, f"{counts}, {plan.unchanged} as they stand"]) + "\n"


def _lines(change: Change) -> list[str]:
    told = [f"    {one.name}: {_value(one.after)}" for one in change.fields]
    if change.kind == "changed":
        told = [f"    {one.name}: {_value(one.before)} -> {_value(one.after)}" for one in change.fields]
    return [f"{SIGNS[change.kind]} {change.place}", *told]


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else orjson.dumps(value).decode()


def _as_json(plan: Plan, dry_run: bool) -> str:
    changes = [
        {"kind": one.kind, **asdict(one.place), "fields": [asdict(field) for field in one.fields]}
        for one in plan.changes
    ]
    kept = [asdict(place) for place in plan.kept]
    told = {"dry_run": dry_run, "changes": changes, "unchanged": plan.unchanged, "kept": kept}
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE).decode()


def _run(work: Coroutine[Any, Any, int]) -> int:
    try:
        return asyncio.run(work)
    except (Mistakes, OSError) as error:
        return _wrong(in_words(error), BAD_INPUT)
    except ExceptionGroup as several:
        return _wrong("\n".join(str(one) for one in several.exceptions), FAILED)
    except (Rejected, NotNow) as refusal:
        return _wrong(str(refusal), FAILED)


def _wrong(text: str, code: int) -> int:
    sys.stderr.write("".join(f"config: {line}\n" for line in text.splitlines()))
    return code
