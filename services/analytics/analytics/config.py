"""What this service is told, read once from the environment by ``__main__``."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from switchlog.config import PORTS, ConfigError, KernelSettings, kernel_settings

SERVICE = "analytics"
BYTES_PER_S = 16 * 1024 * 1024
AS_OF_RECORDS = 1_000_000
ALERT_DAYS = 90
AS_OF_DAYS = 31
_STATE = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")


@dataclass(frozen=True, slots=True)
class Settings:
    """``replica`` names this process among its equals and stays the same over restarts (static membership).

    ``state`` names the stored rows: a rebuild goes under a new name beside the old one. ``time_zone`` is a tenant's
    whose pools have not said theirs. ``topic`` is where pools' facts are read: theirs, or a private one that they were
    replayed into; so the other topics, not read when empty. Feeds are read at ``feed_bytes_per_s`` a tenant;
    ``feed_attributes`` are declared as not personal. A question as of an instant folds ``as_of_records`` at most; with
    ``as_of_days`` rows are kept as they stood, so long, and folded on from there.
    Alerts are listed until ``alert_days`` after they were cleared.
    """

    kernel: KernelSettings
    replica: str
    state: str = "s2"
    time_zone: str = "Asia/Shanghai"
    topic: str = "routing.events.v1"
    contact_topic: str = "contact.events.v1"
    agent_topic: str = "agent.events.v1"
    ticket_topic: str = "ticket.events.v1"
    feed_topic: str = "external.events.v1"
    feed_bytes_per_s: int = BYTES_PER_S
    feed_attributes: frozenset[str] = frozenset()
    as_of_records: int = AS_OF_RECORDS
    as_of_days: int = AS_OF_DAYS
    alert_days: int = ALERT_DAYS

    @property
    def group(self) -> str:
        return f"analytics-figures-{self.state}"


def settings(env: Mapping[str, str]) -> Settings:
    """Pure; raises ``ConfigError`` naming the variable that is wrong."""
    state = checked_state(env.get("ANALYTICS_STATE") or "s2")
    pools, contacts, agents, tickets = _topics(env)
    return Settings(
        kernel_settings(env, SERVICE, PORTS[SERVICE]),
        env.get("ANALYTICS_REPLICA") or socket.gethostname(),
        state,
        _zone(env.get("ANALYTICS_TIME_ZONE") or "Asia/Shanghai"),
        pools,
        contacts,
        agents,
        tickets,
        feed_topic=env.get("ANALYTICS_FEED_TOPIC") or ("" if env.get("ANALYTICS_TOPIC") else "external.events.v1"),
        feed_bytes_per_s=_bytes(env.get("ANALYTICS_FEED_BYTES_PER_S") or str(BYTES_PER_S)),
        feed_attributes=frozenset((env.get("ANALYTICS_FEED_ATTRIBUTES") or "").replace(",", " ").split()),
        as_of_records=_whole("ANALYTICS_AS_OF_RECORDS", env, AS_OF_RECORDS),
        as_of_days=_whole("ANALYTICS_AS_OF_DAYS", env, AS_OF_DAYS),
        alert_days=_whole("ANALYTICS_ALERT_DAYS", env, ALERT_DAYS),
    )


def checked_state(name: str) -> str:
    """Raises ``ConfigError``."""
    if not _STATE.match(name):
        raise ConfigError(f"rows (ANALYTICS_STATE) have a short lower-case name such as s3, not {name!r}")
    return name


def _topics(env: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Of pools, contacts, agents, tickets; who reads replayed pools reads nothing else but what is named too."""
    private = env.get("ANALYTICS_TOPIC")

    def of(what: str) -> str:
        return env.get(f"ANALYTICS_{what.upper()}_TOPIC") or ("" if private else f"{what}.events.v1")

    return private or "routing.events.v1", of("contact"), of("agent"), of("ticket")


def _bytes(text: str) -> int:
    if not text.isdigit() or int(text) < 1024:
        raise ConfigError(f"ANALYTICS_FEED_BYTES_PER_S must be a number from 1024 on, not {text!r}")
    return int(text)


def _whole(name: str, env: Mapping[str, str], default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdigit():
        raise ConfigError(f"{name} must be a whole number, not {text!r}")
    return int(text)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ConfigError(f"ANALYTICS_TIME_ZONE must be an IANA zone such as Asia/Shanghai, not {name!r}") from None
    return name
