"""Imported keys: which are accepted, for whom, and only once."""

from typing import Any

import pytest
from coincurve import PrivateKey

from schemas.keys.curves import CURVES, Curve
from schemas.keys.key_events import (
    KeyDelivery,
    KeyImport,
    KeyProvisioned,
    KeyRequest,
    delivery_id,
    import_context,
)
from schemas.registry.key_chains import KeyChain
from schemas.topics import Topic
from signer.core.errors import RegistryRecordError
from signer.core.ethereum.keccak import keccak256
from signer.custody import curves
from signer.keys.key_register import KeyRegister
from tests.harness.builders.cases import ACCOUNT, KEY_PATH, MALLORY, ORG, SECRET, sealed_request
from tests.harness.builders.order_executor import (
    ORDER,
    OTHER_IMPORT_KEY,
    UNREGISTERED_SECRET,
    OrderExecutor,
    address_for,
    delivery,
    terms,
    why,
)


@pytest.mark.parametrize("chain", [KeyChain.ETHEREUM, KeyChain.TRON, KeyChain.SOLANA])
def test_a_key_is_imported_and_opens_to_the_key_it_was(
    executor: OrderExecutor, chain: KeyChain
) -> None:
    address = address_for(chain, UNREGISTERED_SECRET)
    executor.claim(address)
    answer = KeyProvisioned.decode(executor.send(delivery(chain=chain)).value)
    assert answer.address == address
    key = executor.keys.by_path[ACCOUNT, KEY_PATH]
    assert (key.imported, key.chain) == (True, chain)
    expected = curves.public_key(CURVES[chain], bytearray(UNREGISTERED_SECRET))
    assert executor.keychain.use(key).public_key() == expected
    if CURVES[chain] is Curve.SECP256K1 and key.signs:
        digest = keccak256(b"imported")
        assert executor.keychain.use(key).sign(digest) == PrivateKey(
            UNREGISTERED_SECRET
        ).sign_recoverable(digest, hasher=None)


def test_neither_the_request_nor_the_answer_carries_an_imported_key(
    executor: OrderExecutor,
) -> None:
    executor.claim(address_for(KeyChain.ETHEREUM, UNREGISTERED_SECRET))
    raw = delivery()
    published = executor.send(raw)
    box = KeyDelivery.decode(raw).box.encode()
    for needle in (UNREGISTERED_SECRET, UNREGISTERED_SECRET.hex().encode()):
        assert needle not in raw + published.value
    assert box not in published.value  # the answer has its digest alone


def test_an_import_again_gets_the_same_answer(executor: OrderExecutor) -> None:
    executor.claim(address_for(KeyChain.ETHEREUM, UNREGISTERED_SECRET))
    raw = delivery()
    assert executor.send(raw) == executor.send(raw)


def test_an_import_of_an_unclaimed_address_is_refused(executor: OrderExecutor) -> None:
    assert "did not claim" in why(executor.send(delivery()))
    executor.claim(address_for(KeyChain.ETHEREUM, UNREGISTERED_SECRET), "ops")
    assert "did not claim" in why(executor.send(delivery()))


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"box": "0x" + "00" * 80}, "digest in the import"),
        ({"recipient": OTHER_IMPORT_KEY.public_key}, "for another signer"),
        ({"context": b"another order"}, "does not open"),
        ({"import_key": "0x" + "11" * 32}, "for another signer"),
        ({"secret": UNREGISTERED_SECRET[:31] + b"\x00", "claimed": SECRET}, "not have the address"),
        ({"secret": bytes(32), "claimed": SECRET}, "secp256k1 key"),
        ({"secret": ORDER, "claimed": SECRET}, "secp256k1 key"),
        ({"secret": ORDER, "claimed": SECRET, "chain": KeyChain.TRON}, "secp256k1 key"),
        ({"secret": b"\xff" * 32, "claimed": SECRET}, "secp256k1 key"),
        ({"secret": bytes(32), "claimed": SECRET, "chain": KeyChain.XRP}, "ed25519 key"),
        ({"secret": SECRET[:31], "claimed": SECRET}, "secp256k1 key"),
        ({"secret": SECRET + b"\x00", "claimed": SECRET}, "secp256k1 key"),
        ({"secret": b"", "claimed": SECRET, "chain": KeyChain.SOLANA}, "ed25519 key"),
    ],
)
def test_a_box_sealed_for_another_order_is_refused(
    executor: OrderExecutor, changes: dict[str, Any], because: str
) -> None:
    secret, chain = (
        changes.pop("secret", UNREGISTERED_SECRET),
        changes.get("chain", KeyChain.ETHEREUM),
    )
    address = address_for(chain, changes.pop("claimed", secret))
    executor.claim(address)
    assert because in why(executor.send(delivery(secret, address=address, **changes)))
    assert executor.keys == KeyRegister()


