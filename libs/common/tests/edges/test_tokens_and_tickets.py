"""Service tokens are renewed in time; socket tickets are good once."""

import pytest

from switchlog.auth import NoTokens, Principal, TicketOffice, file_tokens, load_or_create_key, token_source
from switchlog.errors import NotNow, Unauthenticated
from switchlog.secretfile import write_private
from switchlog.testing import TestIssuer
from switchlog.testing import test_settings as settings_for_tests

ALICE = Principal("acme", "alice", frozenset({"agent"}))


class Clock:
    now = 1_750_000_000.0

    def __call__(self):
        return self.now


async def test_a_token_file_is_read_again_when_its_token_is_about_to_expire(tmp_path):
    clock = Clock()
    issuer = TestIssuer(clock)
    path = write_private(tmp_path / "token", issuer.issue("routing", ["service"], ttl_s=600).encode())
    tokens = file_tokens(path, clock)
    first = await tokens.token()
    write_private(path, issuer.issue("routing", ["service"], ttl_s=1200).encode())
    assert await tokens.token() == first
    clock.now += 541
    second = await tokens.token()
    assert second != first
    assert (await issuer.verifier.verify(second)).roles == {"service"}


async def test_an_expired_or_missing_token_file_means_later(tmp_path):
    clock = Clock()
    path = write_private(tmp_path / "token", TestIssuer(clock).issue(ttl_s=1).encode())
    clock.now += 2
    with pytest.raises(NotNow, match="SERVICE_TOKEN_EXPIRED"):
        await file_tokens(path, clock).token()
    with pytest.raises(NotNow, match="NO_SERVICE_TOKEN"):
        await file_tokens(tmp_path / "absent", clock).token()


async def test_without_any_configuration_a_token_is_refused_when_asked_for():
    assert token_source(settings_for_tests()) == NoTokens()
    with pytest.raises(NotNow, match="SERVICE_TOKEN_FILE"):
        await token_source(settings_for_tests()).token()


def test_secret_files_are_for_their_owner_only_and_made_once(tmp_path):
    path = tmp_path / "deep" / "key.pem"
    first, second = load_or_create_key(path), load_or_create_key(path)
    assert first.thumbprint() == second.thumbprint()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["key.pem"]


def test_a_ticket_is_good_once_for_whoever_asked():
    office = TicketOffice()
    ticket = office.issue(ALICE)
    assert office.redeem(ticket) is ALICE
    with pytest.raises(Unauthenticated, match="BAD_TICKET"):
        office.redeem(ticket)


@pytest.mark.parametrize("ticket", [None, "", "made-up"])
def test_no_ticket_or_a_made_up_one_is_refused(ticket):
    with pytest.raises(Unauthenticated, match="BAD_TICKET"):
        TicketOffice().redeem(ticket)


def test_a_ticket_lives_30_seconds():
    clock = Clock()
    office = TicketOffice(clock)
    early, late = office.issue(ALICE), office.issue(ALICE)
    clock.now += 29.9
    assert office.redeem(early) is ALICE
    clock.now += 0.1
    with pytest.raises(Unauthenticated):
        office.redeem(late)


def test_hoarding_tickets_is_bounded_and_passes():
    clock = Clock()
    office = TicketOffice(clock, limit=3)
    for _ in range(3):
        office.issue(ALICE)
    with pytest.raises(NotNow, match="TOO_MANY_TICKETS"):
        office.issue(ALICE)
    clock.now += 31
    assert office.redeem(office.issue(ALICE)) is ALICE
