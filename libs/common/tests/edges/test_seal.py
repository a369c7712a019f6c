"""Sealed text: bound to its place, gone with its key; subject keys are made once (kernel rule 18)."""

import asyncio
import base64
import os
from dataclasses import replace

import pytest

from switchlog.config import ConfigError
from switchlog.errors import NotFound, NotNow, Poison
from switchlog.seal import (
    Erased,
    MasterKeys,
    Sealed,
    SubjectKey,
    SubjectKeys,
    master_keys,
    seal,
    standing_key,
    unseal,
)
from switchlog.store.settings import StoreSettings
from switchlog.testing import test_settings as settings_for_tests

PLACE = {"tenant": "acme", "customer_ref": "c1", "field": "MessageReceived.body"}
TEXT = "我的电话是 13800138000".encode()


def master(*ids):
    return MasterKeys.parse(",".join(base64.b64encode(bytes([one]) * 32).decode() for one in ids))


def key(name="c1"):
    return SubjectKey(name, os.urandom(32))


def test_text_comes_back_and_is_not_in_the_sealed_bytes():
    own = key()
    sealed = seal(own, TEXT, **PLACE)
    assert unseal(own, sealed, **PLACE) == TEXT
    assert TEXT not in sealed.ciphertext
    assert sealed.key_id == "c1"
    assert len(sealed.nonce) == 12


def test_sealing_twice_uses_another_nonce():
    own = key()
    assert seal(own, TEXT, **PLACE).nonce != seal(own, TEXT, **PLACE).nonce


@pytest.mark.parametrize(
    "moved",
    [{"tenant": "other"}, {"customer_ref": "c2"}, {"field": "MessageSent.body"}],
    ids=["tenant", "ref", "field"],
)
def test_text_moved_to_another_place_does_not_open(moved):
    own = key()
    sealed = seal(own, TEXT, **PLACE)
    with pytest.raises(Poison, match="UNSEALABLE"):
        unseal(own, sealed, **(PLACE | moved))


def test_altered_text_does_not_open():
    own = key()
    sealed = seal(own, TEXT, **PLACE)
    bent = bytes([sealed.ciphertext[0] ^ 1]) + sealed.ciphertext[1:]
    for bad in (replace(sealed, ciphertext=bent), replace(sealed, nonce=b""), replace(sealed, ciphertext=b"")):
        with pytest.raises(Poison):
            unseal(own, bad, **PLACE)
    with pytest.raises(Poison):
        unseal(key(), sealed, **PLACE)


def test_secrets_are_not_in_reprs():
    own = SubjectKey("c1", b"S" * 32)
    assert "SSSS" not in repr(own)
    assert "AAAA" not in repr(master(65))


def test_a_wrapped_key_unwraps_for_its_subject_only():
    own, keys = key(), master(1)
    wrapped = keys.wrap("acme", own)
    assert keys.unwrap("acme", "c1", wrapped) == own
    assert own.secret not in wrapped
    for tenant, subject in (("other", "c1"), ("acme", "c2")):
        with pytest.raises(Poison):
            keys.unwrap(tenant, subject, wrapped)


def test_a_new_master_key_wraps_and_the_old_one_still_unwraps():
    own = key()
    old, rotated, gone = master(1), master(2, 1), master(2)
    wrapped = old.wrap("acme", own)
    assert rotated.unwrap("acme", "c1", wrapped) == own
    assert not rotated.is_current(wrapped)
    assert rotated.is_current(rotated.wrap("acme", own))
    with pytest.raises(Poison, match="UNKNOWN_MASTER_KEY"):
        gone.unwrap("acme", "c1", wrapped)


@pytest.mark.parametrize("bad", ["", "x", base64.b64encode(b"short").decode(), "not base64 at all!"])
def test_a_bad_master_key_is_a_configuration_error(bad):
    with pytest.raises(ConfigError):
        MasterKeys.parse(bad)


def test_master_keys_come_from_the_environment_a_file_or_the_demo(tmp_path):
    text = base64.b64encode(b"k" * 32).decode()
    (tmp_path / "key").write_text(text + "\n")
    assert master_keys(settings_for_tests(master_key=text)) == master_keys(
        settings_for_tests(master_key_file=str(tmp_path / "key"))
    )
    with pytest.raises(ConfigError, match="MASTER_KEY"):
        master_keys(settings_for_tests())
    with pytest.raises(ConfigError, match="MASTER_KEY_FILE"):
        master_keys(settings_for_tests(master_key_file=str(tmp_path / "absent")))
    demo = settings_for_tests(demo=True, store=StoreSettings(path=str(tmp_path / "demo")))
    assert master_keys(demo) == master_keys(demo)
    assert (tmp_path / "demo" / "master.key").stat().st_mode & 0o777 == 0o600


