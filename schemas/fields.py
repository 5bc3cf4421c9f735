"""Field types: the wire form of names, amounts, digests and others."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints

UINT256_MAX = 2**256 - 1
SAFE_INTEGER_MAX = 2**53 - 1
WEI_SUM_MAX = 10**96 - 1  # the longest decimal string
DATA_BYTES_MAX = 128 * 1024
TEXT_MAX = 1024

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,95}", re.ASCII)


def _amount(value: object, most: int, what: str) -> int:
    """Accept an int from code and a decimal string from the wire."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    raise ValueError(f"not a decimal string of {what}")


def _uint256(value: object) -> int:
    return _amount(value, UINT256_MAX, "an unsigned 256-bit integer")


def _wei_sum(value: object) -> int:
    return _amount(value, WEI_SUM_MAX, "a sum of amounts")


def _text(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=f"^(?:{pattern})$", strict=True)


Uint256 = Annotated[int, BeforeValidator(_uint256), PlainSerializer(str, return_type=str)]
WeiSum = Annotated[int, BeforeValidator(_wei_sum), PlainSerializer(str, return_type=str)]
Count = Annotated[int, Field(ge=0, le=SAFE_INTEGER_MAX)]
TimeMs = Count
# 2100-01-01: rejects a time in microseconds, and bounds how long markers of intents are kept.
ExpiryMs = Annotated[int, Field(ge=0, le=4_102_444_800_000)]
ChainId = Annotated[int, Field(ge=1, le=SAFE_INTEGER_MAX)]
Nonce = Count
# No account of any chain has come near; a simulator that reports more is wrong.
PendingNonce = Annotated[int, Field(ge=0, le=2**32 - 1)]
Gas = Annotated[int, Field(ge=1, le=SAFE_INTEGER_MAX)]
Ordinal = Annotated[int, Field(ge=1, le=SAFE_INTEGER_MAX)]

Name = Annotated[str, _text(r"[a-z0-9][a-z0-9._-]{0,62}")]
Digest = Annotated[str, _text(r"0x[0-9a-f]{64}")]
Address = Annotated[str, _text(r"0x[0-9a-f]{40}")]
_BECH32 = "[02-9ac-hj-np-z]"
# Ethereum in lower-case hex, Bitcoin and Cardano in bech32, Solana, XRP and Tron in base58.
ChainAddress = Annotated[
    str,
    _text(
        rf"0x[0-9a-f]{{40}}|bc1q{_BECH32}{{38}}|addr1v{_BECH32}{{52}}|[1-9A-HJ-NP-Za-km-z]{{25,44}}"
    ),
]
Hex = Annotated[str, _text(r"0x(?:[0-9a-f]{2})*")]
Unique = Annotated[str, _text(r"0x[0-9a-f]{32}")]
Data = Annotated[Hex, Field(max_length=2 + 2 * DATA_BYTES_MAX)]
Ed25519PublicKey = Annotated[str, _text(r"0x[0-9a-f]{64}")]
X25519PublicKey = Annotated[str, _text(r"0x[0-9a-f]{64}")]
Ed25519Signature = Annotated[str, _text(r"0x[0-9a-f]{128}")]
VaultName = Annotated[str, _text(r"(?:__)?[a-z0-9][a-z0-9._-]{0,62}")]
KeyId = Annotated[str, _text(r"[a-z0-9][a-z0-9._:/-]{0,126}")]
KeyPath = Annotated[
    str, _text(r"(?:keys|wallets|agents)(?:/[a-z0-9][a-z0-9_-]{0,62}){1,5}"), Field(max_length=256)
]
# No part begins with a dot, so no part is ``.`` or ``..``.
SecretPath = Annotated[
    str,
    _text(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,62}){0,7}"),
    Field(max_length=256),
]
IdempotencyKey = Annotated[str, _text(r"[\x21-\x7e]{1,128}")]
Text = Annotated[str, Field(max_length=TEXT_MAX)]
