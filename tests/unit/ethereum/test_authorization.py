from dataclasses import replace

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from signer.core.errors import SenderMismatchError, SignatureError, TransactionEncodingError
from signer.core.ethereum.authorization import (
    Authorization,
    SignedAuthorization,
    authority,
    authorization_hash,
    authorization_list,
)
from signer.core.ethereum.encoding import encode
from signer.core.ethereum.signing import sign_digest
from sixgate.cli.transaction_decoding import decode_of_any_chain
from tests.harness.builders.ethereum import (
    AUTHORITY,
    AUTHORIZATIONS,
    ENTRIES,
    SET_CODE,
    MemoryKey,
    authorize,
    sign_terms,
    signed_unchecked,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@given(AUTHORIZATIONS)
def test_the_authority_is_recovered_from_the_signature(signed: SignedAuthorization) -> None:
    assert authority(signed) == AUTHORITY.address


@given(ENTRIES)
def test_an_authorization_tuple_round_trips(signed: SignedAuthorization) -> None:
    tx = replace(SET_CODE, authorization_list=(signed,))
    assert authorization_list((signed,), "entries") in encode(tx).content
    decoded, _ = decode_of_any_chain(signed_unchecked(tx, AUTHORITY).raw)
    assert decoded == tx


@given(st.integers(0, 2**64 - 1), st.binary(min_size=20, max_size=20), st.integers(0, 2**64 - 2))
def test_eth_account_signs_the_same(chain_id: int, address: bytes, nonce: int) -> None:
    secret = b"\x07" * 32
    expected = Account.from_key(secret).sign_authorization(
        {"chainId": chain_id, "address": address, "nonce": nonce}
    )
    asked = Authorization(chain_id, address, nonce)
    signature = sign_terms(asked).signature
    assert authorization_hash(asked) == bytes(expected.authorization_hash)
    assert signature == (
        expected.r.to_bytes(32, "big") + expected.s.to_bytes(32, "big") + bytes([expected.y_parity])
    )


def test_a_flipped_bit_changes_the_recovered_authority() -> None:
    signed = authorize()
    terms = signed.authorization
    for bit in range(160):
        address = (int.from_bytes(terms.address, "big") ^ (1 << bit)).to_bytes(20, "big")
        _assert_forged(replace(signed, authorization=replace(terms, address=address)))
    for bit in range(64):
        nonce, chain_id = terms.nonce ^ (1 << bit), terms.chain_id ^ (1 << bit)
        _assert_forged(replace(signed, authorization=replace(terms, nonce=nonce)))
        _assert_forged(replace(signed, authorization=replace(terms, chain_id=chain_id)))
    for bit in range(520):
        signature = (int.from_bytes(signed.signature, "big") ^ (1 << bit)).to_bytes(65, "big")
        _assert_forged(replace(signed, signature=signature))


def _assert_forged(changed: SignedAuthorization) -> None:
    try:
        recovered = authority(changed)
    except SignatureError:
        return
    assert recovered != AUTHORITY.address


def test_a_malleated_authorization_signature_is_rejected() -> None:
    signed = authorize()
    s = ORDER - int.from_bytes(signed.signature[32:64], "big")
    twin = signed.signature[:32] + s.to_bytes(32, "big") + bytes([signed.signature[64] ^ 1])
    with pytest.raises(SignatureError):
        authority(replace(signed, signature=twin))


def test_another_accounts_key_cannot_sign_an_authorization() -> None:
    digest = authorization_hash(authorize().authorization)
    with pytest.raises(SenderMismatchError):
        sign_digest(digest, MemoryKey(b"\x02" * 32), AUTHORITY.address)


@pytest.mark.parametrize(
    ("terms", "location"),
    [
        (Authorization(-1, bytes(20), 0), "authorization.chain_id"),
        (Authorization(1, bytes(19), 0), "authorization.address"),
        (Authorization(1, bytes(20), 2**256), "authorization.nonce"),
    ],
)
def test_a_value_without_an_encoding_has_no_digest(terms: Authorization, location: str) -> None:
    with pytest.raises(TransactionEncodingError) as refusal:
        authorization_hash(terms)
    assert refusal.value.location == location