# --- one key a subject ---------------------------------------------------------------------------------------------


class Table:
    """A key table that lets another creator in between the look and the insert."""

    def __init__(self):
        self.rows = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def get(self, tenant, subject):
        found = self.rows.get((tenant, subject))
        await self.gate.wait()
        if found == b"":
            raise NotFound("ERASED")
        return found

    async def create(self, tenant, subject, wrapped):
        return self.rows.setdefault((tenant, subject), wrapped) or None

    async def erase(self, tenant, subject):
        self.rows[(tenant, subject)] = b""


async def test_two_creators_at_once_get_the_same_key():
    """Kernel rule 18: used only as read back."""
    table, keys = Table(), master(1)
    table.gate.clear()
    both = [asyncio.create_task(standing_key(table, keys, "acme", "c1")) for _ in range(2)]
    await asyncio.sleep(0)
    table.gate.set()
    one, other = await asyncio.gather(*both)
    assert one == other
    assert one == await standing_key(table, keys, "acme", "c1")


async def test_an_erased_subject_gets_no_new_key():
    table, keys = Table(), master(1)
    await standing_key(table, keys, "acme", "c1")
    await table.erase("acme", "c1")
    with pytest.raises(Erased):
        await standing_key(table, keys, "acme", "c1")


async def test_an_erasure_between_look_and_insert_wins():
    table, keys = Table(), master(1)
    table.gate.clear()
    creating = asyncio.create_task(standing_key(table, keys, "acme", "c1"))
    await asyncio.sleep(0)
    await table.erase("acme", "c1")
    table.gate.set()
    with pytest.raises(Erased):
        await creating


# --- kept keys -----------------------------------------------------------------------------------------------------


class Owner:
    """Who gives keys out."""

    def __init__(self):
        self.calls = 0
        self.error = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, tenant, customer_ref):
        self.calls += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return SubjectKey(customer_ref, (tenant + customer_ref).encode().ljust(32))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


async def test_a_key_is_kept_60_seconds_and_then_asked_for_again():
    owner, clock = Owner(), Clock()
    keys = SubjectKeys(owner, clock)
    sealed = await keys.seal("acme", "c1", "MessageReceived.body", TEXT)
    clock.now = 59.9
    assert await keys.open("acme", "c1", "MessageReceived.body", sealed) == TEXT
    assert owner.calls == 1
    clock.now, owner.error = 60.0, NotFound("ERASED")
    with pytest.raises(Erased):
        await keys.open("acme", "c1", "MessageReceived.body", sealed)
    assert await keys.open_text("acme", "c1", "MessageReceived.body", sealed) is None


async def test_an_erasure_drops_the_key_at_once():
    owner = Owner()
    keys = SubjectKeys(owner)
    await keys.get("acme", "c1")
    owner.error = NotFound("ERASED")
    keys.drop("acme", "c1")
    with pytest.raises(Erased):
        await keys.seal("acme", "c1", "x", TEXT)


async def test_a_fetch_under_way_when_its_subject_is_dropped_is_not_kept():
    owner = Owner()
    keys = SubjectKeys(owner)
    owner.gate.clear()
    getting = asyncio.create_task(keys.get("acme", "c1"))
    await asyncio.sleep(0)
    keys.drop("acme", "c1")
    owner.gate.set()
    await getting
    owner.error = NotFound("ERASED")
    with pytest.raises(Erased):
        await keys.get("acme", "c1")


async def test_many_readers_cause_one_fetch_and_one_leaving_does_not_disturb_the_others():
    owner = Owner()
    keys = SubjectKeys(owner)
    owner.gate.clear()
    readers = [asyncio.create_task(keys.get("acme", "c1")) for _ in range(10)]
    await asyncio.sleep(0)
    readers[0].cancel()
    owner.gate.set()
    await asyncio.gather(*readers[1:])
    assert owner.calls == 1


async def test_an_owner_that_is_away_is_asked_again_next_time():
    owner = Owner()
    keys = SubjectKeys(owner)
    owner.error = NotNow()
    with pytest.raises(NotNow):
        await keys.get("acme", "c1")
    owner.error = None
    assert (await keys.get("acme", "c1")).id == "c1"


async def test_a_repeat_is_byte_identical_because_text_is_sealed_once():
    """The stored bytes are sent again; sealing again would not be the same."""
    sealed = await SubjectKeys(Owner()).seal("acme", "c1", "x", TEXT)
    assert Sealed(sealed.key_id, sealed.nonce, sealed.ciphertext) == sealed
