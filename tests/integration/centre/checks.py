"""What must hold for the records of the event topics, whoever reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from .log import Fact


def check(facts: Iterable[Fact]) -> int:
    """P2, P3 and P5 hold for ``facts`` in the order of their partitions; how many were repeats."""
    places: dict[str, set[tuple[str, int]]] = defaultdict(set)
    last: dict[str, int] = defaultdict(int)
    first_seen: dict[tuple[str, int], Fact] = {}
    repeats = 0
    for fact in sorted(facts, key=lambda fact: (fact.topic, fact.partition, fact.offset)):
        places[fact.key].add((fact.topic, fact.partition))
        before = first_seen.setdefault((fact.key, fact.version), fact)
        if before is not fact:
            repeats += 1
            assert (before.value, before.headers) == (fact.value, fact.headers), fact
            continue
        assert fact.version == last[fact.key] + 1, f"{fact.key}: {last[fact.key]} then {fact.version}"
        last[fact.key] = fact.version
        assert fact.key == f"{fact.tenant}/{fact.stream}"
    assert [key for key, found in places.items() if len(found) > 1] == []
    ids = [fact.headers["ce_id"] for fact in first_seen.values()]
    assert len(ids) == len(set(ids))
    return repeats
