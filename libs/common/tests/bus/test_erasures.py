"""Caches of subject keys forget what was erased, by the headers alone."""

from __future__ import annotations

from switchlog.bus.erasures import forgetting
from switchlog.bus.record import Kept
from switchlog.seal import SubjectKey, SubjectKeys


def record(kind: str, tenant: str = "acme", subject: str = "r1") -> Kept:
    headers = {
        "ce_tenantid": tenant,
        "ce_subject": f"customer-{subject}",
        "ce_streamversion": "4",
        "ce_type": f"contactcenter.customer.v1.{kind}",
        "ce_source": "/switchlog/customers",
        "ce_id": "e1",
    }
    key = f"{tenant}/customer-{subject}".encode()
    return Kept("customer.events.v1", 0, 0, key, b"", [(name, value.encode()) for name, value in headers.items()])


async def test_only_the_erased_subject_is_fetched_again():
    fetched: list[tuple[str, str]] = []

    async def fetch(tenant: str, ref: str) -> SubjectKey:
        fetched.append((tenant, ref))
        return SubjectKey(ref, bytes(32))

    keys = SubjectKeys(fetch)
    take = forgetting(keys)
    for place in (("acme", "r1"), ("acme", "r2"), ("other", "r1")):
        await keys.get(*place)
    take(record("ErasureRequested"))
    await keys.get("acme", "r1")
    assert len(fetched) == 3
    take(record("CustomerErased"))
    for place in (("acme", "r1"), ("acme", "r2"), ("other", "r1")):
        await keys.get(*place)
    assert fetched[3:] == [("acme", "r1")]


async def test_a_record_that_cannot_be_read_stops_nobody():
    async def fetch(tenant: str, ref: str) -> SubjectKey:
        return SubjectKey(ref, bytes(32))

    forgetting(SubjectKeys(fetch))(Kept("customer.events.v1", 0, 0, None, None, []))
