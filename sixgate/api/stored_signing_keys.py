"""Private keys that people store by PUT and that sign through ``signing_key_path``.

A raw secp256k1 key at a path below ``keys/`` or ``wallets/`` becomes a signing key of the account
at the same path, which only the signer opens. The secret that is stored at the path holds the
address of the key and no key. It cannot be read either (``key_signs``): earlier versions stored
the key itself there.

1. Import the signing key. *If the process ends here, the key exists and no agent may sign with it.
   Storing the same value again continues.*
2. Store the secret with the address. *If the process ends here, the secret exists and no policy
   lets an agent sign. Storing the same value again makes another version and continues.*
3. Note that the secret is a signing key, and grant the right to sign with it to everyone whose
   policies permit to read it.

The order has a reason: a key that cannot be imported is refused before anything is stored.

Only keys in vaults without client shares, providers and customer keys are imported: their owners
chose that Sixgate alone cannot open them, and signing keys are in another vault.
"""

import re

from schemas.keys.curves import Curve
from schemas.registry.key_chains import KeyChain
from signer.custody import curves
from signer.custody.buffers import wipe
from signer.custody.custody_modes import PLANS
from signer.custody.errors import CorruptError
from signer.keys.addresses.derivation import canonical_address, derive, display_address
from signer.keys.descriptor import KeyDescriptor
from signer.keys.paths import chain_at
from signer.keys.vault_paths import default_vaults
from sixgate.api.problems import Problem
from sixgate.api.services import Services
from sixgate.api.vault_lookup import KnownVault, fingerprints_of
from sixgate.api_error import retry_overtaken
from sixgate.authoring import operator
from sixgate.authoring.key_text import KeyFormatError, read_key_text
from sixgate.authoring.operator import KeyTarget

_PATH = re.compile(r"(?:keys|wallets)(?:/[a-z0-9][a-z0-9_-]{0,62}){1,5}", re.ASCII)


def importable_key(
    services: Services, known: KnownVault, path: str, value: bytes | bytearray
) -> bytearray | None:
    """Return the raw key in a value if it can be a signing key at a path, otherwise None.

    The caller wipes it.
    """
    layered = fingerprints_of(services, known.vault)
    if known.vault.mode != "envelope" or layered or not _PATH.fullmatch(path):
        return None
    if chain_at(path) not in (None, KeyChain.ETHEREUM):
        return None
    try:
        secret = read_key_text(bytearray(value))
    except KeyFormatError:
        return None
    try:
        curves.public_key(Curve.SECP256K1, secret)
    except CorruptError:
        wipe(secret)
        return None
    return secret


def import_key(services: Services, known: KnownVault, path: str, secret: bytearray) -> str:
    """Import a signing key (step 1) unless it is imported; return its address with checksum.

    Raises a 409 problem if another key is at the path, or the key is at another path.
    """
    address = _address(secret)
    keys = services.backend.read.vaults.keys
    found = keys.find(services.account, path)
    owner = services.secret_versions.vault_of_signing_key(path)
    shown = display_address(KeyChain.ETHEREUM, address)
    if found is not None and owner in (None, known.id) and _is_active_import(found, address):
        return shown
    if found is not None:
        raise _taken(found)
    if address in keys.by_address:
        account, other = keys.by_address[address]
        where = f" at {other}" if account == services.account else ""
        detail = f"The key with address {shown} already signs{where}: use another key."
        raise Problem(409, "signing_key_exists", detail)
    _import(services, path, secret)
    return shown


def check_no_signing_key(services: Services, path: str) -> None:
    """Raise a 409 problem if the account has, or had, a signing key at the path of a private key.

    A signing key cannot be replaced by a value, and beside one the value could never be read.
    """
    found = services.backend.read.vaults.keys.find(services.account, path)
    if found is not None:
        raise _taken(found)


def deactivate_key(services: Services, known: KnownVault, path: str) -> None:
    """Deactivate the signing key that was imported from a secret, if any; it never signs again."""
    found = services.backend.read.vaults.keys.find(services.account, path)
    owner = services.secret_versions.vault_of_signing_key(path)
    if found is not None and found.active and owner == known.id:
        target = KeyTarget(services.account, path, found.chain, found.vault)
        operator.deactivate(services.desk.admin(), target, found.version)


def deactivate_keys(services: Services, known: KnownVault) -> None:
    """Deactivate all signing keys that were imported from secrets of a vault."""
    for path in services.secret_versions.signing_keys(known.id):
        deactivate_key(services, known, path)


def _import(services: Services, path: str, secret: bytearray) -> None:
    target = KeyTarget(services.account, path, KeyChain.ETHEREUM, _key_vault(services, path))
    retry_overtaken(
        lambda: operator.import_key(services.desk.admin(), target, secret), "registry_refused"
    )


def _key_vault(services: Services, path: str) -> str:
    """Return the vault for an imported key: the last default one that needs no client share."""
    vaults = services.backend.read.registered.vaults
    known = [vaults.get((services.account, name)) for name in default_vaults(path)]
    usable = [
        vault.name for vault in known if vault is not None and not PLANS[vault.mode].needs_client
    ]
    if not usable:
        raise Problem(
            409,
            "key_vault_needs_share",
            "The vaults of signing keys need client shares: import the key with sixgate keys.",
        )
    return usable[-1]


def _address(secret: bytearray) -> str:
    public_key = curves.public_key(Curve.SECP256K1, secret)
    return canonical_address(KeyChain.ETHEREUM, derive(KeyChain.ETHEREUM, public_key))


def _is_active_import(found: KeyDescriptor, address: str) -> bool:
    return found.imported and found.active and found.address == address


def _taken(found: KeyDescriptor) -> Problem:
    state = "signs with" if found.active else "is deactivated and had"
    address = display_address(found.chain, found.address)
    return Problem(
        409,
        "signing_key_exists",
        f"{found.path} {state} address {address}: a signing key cannot be replaced by a "
        "stored value. Store the new key at another path.",
    )
