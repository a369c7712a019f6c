"""`python -m switchlog_local.demo`: the contact centre with people in it, until Ctrl-C or for a number of seconds."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from switchlog_local.demo.plan import Options
from switchlog_local.demo.run import demo
from switchlog_local.errors import LocalError
from switchlog_local.stores import Store

app = App(name="switchlog_local.demo", help="Everything on this machine: Kafka, every service, simulated people.")


@app.default
def main(
    *,
    store: Annotated[Store, Parameter(env_var="STORE")] = Store.SQLITE,
    seconds: Annotated[float, Parameter(env_var="DEMO_SECONDS")] = 0,
    rate: Annotated[float, Parameter(env_var="DEMO_RATE")] = 20,
    agents: Annotated[int, Parameter(env_var="DEMO_AGENTS")] = 12,
    contact_seconds: Annotated[float, Parameter(env_var="DEMO_CONTACT_SECONDS")] = 20,
    picture: Annotated[Path | None, Parameter(env_var="DEMO_PICTURE")] = None,
) -> int:
    """Run the demo.

    Parameters
    ----------
    store
        Where the services keep their events: sqlite or cassandra.
    seconds
        Stop by itself after so many seconds; 0 runs until Ctrl-C.
    rate
        Contacts a minute.
    agents
        How many simulated agents sign in.
    contact_seconds
        Mean length of a conversation.
    picture
        Where to draw the last page, as SVG.
    """
    return asyncio.run(demo(Options(store, seconds, rate, agents, contact_seconds, picture)))


if __name__ == "__main__":
    try:
        sys.exit(app())
    except LocalError as error:
        sys.exit(f"demo: {error}")
