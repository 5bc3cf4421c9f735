"""Custody requests only the keys of secrets, whatever its KMS rights."""

import pytest

from signer.custody.errors import KmsDeniedError
from signer.custody.identity import identity_context
from sixgate.custody.key_holders import SecretsOnlyKms
from tests.harness.builders.custody_material import HERE, root_kms

IDENTITY = identity_context(HERE.org, "signer-0")
KEYS = HERE.vault_context.model_copy(update={"vault": "__agent-keys"}).aad()


@pytest.mark.parametrize("context", [IDENTITY, KEYS, b"{}"], ids=["identity", "keys", "nothing"])
def test_custody_opens_nothing_but_secrets(context: bytes) -> None:
    kms = root_kms()
    wrapped = kms.wrap(b"\x01" * 32, context)
    with pytest.raises(KmsDeniedError, match="Custody opens"):
        SecretsOnlyKms(kms).unwrap(wrapped, context)


def test_custody_opens_the_key_of_a_vault_of_secrets() -> None:
    kms, context = root_kms(), HERE.vault_context.model_copy(update={"vault": "shop"}).aad()
    assert SecretsOnlyKms(kms).unwrap(kms.wrap(b"\x01" * 32, context), context) == b"\x01" * 32
