"""Custody against attacks drawn by Hypothesis, and against a dictionary as model."""

import json
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from signer.custody.context import Layer, SecretContext
from signer.custody.curves import new_secp256k1_secret
from signer.custody.envelope import SECRET_BYTES_MAX, SealedSecret, open_secret
from signer.custody.errors import CorruptError, CustodyError, KmsKeyNotFoundError
from signer.custody.handle import KeyHandle
from signer.custody.keyring import Keyring, KeyringLimits
from tests.harness.builders.custody_material import (
    HERE,
    SECRET,
    Stream,
    contexts,
    root_kms,
    sealed_at,
)
from tests.harness.sizes import effort

SEALED = sealed_at(HERE)
BLOBS = ("wrapped_kek", "wrapped_dek", "ciphertext")
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@given(contexts, contexts)
@settings(deadline=None)
def test_two_secrets_share_bytes_only_if_every_name_is_the_same(
    one: SecretContext, other: SecretContext
) -> None:
    for layer in (Layer.DEK, Layer.SECRET):
        assert (one.aad(layer) == other.aad(layer)) == (one == other)
    same_vault = one.vault_context == other.vault_context
    assert (one.aad(Layer.KEK) == other.aad(Layer.KEK)) == same_vault
    assert len({one.aad(layer) for layer in Layer}) == len(Layer)


@given(contexts)
def test_the_authenticated_bytes_are_sorted_json_and_name_every_field(
    context: SecretContext,
) -> None:
    expected = context.model_dump() | {"type": "custody.context", "v": 1, "layer": "secret"}
    aad = context.aad(Layer.SECRET)
    assert json.loads(aad) == expected
    assert list(json.loads(aad)) == sorted(expected)


@given(contexts, st.binary(max_size=200), st.text(max_size=5))
@settings(deadline=None)
def test_a_sealed_secret_opens_in_its_own_context(
    context: SecretContext, secret: bytes, seed: str
) -> None:
    sealed = sealed_at(context, secret, seed=seed)
    assert open_secret(root_kms(), context, sealed) == secret


@given(contexts, contexts)
@settings(deadline=None)
def test_a_sealed_secret_opens_in_no_other_context(
    context: SecretContext, elsewhere: SecretContext
) -> None:
    sealed = sealed_at(context)
    if elsewhere == context:
        assert open_secret(root_kms(), elsewhere, sealed) == SECRET
    else:
        with pytest.raises(CorruptError):
            open_secret(root_kms(), elsewhere, sealed)


@given(contexts, contexts, st.sets(st.sampled_from(BLOBS), min_size=1, max_size=2))
@settings(deadline=None)
def test_no_mixture_of_the_blobs_of_two_secrets_opens(
    one: SecretContext, other: SecretContext, taken: set[str]
) -> None:
    mine, theirs = sealed_at(one, seed="one"), sealed_at(other, seed="other")
    mixed = replace(mine, **{blob: getattr(theirs, blob) for blob in taken})
    for context in (one, other):
        with pytest.raises(CorruptError):
            open_secret(root_kms(), context, mixed)


def damaged(blob: str, value: bytes) -> SealedSecret:
    return replace(SEALED, **{blob: value})  # type: ignore[arg-type] # one of the blobs


@pytest.mark.parametrize("blob", BLOBS)
@given(data=st.data())
@effort(1.5)
def test_a_flipped_bit_in_any_layer_is_always_detected(blob: str, data: st.DataObject) -> None:
    value = bytearray(getattr(SEALED, blob))
    for bit in data.draw(st.sets(st.integers(0, 8 * len(value) - 1), min_size=1, max_size=3)):
        value[bit // 8] ^= 1 << bit % 8
    with pytest.raises((CorruptError, KmsKeyNotFoundError)):
        open_secret(root_kms(), HERE, damaged(blob, bytes(value)))


@pytest.mark.parametrize("blob", BLOBS)
@given(data=st.data())
@settings(deadline=None)
def test_a_truncated_or_extended_layer_is_always_detected(blob: str, data: st.DataObject) -> None:
    value = getattr(SEALED, blob)
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, len(value)))
    tail = data.draw(st.binary(max_size=4))
    changed = value[start:end] + tail
    if changed == value:
        assert open_secret(root_kms(), HERE, SEALED) == SECRET
    else:
        with pytest.raises((CorruptError, KmsKeyNotFoundError)):
            open_secret(root_kms(), HERE, damaged(blob, changed))


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_custody_errors(
    kek: bytes, dek: bytes, ciphertext: bytes
) -> None:
    with pytest.raises(CustodyError):
        open_secret(root_kms(), HERE, SealedSecret(kek, dek, ciphertext))