@pytest.mark.parametrize(
    "other",
    [
        {"org": "other"},
        {"account": "ops"},
        {"path": "keys/other"},
        {"chain": KeyChain.TRON},
        {"address": "0x" + "11" * 20},
    ],
)
def test_a_box_that_was_sealed_for_another_order_does_not_open(
    executor: OrderExecutor, other: dict[str, Any]
) -> None:
    names: dict[str, Any] = {
        "org": ORG,
        "account": ACCOUNT,
        "path": KEY_PATH,
        "chain": KeyChain.ETHEREUM,
    }
    names["address"] = address_for(KeyChain.ETHEREUM, UNREGISTERED_SECRET)
    executor.claim(names["address"])
    assert "does not open" in why(executor.send(delivery(context=import_context(**names | other))))
    assert executor.send(delivery(context=import_context(**names))).topic is Topic.VAULT


def test_an_import_without_its_box_and_a_box_without_an_import_are_refused(
    executor: OrderExecutor,
) -> None:
    executor.claim(address_for(KeyChain.ETHEREUM, UNREGISTERED_SECRET))
    import_delivery = KeyDelivery.decode(delivery())
    assert "without its box" in why(executor.send(import_delivery.request.encode()))
    plain = sealed_request(KeyRequest(**terms()))
    boxed = KeyDelivery(id=delivery_id(plain.body()), request=plain, box="0x00")
    assert "not an import" in why(executor.send(boxed.encode()))
    renamed = import_delivery.model_copy(update={"id": "0x" + "00" * 32})
    assert "not have the digest in the import" in why(executor.send(renamed.encode()))


def test_a_delivery_that_no_admin_signed_is_refused(executor: OrderExecutor) -> None:
    import_delivery = KeyDelivery.decode(delivery())
    order = KeyImport.decode(import_delivery.request.body())
    forged = import_delivery.model_copy(update={"request": sealed_request(order, MALLORY)})
    assert "signed by an admin" in why(executor.send(forged.encode()))


def test_an_address_that_the_signer_has_is_not_imported_again(executor: OrderExecutor) -> None:
    address = address_for(KeyChain.ETHEREUM, UNREGISTERED_SECRET)
    executor.claim(address)
    executor.send(delivery())
    assert "already belongs to a key" in why(executor.send(delivery(path="keys/other")))


def test_an_address_is_claimed_permanently_by_one_account() -> None:
    executor = OrderExecutor()
    address = address_for(KeyChain.ETHEREUM, UNREGISTERED_SECRET)
    executor.claim(address)
    executor.claim(address)
    with pytest.raises(RegistryRecordError, match="claimed by account treasury"):
        executor.claim(address, "ops")


def test_an_account_that_is_not_open_claims_nothing() -> None:
    with pytest.raises(RegistryRecordError, match="account nowhere was never opened"):
        OrderExecutor().claim(address_for(KeyChain.TRON, UNREGISTERED_SECRET), "nowhere")
