"""Share keys: boxes open during the overlap, and never after the key is erased."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.intents.intent import EXPIRY_MS_MAX
from schemas.intents.intent_parts import ClientShare
from schemas.keys.client_share import ClientShareContext
from signer.custody.errors import ClientShareMissingError, CorruptError, CustodyError
from signer.custody.hpke import seal_for
from signer.custody.share_key import (
    OVERLAP_MS,
    SealedShareKey,
    ShareKeyBoxes,
    ShareKeys,
    new_share_key,
)
from tests.harness.builders.custody_material import OTHER_ROOT, LyingKms, Stream, root_kms

NOBODY = ShareKeys(org="acme", signer="signer-1")
CONTEXT = ClientShareContext(
    org="acme", account="fund", vault="__agent-keys", path="keys/hot", version=1
).to_signer("alice")
SHARE = b"\x01\x02" + b"s" * 32


def made(keys: ShareKeys, now_ms: int) -> SealedShareKey:
    return new_share_key(root_kms(), keys, now_ms, Stream(f"share key at {now_ms}"))


def rotated(*times_ms: int) -> ShareKeys:
    keys = NOBODY
    for now_ms in times_ms:
        keys = keys.rotated(made(keys, now_ms))
    return keys


def sent(key: SealedShareKey | None) -> ClientShare:
    assert key is not None
    box = seal_for(key.public_key, SHARE, CONTEXT)
    return ClientShare(key_version=1, share_key=key.public_key, box=f"0x{box.hex()}")


def opens(keys: ShareKeys, share: ClientShare, now_ms: int, context: bytes = CONTEXT) -> bytes:
    return bytes(ShareKeyBoxes(root_kms(), keys, lambda: now_ms).open(share, context))


def test_a_queued_share_opens_after_a_restart_for_as_long_as_an_intent_may_wait() -> None:
    first = rotated(0)
    queued = sent(first.current)
    keys = ShareKeys.decode(first.rotated(made(first, 1_000)).encode())
    assert opens(keys, queued, 1_000 + EXPIRY_MS_MAX) == SHARE
    assert opens(keys, queued, 1_000 + OVERLAP_MS) == SHARE
    with pytest.raises(ClientShareMissingError, match=r"ask for .*share key"):
        opens(keys, queued, 1_001 + OVERLAP_MS)


def test_a_share_key_that_was_pruned_is_gone_from_what_is_kept() -> None:
    keys = rotated(0, 1_000)
    pruned = keys.pruned(1_001 + OVERLAP_MS)
    assert [key.version for key in pruned.keys] == [2]
    assert keys.keys[0].ciphertext not in pruned.encode().decode()
    with pytest.raises(ClientShareMissingError):
        opens(pruned, sent(keys.keys[0]), 1_000)


@given(st.lists(st.integers(0, OVERLAP_MS), min_size=1, max_size=4), st.integers(0, OVERLAP_MS * 4))
def test_a_key_opens_exactly_while_it_is_current_or_overlaps(gaps: list[int], now_ms: int) -> None:
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    keys = NOBODY
    for number, at_ms in enumerate(times, 1):
        fake: dict[str, Any] = {"wrapped_kek": "0x", "wrapped_dek": "0x", "ciphertext": "0x"}
        public_key = f"0x{number:064x}"
        keys = keys.rotated(
            SealedShareKey(version=number, public_key=public_key, made_at_ms=at_ms, **fake)
        )
    for number in range(1, len(times) + 1):
        ended = times[number] + OVERLAP_MS if number < len(times) else now_ms
        found = keys.find(f"0x{number:064x}", now_ms) is not None
        assert found is (now_ms <= ended)
        assert found is any(key.version == number for key in keys.pruned(now_ms).keys)


@pytest.mark.parametrize("other", ["mallory", "alice2", ""])
def test_a_share_of_one_agent_serves_no_other(other: str) -> None:
    keys = rotated(0)
    place = ClientShareContext(
        org="acme", account="fund", vault="__agent-keys", path="keys/hot", version=1
    )
    with pytest.raises(CorruptError, match="another agent"):
        opens(keys, sent(keys.current), 0, place.to_signer(other))
    with pytest.raises(CorruptError):
        opens(keys, sent(keys.current), 0, place.to_client())


def test_a_box_that_was_changed_opens_nothing() -> None:
    keys = rotated(0)
    share = sent(keys.current)
    flipped = "1" if share.box[-1] == "0" else "0"
    for wrong in (share.box[:-2], share.box[:-1] + flipped, "0x", "0x00"):
        with pytest.raises(CorruptError):
            opens(keys, share.model_copy(update={"box": wrong}), 0)


def test_a_share_key_of_another_signer_or_root_does_not_open() -> None:
    keys = rotated(0)
    with pytest.raises(CustodyError):
        opens(keys.model_copy(update={"signer": "signer-2"}), sent(keys.current), 0)
    boxes = ShareKeyBoxes(root_kms(OTHER_ROOT), keys, lambda: 0)
    with pytest.raises(CustodyError):
        boxes.open(sent(keys.current), CONTEXT)


def test_a_share_key_with_a_swapped_public_key_is_detected() -> None:
    keys = rotated(0)
    mine = rotated(7).keys[0].public_key
    swapped = keys.model_copy(
        update={"keys": (keys.keys[0].model_copy(update={"public_key": mine}),)}
    )
    with pytest.raises(CorruptError, match="public key"):
        opens(swapped, sent(swapped.current), 0)


def test_share_keys_swapped_between_versions_do_not_open() -> None:
    first, second = rotated(0, 1).keys
    swapped = NOBODY.model_copy(update={"keys": (second.model_copy(update={"version": 1}),)})
    with pytest.raises(CustodyError):
        opens(swapped, sent(swapped.current), 0)
    assert first.version == 1


def test_a_share_key_from_the_past_replaces_no_key() -> None:
    keys = rotated(1_000)
    with pytest.raises(ValueError, match="older"):
        keys.rotated(made(keys, 999))
    with pytest.raises(ValueError, match="next version"):
        keys.rotated(made(NOBODY, 2_000))


def test_a_root_that_unwraps_wrongly_makes_no_share_key() -> None:
    lying = LyingKms(root_kms(), lambda key: bytearray(len(key)))
    with pytest.raises(CustodyError):
        new_share_key(lying, NOBODY, 0, Stream())


def test_nothing_of_a_share_key_is_printed() -> None:
    keys = rotated(0)
    source = Stream("share key at 0")
    new_share_key(root_kms(), NOBODY, 0, source)
    shown = repr(keys) + keys.encode().decode()
    assert not any(drawn.hex() in shown for drawn in source.drawn if len(drawn) == 32)