@given(st.binary(min_size=32, max_size=32))
def test_a_handle_accepts_exactly_the_valid_keys(secret: bytes) -> None:
    buffer = bytearray(secret)
    if 0 < int.from_bytes(secret, "big") < N:
        KeyHandle(buffer).close()
    else:
        with pytest.raises(CorruptError):
            KeyHandle(buffer)
    assert buffer == bytes(32)


edges = st.sampled_from([0, 1, N - 1, N, N + 1, 2**256 - 1]) | st.integers(0, 2**256 - 1)


@given(st.lists(edges, min_size=4, max_size=4))
def test_a_new_key_is_the_first_draw_in_range_and_never_a_reduced_one(numbers: list[int]) -> None:
    remaining = iter(numbers)
    usable = [number for number in numbers if 0 < number < N]
    if usable:
        secret = new_secp256k1_secret(lambda size: next(remaining).to_bytes(size, "big"))
        assert int.from_bytes(secret, "big") == usable[0]
    else:
        with pytest.raises(CustodyError):
            new_secp256k1_secret(lambda size: next(remaining).to_bytes(size, "big"))


@dataclass
class Opened:
    """The model's state of one open key."""

    buffer: bytearray
    opened_ms: int
    used_ms: int
    uses: int = field(default=0)


class KeyringMachine(RuleBasedStateMachine):
    """The keyring and a model with its keys in a list, least recently used first."""

    LIMITS = KeyringLimits(handles_max=2, idle_ms_max=5, age_ms_max=12, uses_max=3)

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.down = False
        self.last_buffer = bytearray()
        self.buffers: list[bytearray] = []
        self.model: list[tuple[int, Opened]] = []
        self.ring = Keyring(self.open_key, lambda: self.now_ms, self.LIMITS)

    def open_key(self, name: int) -> KeyHandle:
        if self.down:
            raise CorruptError("down")
        self.last_buffer = bytearray(bytes(31) + bytes((name,)))
        self.buffers.append(self.last_buffer)
        return KeyHandle(self.last_buffer)

    def fresh(self, known: Opened) -> bool:
        idle_ms, age_ms = self.now_ms - known.used_ms, self.now_ms - known.opened_ms
        return idle_ms <= self.LIMITS.idle_ms_max and age_ms <= self.LIMITS.age_ms_max

    @rule(elapsed_ms=st.integers(1, 8))
    def time_passes(self, elapsed_ms: int) -> None:
        self.now_ms += elapsed_ms

    @rule()
    def the_kms_goes_down_or_comes_back(self) -> None:
        self.down = not self.down

    @rule(name=st.integers(1, 4), signs=st.booleans())
    def a_key_is_used(self, name: int, signs: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        known = next((each for key, each in self.model if key == name and self.fresh(each)), None)
        if known is None and self.down:
            with pytest.raises(CorruptError):
                self.ring.public_key(name)
            self.model = [(key, each) for key, each in self.model if key != name]
            return
        signature = self.ring.sign(name, bytes(32)) if signs else self.ring.public_key(name)
        assert len(signature) == 65
        self.remember(name, known, signs=signs)

    def remember(self, name: int, known: Opened | None, *, signs: bool) -> None:
        rest = [(key, each) for key, each in self.model if key != name]
        if known is None:
            known = Opened(self.last_buffer, self.now_ms, self.now_ms)
            rest = rest[-(self.LIMITS.handles_max - 1) :]
        known.used_ms = self.now_ms
        known.uses += signs
        self.model = rest if known.uses == self.LIMITS.uses_max else [*rest, (name, known)]

    @rule()
    def the_idle_loop_runs(self) -> None:
        self.ring.close_expired()
        self.model = [(key, each) for key, each in self.model if self.fresh(each)]

    @precondition(lambda self: self.model)
    @rule()
    def everything_is_closed(self) -> None:
        self.ring.close()
        self.model = []

    @invariant()
    def exactly_the_keys_of_the_model_are_in_memory(self) -> None:
        expected = {id(each.buffer) for _, each in self.model}
        assert {id(buffer) for buffer in self.buffers if any(buffer)} == expected
        assert len(self.ring) == len(self.model) <= self.LIMITS.handles_max


TestKeyring = KeyringMachine.TestCase
TestKeyring.settings = settings(effort(0.6), stateful_step_count=40)


@given(st.integers(0, SECRET_BYTES_MAX))
@settings(deadline=None, max_examples=20)
def test_secrets_of_any_size_up_to_the_limit_open_again(size_bytes: int) -> None:
    secret = Stream()(size_bytes)
    assert open_secret(root_kms(), HERE, sealed_at(HERE, secret)) == secret
