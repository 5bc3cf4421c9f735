"""A vault's client: who gets its share of a version, and how a share comes back."""

from typing import Protocol

from schemas.client_share import ClientShare, ClientShareContext
from schemas.fields import X25519PublicKey
from signer.custody.context import SecretContext
from signer.custody.errors import ClientShareMissingError
from signer.custody.hpke import seal_for
from signer.vaults.vault import Vault


class ShareBoxes(Protocol):
    """Who opens what clients seal for the signer."""

    def open(self, share: ClientShare, context: bytes) -> bytearray:
        """Return a client's share, in a buffer the caller wipes; raise ``CustodyError``."""
        ...


class NoShareBoxes:
    """A signer to which nobody can seal a share."""

    def open(self, share: ClientShare, context: bytes) -> bytearray:  # noqa: ARG002 - a port
        """Refuse."""
        raise ClientShareMissingError("This signer has no share key: no client's share opens.")


def require_client(vault: Vault, share_for: X25519PublicKey | None) -> None:
    """Raise ``ClientShareMissingError`` unless somebody is to get the share, if there is one."""
    if vault.plan.needs_client is not (share_for is not None):
        raise ClientShareMissingError(
            f"An order in a vault of mode {vault.mode} names the client's public key exactly if "
            "the mode has a client's share."
        )


def seal_for_client(
    share_for: X25519PublicKey | None, context: SecretContext, share: bytearray | None
) -> bytes | None:
    """Return the client's share sealed for the client; raise ``ClientShareMissingError``."""
    if share is None or share_for is None:
        return None
    return seal_share(share_for, context, share)


def seal_share(share_for: X25519PublicKey, context: SecretContext, share: bytearray) -> bytes:
    """Return a share sealed for the client; raise ``ClientShareMissingError``."""
    try:
        return seal_for(share_for, share, _place(context).to_client())
    except ValueError:
        raise ClientShareMissingError(
            "The client's public key that the order names is none: give the order again."
        ) from None


def share_info(share: ClientShare, context: SecretContext, agent: str) -> bytes:
    """Return what an agent seals a share of a version under, for whoever is to open it.

    Raise ``ClientShareMissingError`` where it says that it is another version's.
    """
    if share.key_version != context.version:
        raise ClientShareMissingError(
            f"The share is of version {share.key_version} of {context.path}, and version "
            f"{context.version} is asked for: send that one's."
        )
    return _place(context).to_signer(agent)


def _place(context: SecretContext) -> ClientShareContext:
    return ClientShareContext(**context.model_dump(exclude={"mode"}))
