"""``python -m analytics``: the service with all its roles, one role alone, or figures on the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from switchlog.cli import command_line

from . import wiring
from .adapters import exporting, feeding_files, printing, rebuilding, usual_rules
from .config import settings

app = command_line(
    "analytics",
    "Service levels and the other figures, live and by interval.",
    {
        "api": "HTTP and gRPC, from the stored rows.",
        "fold": "The Faust worker: facts into figures, service levels onto their topic.",
    },
    wiring.TOPICS,
    lambda: settings(os.environ),
    wiring.run,
)


@app.command
def figures(
    *,
    queue: str = "",
    channel: str = "",
    agent: str = "",
    team: str = "",
    from_: str = "",
    to: str = "",
    step: str = "30m",
    tz: str = "",
    attribution: str = "cohort",
    threshold: int = 20,
    formulas: str = "",
    group_by: str = "queue",
    compare: str = "",
    as_of: str = "",
    lang: str = "",
    json: bool = False,
    csv: bool = False,
    parquet: Path | None = None,
    url: str = "",
    token: str = "",
) -> int:
    """Figures by interval, as GET /v1/figures answers them: a table, --json, --csv or --parquet OUT, same names.

    With --csv and --parquet answers may be of any length; the days done of all are shown on stderr.

    Parameters
    ----------
    queue
        One or more queues, with commas between; all when not given. So --channel, --agent, --team.
    from_
        RFC 3339 with offset; the start of the local day when not given. Whole intervals are answered.
    step
        15m, 30m, 1h, 1d, 1w or 1mo, by local time.
    attribution
        cohort (by when contacts were queued) or event (by when it happened).
    threshold
        Seconds, one of the queue's thresholds.
    formulas
        Ids of formulas, with commas between; all when not given.
    group_by
        Any of queue,channel,agent,team; tenant: all in one row.
    compare
        previous: the period before, too.
    as_of
        RFC 3339 with offset: what had been recorded by then, at that time; folded anew, which may take a while.
    lang
        zh or en: head formulas by their labels in this language.
    parquet
        A file to be written, with typed columns.
    url
        Where the service answers; on this machine when not given.
    token
        A bearer token; SWITCHLOG_TOKEN when not given.
    """
    asked = {"queue": queue, "channel": channel, "agent": agent, "team": team, "from": from_, "to": to, "step": step}
    asked |= {"tz": tz, "attribution": attribution, "threshold": str(threshold), "formulas": formulas}
    asked |= {"compare": compare, "group_by": group_by or "tenant", "as_of": as_of}
    given = {name: value for name, value in asked.items() if value}
    where, known = _service(url, token)
    if csv or parquet:
        return exporting.command(where, known, given, parquet)
    return printing.printed(where, known, given, "json" if json else "table", lang)


@app.command
def alerts(
    *, open: bool = False, since: str = "", lang: str = "", json: bool = False, url: str = "", token: str = ""
) -> int:
    """Alerts, newest first: which figure left its range, by how much, and since when until when.

    Rules are defined by PUT /v1/alert-rules/{id}. 0: done; 1: the service is away; 2: refused.

    Parameters
    ----------
    open
        Only those that stand.
    since
        RFC 3339 with offset; 24 hours ago when not given.
    lang
        zh or en: figures by their labels in this language.
    json
        As GET /v1/alerts answers.
    url
        Where the service answers; on this machine when not given.
    token
        A bearer token; SWITCHLOG_TOKEN when not given.
    """
    where, known = _service(url, token)
    asked = {name: value for name, value in {"open": "true" if open else "", "since": since}.items() if value}
    return printing.alerts(where, known, asked, lang, as_json=json)


@app.command
def usual_alerts(*, url: str = "", token: str = "") -> int:
    """Put rules of alerts to begin with; those that are there already are left as they are.

    0: done; 1: the service is away; 2: refused.

    Parameters
    ----------
    url
        Where the service answers; on this machine when not given.
    token
        A bearer token of a supervisor or an admin; SWITCHLOG_TOKEN when not given.
    """
    return usual_rules.put(*_service(url, token))


@app.command
def feed(
    file: Path,
    *,
    mapping: Path | None = None,
    dry_run: bool = False,
    lateness: str = "",
    any_order: bool = False,
    json: bool = False,
    url: str = "",
    token: str = "",
) -> int:
    """Feed in somebody else's calls from a file: JSON lines, or a table described by a mapping.

    Rejected lines go to FILE.rejected.jsonl. When it breaks off, the same command goes on; when it is repeated, nothing
    is counted twice. 0: done; 1: the service is away; 2: refused.

    Parameters
    ----------
    file
        JSON lines, or a table (CSV) with --mapping.
    mapping
        A TOML file that says what the columns are; then the file may be in any order unless --lateness is given.
    dry_run
        Read and check everything, send nothing.
    lateness
        Lines come at most so late by the file's own time: 600, 90s, 10m, 2h; 10 minutes when not given.
    any_order
        The file is whole and may be in any order; nothing of it is final before its end.
    json
        The summary as JSON.
    url
        Where the service answers; on this machine when not given.
    token
        A bearer token of an admin or a service; SWITCHLOG_TOKEN when not given.
    """
    where, known = _service(url, token)
    any_order = any_order or (mapping is not None and not lateness)
    return feeding_files.command(file, mapping, dry_run, lateness or "10m", any_order, where, known, json)


@app.command
def rebuild(name: str) -> int:
    """Count all that the topics keep anew, as rows of another name, beside the running service; publishes nothing.

    The same command goes on where it broke off. 0: done; 1: something is away; 2: refused.

    Parameters
    ----------
    name
        A short lower-case name that is not in use, such as s3.
    """
    return rebuilding.rebuild(name, lambda told: wiring.rebuild(settings(os.environ), name, told))


@app.command
def switch(name: str) -> int:
    """Use the rows of another name, from the next start of each process on. Back: switch to the old name.

    Parameters
    ----------
    name
        What was rebuilt; refused while it is far behind.
    """
    return rebuilding.switch(name, lambda: wiring.switch(settings(os.environ), name))


def _service(url: str, token: str) -> tuple[str, str]:
    """Where the service answers, and with which token it is asked."""
    told = settings(os.environ).kernel
    return url or f"http://{told.http_host}:{told.http_port}", token or os.environ.get("SWITCHLOG_TOKEN", "")


if __name__ == "__main__":
    sys.exit(app())
