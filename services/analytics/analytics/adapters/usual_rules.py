"""Rules of alerts to begin with, put over HTTP: those that are there already stay as somebody made them."""

from __future__ import annotations

import sys
from typing import Any

import httpx2

from .printing import away, refused

USUAL: dict[str, dict[str, Any]] = {
    "below-target": {
        "name": "service level below the queue's target",
        "figure": "sl_strict",
        "side": "below",
        "window": "30m",
        "at_least": 10,
        "for_s": 120,
        "clear_for_s": 120,
    },
    "waits-too-long": {
        "name": "somebody waits for more than five minutes",
        "figure": "longest_wait",
        "side": "above",
        "limit": 300,
        "clear": 180,
        "window": "15m",
        "for_s": 10,
    },
    "many-wait": {
        "name": "more than 20 wait",
        "figure": "queue_depth",
        "side": "above",
        "limit": 20,
        "clear": 10,
        "window": "15m",
        "for_s": 30,
    },
    "many-abandon": {
        "name": "more than one in ten give up",
        "figure": "abandon_rate_queued",
        "side": "above",
        "limit": 0.1,
        "clear": 0.05,
        "window": "1h",
        "at_least": 20,
        "for_s": 120,
        "clear_for_s": 300,
    },
    "team-overloaded": {
        "name": "a team is busy for more than nine tenths of its time",
        "figure": "occupancy",
        "side": "above",
        "limit": 0.9,
        "clear": 0.85,
        "per": "team",
        "window": "1h",
        "at_least": 10,
        "for_s": 300,
        "clear_for_s": 300,
    },
}


def put(url: str, token: str) -> int:
    """0: done; 1: the service is away; 2: refused."""
    try:
        with httpx2.Client(
            base_url=url, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=30
        ) as http:
            return _put(http)
    except httpx2.TransportError as error:
        return away(url, error)


def _put(http: httpx2.Client) -> int:
    for rule, said in USUAL.items():
        found = http.get(f"/v1/alert-rules/{rule}")
        if found.status_code == 404:
            found = http.put(f"/v1/alert-rules/{rule}", json=said)
            sys.stdout.write(f"{rule}: put\n" if found.status_code == 200 else "")
        elif found.status_code == 200:
            sys.stdout.write(f"{rule}: is there already, left as it is\n")
        if found.status_code != 200:
            return refused(found.status_code, found.content)
    return 0
