"""The same conversations on the `eventsourcing` package over SQLite; speaks JSON lines, runs in the opponents' venv.

A line `{"callers": n, "commands": n, "cache": bool}` is answered by `{"per_s": rate}`; the first line of all says how
the package has opened its file.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.sqlite import SQLiteDatastore

BODY = "0123456789abcdef" * 4


class Conversation(Aggregate):
    @event("Begun")
    def __init__(self) -> None:
        self.said = 0
        self.last = ""

    def say(self, message_id: str, body: str) -> None:
        if message_id != self.last:
            self._say(message_id=message_id, body=body)

    @event("Said")
    def _say(self, message_id: str, body: str) -> None:
        self.said += 1
        self.last = message_id


class Conversations(Application[UUID]):
    def begin(self, said: int) -> UUID:
        conversation = Conversation()
        for _ in range(said):
            conversation.say(uuid4().hex, BODY)
        self.save(conversation)
        return conversation.id

    def say(self, conversation_id: UUID) -> None:
        """Load, decide, append."""
        conversation: Conversation = self.repository.get(conversation_id)
        conversation.say(uuid4().hex, BODY)
        self.save(conversation)


def opened(file: str, cache: bool, streams: int, said: int) -> tuple[Conversations, list[UUID]]:
    more = {"AGGREGATE_CACHE_MAXSIZE": str(streams), "AGGREGATE_CACHE_FASTFORWARD": "n"} if cache else {}
    app = Conversations({"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": file, **more})
    return app, [app.begin(said) for _ in range(streams)]


def rate(app: Conversations, ids: list[UUID], callers: int, commands: int) -> float:
    def call(first: int) -> None:
        for n in range(first, commands, callers):
            app.say(ids[n % len(ids)])

    began = time.perf_counter()
    if callers == 1:
        call(0)
    else:
        with ThreadPoolExecutor(callers) as pool:
            list(pool.map(call, range(callers)))
    return commands / (time.perf_counter() - began)


def pragmas(app: Conversations) -> dict[str, str]:
    datastore: SQLiteDatastore = app.factory.datastore
    found = {}
    with datastore.transaction(commit=False) as cursor:
        for name in ("journal_mode", "synchronous"):
            cursor.execute(f"PRAGMA {name}")
            found[name] = str(cursor.fetchone()[0])
    return found


def main() -> None:
    file, streams, said = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    apps = {cache: opened(f"{file}.{cache}", cache, streams, said) for cache in (False, True)}
    print(json.dumps({"version": version("eventsourcing"), **pragmas(apps[False][0])}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        app, ids = apps[asked["cache"]]
        print(json.dumps({"per_s": rate(app, ids, asked["callers"], asked["commands"])}), flush=True)


if __name__ == "__main__":
    main()
