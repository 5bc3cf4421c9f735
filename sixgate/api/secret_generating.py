"""Generates random text as the next version of a secret."""

import string
from collections.abc import Callable, Mapping
from types import MappingProxyType

from signer.custody.buffers import wiping
from signer.keys.access import KEY_KINDS
from sixgate.api.callers import Caller
from sixgate.api.models.secrets import GenerateRequest
from sixgate.api.problems import Problem
from sixgate.api.secret_reading import living_versions, secret_unknown
from sixgate.api.secret_storing import NewVersion, StoredVersion, check_writable, store_version
from sixgate.api.services import Services
from sixgate.api.vault_lookup import KnownVault, fingerprints_of
from sixgate.gateway.secret_versions import Terms

ALPHABETS: Mapping[str, bytes] = MappingProxyType(
    {
        "alphanumeric": (string.ascii_letters + string.digits).encode(),
        "ascii": (string.ascii_letters + string.digits + string.punctuation).encode(),
        "base64": (string.ascii_letters + string.digits + "+/").encode(),
        "hex": b"0123456789abcdef",
        "numeric": string.digits.encode(),
    }
)
_BYTE_VALUES = 256


def generate_version(
    services: Services, caller: Caller, known: KnownVault, path: str, wanted: GenerateRequest
) -> StoredVersion:
    """Store a generated value with the type and metadata of the version before it.

    Raises a problem if there is no version, if it is a key, or if the customer encrypts values.
    """
    check_writable(services, caller, known.vault, path)
    found = living_versions(services, known, path)
    if not found:
        raise secret_unknown(known, path)
    if found[-1].kind in KEY_KINDS or wanted.type in KEY_KINDS:
        detail = f"A key cannot be generated as text: store {path} with PUT."
        raise Problem(400, "key_not_generated", detail, fields={"type": "is the type of a key"})
    if fingerprints_of(services, known.vault):
        detail = f"Only the customer can encrypt new values of {known.id}: store one with PUT."
        raise Problem(409, "cmek_enabled", detail)
    former = services.secret_versions.get(known.id, path, found[-1].version)
    terms = Terms(
        vault=known.id,
        path=path,
        version=0,
        type=former.type,
        metadata=former.metadata,
        created_by=caller.actor,
    )
    with wiping(_generated_value(services.random_hex, wanted.length, wanted.charset)) as value:
        return store_version(services, caller, known, NewVersion(path, value, terms))


def _generated_value(random_hex: Callable[[int], str], length: int, charset: str) -> bytearray:
    """Return random characters, each equally likely; the caller wipes them.

    A byte beyond the last multiple of the alphabet's size is dropped: it would favour the first
    characters.
    """
    alphabet = ALPHABETS[charset]
    limit = _BYTE_VALUES - _BYTE_VALUES % len(alphabet)
    value = bytearray()
    while len(value) < length:
        drawn = bytes.fromhex(random_hex(length))
        value.extend(alphabet[byte % len(alphabet)] for byte in drawn if byte < limit)
    del value[length:]
    return value
