"""Client shares: sealed for the client when a version is made, opened when the client sends one."""

from typing import Protocol

from schemas.fields import X25519PublicKey
from schemas.intents.intent_parts import ClientShare
from schemas.keys.client_share import ClientShareContext
from signer.core.registry.vault import Vault
from signer.custody.context import SecretContext
from signer.custody.custody_modes import PLANS
from signer.custody.errors import ClientShareMissingError
from signer.custody.hpke import seal_for


class ShareBoxes(Protocol):
    """Opens the shares that clients seal for the signer."""

    def open(self, share: ClientShare, context: bytes) -> bytearray:
        """Return a client share in a buffer the caller wipes; raise ``CustodyError``."""
        ...


class NoShareBoxes:
    """The ``ShareBoxes`` of a signer that has no share key."""

    def open(self, share: ClientShare, context: bytes) -> bytearray:  # noqa: ARG002 - a port
        """Raise ``ClientShareMissingError``."""
        raise ClientShareMissingError("This signer has no share key: it opens no client share.")


def require_client(vault: Vault, share_for: X25519PublicKey | None) -> None:
    """Raise ``ClientShareMissingError`` unless an order names a client key exactly if needed."""
    if PLANS[vault.mode].needs_client is not (share_for is not None):
        verb = "must" if PLANS[vault.mode].needs_client else "cannot"
        raise ClientShareMissingError(
            f"An order in a vault of mode {vault.mode} {verb} name the client's public key."
        )


def seal_for_client(
    share_for: X25519PublicKey | None, context: SecretContext, share: bytearray | None
) -> bytes | None:
    """Return the client share, if any, sealed for the client; raise ``ClientShareMissingError``."""
    if share is None or share_for is None:
        return None
    return seal_share(share_for, context, share)


def seal_share(share_for: X25519PublicKey, context: SecretContext, share: bytearray) -> bytes:
    """Return a share sealed for the client; raise ``ClientShareMissingError`` for a bad key."""
    try:
        return seal_for(share_for, share, _share_context(context).to_client())
    except ValueError:
        raise ClientShareMissingError(
            "The client key in the order is not a valid X25519 public key: fix it and order again."
        ) from None


def share_info(share: ClientShare, context: SecretContext, agent: str) -> bytes:
    """Return the HPKE ``info`` under which an agent seals its share of a version.

    Raises ``ClientShareMissingError`` if the share names another version.
    """
    if share.key_version != context.version:
        raise ClientShareMissingError(
            f"The share is of version {share.key_version} of {context.path}, but version "
            f"{context.version} is needed: send the share of that version."
        )
    return _share_context(context).to_signer(agent)


def _share_context(context: SecretContext) -> ClientShareContext:
    return ClientShareContext(**context.model_dump(exclude={"mode"}))
