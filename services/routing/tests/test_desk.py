"""What the API answers about an offer that its read model does not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from routing.app import handlers
from routing.app.handlers import Desk
from routing.app.ports import OfferRow
from switchlog.errors import NotFound, NotNow

OFFER = OfferRow("o1", "open", "c1", 1, "q1", "p1", "a1", 7)


@dataclass
class Model:
    """An offers model that shows ``row`` after ``behind`` looks, and says so."""

    row: OfferRow | None = None
    behind: int = 0
    looks: list[str] = field(default_factory=list)

    async def get(self, tenant: str, offer_id: str) -> OfferRow | None:
        self.looks.append("row")
        return self.row if self.behind <= 0 else None

    async def of_agent(self, tenant: str, agent: str) -> list[OfferRow]:
        return []

    async def mark(self) -> Mapping[Any, int]:
        return {}

    async def has_read(self, mark: Mapping[Any, int]) -> bool:
        self.looks.append("progress")
        self.behind -= 1
        return self.behind <= 0


def desk(model: Model) -> Desk:
    return Desk(None, model, None, model, None)  # type: ignore[arg-type]  # nobody is ordered anything here


async def test_an_offer_that_a_model_has_read_is_found_at_once() -> None:
    model = Model(OFFER)
    assert await desk(model).offer("t1", "o1") == OFFER
    assert model.looks == ["row"]


async def test_a_lagging_model_is_waited_for() -> None:
    assert await desk(Model(OFFER, behind=3)).offer("t1", "o1") == OFFER


async def test_a_model_that_has_read_all_may_say_that_there_is_no_such_offer() -> None:
    with pytest.raises(NotFound):
        await desk(Model()).offer("t1", "o1")


async def test_a_model_that_stays_behind_says_not_now_and_never_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real offer must not get a 404 because of a busy minute."""
    monkeypatch.setattr(handlers, "OFFER_WITHIN_S", 0.2)
    with pytest.raises(NotNow) as refused:
        await desk(Model(OFFER, behind=10_000)).offer("t1", "o1")
    assert refused.value.retry_after_s >= 1


async def test_what_was_read_is_asked_before_the_model_is_looked_at() -> None:
    """The other way round, a row that comes in between would be taken for missing."""
    model = Model(OFFER, behind=1)
    await desk(model).offer("t1", "o1")
    assert model.looks == ["row", "progress", "row"]
