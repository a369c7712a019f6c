"""The command line that every service has: all roles in one process, one role alone, a stream published again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Protocol, TypeVar

from cyclopts import App

from switchlog import runtime
from switchlog.config import KernelSettings
from switchlog.envelope import StreamId
from switchlog.kernel import open_kernel


class Told(Protocol):
    """A service's settings."""

    @property
    def kernel(self) -> KernelSettings: ...


T = TypeVar("T", bound=Told)
Main = Callable[[T, AbstractSet[str]], Coroutine[Any, Any, None]]


def command_line(
    name: str,
    help: str,
    roles: Mapping[str, str],
    topics: Mapping[str, str],
    settings: Callable[[], T],
    main: Main[T],
) -> App:
    """``run`` (all ``roles``), a command for each role with its sentence, and ``relay [--stream --tenant --from]``.

    ``settings`` reads the environment, ``main(settings, roles)`` runs until asked to stop; ``topics`` is
    ``open_kernel``'s.
    """
    app = App(name=name, help=help)
    app.command(_role(settings, main, frozenset({*roles, "relay"}), "All roles in one process."), name="run")
    for role, sentence in roles.items():
        app.command(_role(settings, main, frozenset({role}), sentence), name=role)
    app.command(_relay(settings, main, topics), name="relay")
    return app


def _role(settings: Callable[[], T], main: Main[T], roles: frozenset[str], sentence: str) -> Callable[[], int]:
    def command() -> int:
        told = settings()
        return runtime.run(told.kernel, lambda: main(told, roles))

    command.__doc__ = sentence
    return command


def _relay(settings: Callable[[], T], main: Main[T], topics: Mapping[str, str]) -> Callable[..., int]:
    def relay(*, stream: str = "", tenant: str = "", from_: int = 1) -> int:
        """Publish what a crash left unpublished, until stopped; with a stream, publish that again and end.

        Parameters
        ----------
        stream
            A stream such as contact-7f3c.
        tenant
            The stream's tenant.
        from_
            The first version to publish again.
        """
        told = settings()
        if not stream:
            return runtime.run(told.kernel, lambda: main(told, frozenset({"relay"})))
        return runtime.run(told.kernel, lambda: republish(told.kernel, topics, StreamId(tenant, stream), from_))

    return relay


async def republish(settings: KernelSettings, topics: Mapping[str, str], stream: StreamId, first: int) -> None:
    """``stream`` published again from version ``first`` (kernel rule 13)."""
    async with open_kernel(settings, topics=topics) as kernel:
        await kernel.republish(stream, first)
        await kernel.drain()
