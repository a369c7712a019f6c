"""The check of the promises finds each way of breaking them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from .centre.checks import check
from .centre.log import Fact


def fact(version: int, offset: int, stream: str = "contact-1") -> Fact:
    headers = {"ce_id": f"{stream}:{version}".encode()}
    value = f"{stream} {version}".encode()
    return Fact(
        *("contact.events.v1", 0, offset, f"t1/{stream}", "t1", stream, version),
        *("ContactQueued", None, None, value, headers),
    )


GOOD = [fact(1, 0), fact(1, 1, "contact-2"), fact(2, 2), fact(1, 3), fact(2, 4), fact(3, 5), fact(2, 6, "contact-2")]


def test_streams_in_order_with_equal_repeats_are_as_promised() -> None:
    """P2 P3 P5"""
    assert check(GOOD) == 2
    assert check(reversed(GOOD)) == 2  # partitions are read in any order


@pytest.mark.parametrize(
    ("broken", "facts"),
    [
        ("a hole", [fact(1, 0), fact(3, 1)]),
        ("a stream that begins late", [fact(2, 0)]),
        ("the wrong order", [fact(2, 0), fact(1, 1)]),
        ("a repeat of other bytes", [fact(1, 0), replace(fact(1, 1), value=b"other")]),
        ("a repeat with another id", [fact(1, 0), replace(fact(1, 1), headers={"ce_id": b"other"})]),
        ("a key in two partitions", [fact(1, 0), replace(fact(2, 0), partition=1)]),
        ("an id used twice", [fact(1, 0), replace(fact(2, 1), headers=fact(1, 0).headers)]),
        ("a key that is not its stream's", [replace(fact(1, 0), key="t2/contact-1")]),
    ],
)
def test_a_broken_promise_is_found(broken: str, facts: Sequence[Fact]) -> None:
    """P2 P3 P5"""
    with pytest.raises(AssertionError):
        check(facts)
