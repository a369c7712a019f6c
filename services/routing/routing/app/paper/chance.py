"""Chance on paper: distributions by name, Poisson arrivals, and agents who take their time. One seed, one outcome."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from ...domain.events import ContactOffered
from .world import DEFAULT_BACK_MS, Answer, Arrival, Reply

Draw = Callable[[Random], float]
"""Seconds, drawn with the generator that is handed in."""

PER_MS = {"s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


class BadChance(ValueError):
    """A distribution or rate that cannot be read; says what can."""


def drawn(text: str) -> Draw:
    """``exp:MEAN``, ``fixed:S`` (or just ``S``), ``uniform:A:B``, ``lognormal:MEAN:SD``, all in seconds."""
    name, _, rest = text.partition(":") if ":" in text else ("fixed", "", text)
    shape = _SHAPES.get(name)
    try:
        terms = [float(term) for term in rest.split(":")]
        if shape is None or min(terms) < 0 or not all(map(math.isfinite, terms)):
            raise ValueError
        return shape(*terms)
    except (ValueError, TypeError, ZeroDivisionError):
        wanted = "exp:MEAN, fixed:S, uniform:A:B or lognormal:MEAN:SD in seconds, such as exp:240"
        raise BadChance(f"{text!r} is none of {wanted}") from None


def rate(text: str) -> float:
    """``360/h`` (``/s``, ``/min``, ``/d``) as arrivals a millisecond."""
    number, _, unit = text.partition("/")
    try:
        found = float(number) / PER_MS[unit.strip()]
        if not 0 < found < math.inf:
            raise ValueError
        return found
    except (ValueError, KeyError):
        raise BadChance(f"{text!r} is no rate such as 360/h, 6/min or 0.1/s") from None


@dataclass(frozen=True)
class Stream:
    """A Poisson stream of contacts into one queue for ``hours``; ``patience`` is ``None`` when nobody ever leaves.

    ``name`` begins the ids of its contacts and is part of its chance: streams of other names are independent.
    """

    per_ms: float
    talk: Draw
    hours: float
    queue: str
    channel: str = "voice"
    patience: Draw | None = None
    wrap_up: Draw | None = None
    name: str = "c"

    @property
    def expected(self) -> int:
        return round(self.per_ms * self.hours * 3_600_000)

    def arrivals(self, seed: int, start: int = 0) -> Iterator[Arrival]:
        """Each quantity has a stream of chance of its own, so that changing one leaves the others as they were."""
        about = ("gap", "talk", "patience", "wrap-up")
        gaps, talks, patiences, wraps = (Random(f"{seed}/{self.name}/{what}") for what in about)
        at, end, n = 0.0, self.hours * 3_600_000, 0
        while (at := at + gaps.expovariate(self.per_ms)) < end:
            n += 1
            yield Arrival(
                contact=f"{self.name}{n:09d}",
                at=start + round(at),
                queue=self.queue,
                channel=self.channel,
                talk_ms=_ms(self.talk(talks)),
                wrap_up_ms=_ms(self.wrap_up(wraps)) if self.wrap_up else 0,
                patience_ms=_ms(self.patience(patiences)) if self.patience else None,
            )


@dataclass(frozen=True)
class Human:
    """People who take time to accept and to connect, decline a share of offers and let a share of them ring.

    What somebody does about an offer is a hash of the seed and the offer, so another policy meets the same people.
    """

    seed: int
    answer_after: Draw
    connect: Draw
    declined: float = 0.0
    missed: float = 0.0
    back_after_ms: int = DEFAULT_BACK_MS

    def answer(self, offer: ContactOffered, arrival: Arrival) -> Answer:
        chance = self._chance("answer", offer.contact, offer.agent, offer.attempt)
        what = chance.random()
        if what < self.missed:
            return Answer(Reply.NONE)
        reply = Reply.DECLINE if what < self.missed + self.declined else Reply.ACCEPT
        return Answer(reply, _ms(self.answer_after(chance)))

    def connect_ms(self, arrival: Arrival, agent: str) -> int:
        return _ms(self.connect(self._chance("connect", arrival.contact, agent, arrival.leg)))

    def work_ms(self, arrival: Arrival, agent: str) -> tuple[int, int]:
        return arrival.talk_ms, arrival.wrap_up_ms

    def back_ms(self, agent: str, at: int) -> int | None:
        return self.back_after_ms

    def _chance(self, *about: object) -> Random:
        words = "|".join(map(str, (self.seed, *about)))
        return Random(int.from_bytes(blake2b(words.encode(), digest_size=8).digest(), "big"))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _exp(mean: float) -> Draw:
    return lambda chance: chance.expovariate(1 / mean)


def _fixed(seconds: float) -> Draw:
    return lambda chance: seconds


def _uniform(least: float, most: float) -> Draw:
    return lambda chance: chance.uniform(least, most)


def _lognormal(mean: float, deviation: float) -> Draw:
    variance = math.log(1 + (deviation / mean) ** 2)
    return lambda chance: chance.lognormvariate(math.log(mean) - variance / 2, math.sqrt(variance))


_SHAPES: dict[str, Callable[..., Draw]] = {
    "exp": lambda mean: _exp(mean) if mean else _fixed(0.0),
    "fixed": _fixed,
    "uniform": _uniform,
    "lognormal": _lognormal,
}
