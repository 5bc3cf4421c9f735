"""Revocation lists: required, trusted, in force, complete, and what they revoke."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding

from signer.attestation.verify.certificates import AMD_PSS
from signer.attestation.verify.errors import Code
from signer.attestation.verify.evidence import Evidence
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation
from sixgate.simulated_platform.certificates import SimulatedAuthority
from tests.harness.builders.attestation import (
    AT,
    authority,
    authority_keys,
    crl,
    other_keys,
    refused,
    simulated_evidence,
    simulated_policy,
    verified,
    with_one_bit_unused,
    with_one_byte_less,
)

DAY = timedelta(days=1)


def with_list(der: bytes | None) -> Evidence:
    return replace(simulated_evidence(), crl=der)


def test_evidence_without_a_list_is_refused_unless_the_list_is_optional() -> None:
    refused(Code.CRL_MISSING, with_list(None))
    assert not verified(with_list(None), simulated_policy(crl="optional")).revocation_checked


def test_a_list_of_another_root_is_refused_even_if_optional() -> None:
    forged = SimulatedAuthority.create(other_keys(), Generation.MILAN, AT).revocation_list(AT)
    for policy in (simulated_policy(), simulated_policy(crl="optional")):
        refused(Code.CRL_UNTRUSTED, with_list(forged), policy)
        refused(Code.CRL_UNTRUSTED, with_list(crl(Generation.GENOA)), policy)
        refused(Code.CRL_MALFORMED, with_list(b"\x30\x00"), policy)


def test_a_list_that_has_expired_is_refused() -> None:
    old = authority().revocation_list(AT - 31 * DAY)
    refused(Code.CRL_EXPIRED, with_list(old))
    early = authority().revocation_list(AT + DAY)
    refused(Code.CRL_EARLY, with_list(early))


def test_a_revoked_ask_is_refused() -> None:
    ask, asvk = (authority().intermediates[kind] for kind in SigningKey)
    refused(Code.REVOKED, with_list(authority().revocation_list(AT, [ask])))
    refused(Code.REVOKED, with_list(authority().revocation_list(AT, [authority().root])))
    verified(with_list(authority().revocation_list(AT, [asvk])))


@pytest.mark.parametrize("padding", [PSS(MGF1(SHA384()), 32), None])
def test_a_list_with_another_signature_algorithm_is_refused(padding: PSS | None) -> None:
    refused(Code.CERTIFICATE_ALGORITHM, with_list(own_list(padding=padding)))


@pytest.mark.parametrize("odd", [with_one_bit_unused, with_one_byte_less])
def test_another_encoding_of_a_list_is_refused(odd: Callable[..., tuple[bytes, bytes]]) -> None:
    """The X.509 library accepts both."""
    der, other = odd(lambda: authority().revocation_list(AT))
    verified(with_list(der))
    refused(Code.CRL_MALFORMED, with_list(other))


def test_a_partial_list_is_refused() -> None:
    """A delta list may omit earlier revocations."""
    refused(Code.CRL_MALFORMED, with_list(own_list(x509.DeltaCRLIndicator(1))))


def own_list(extension: x509.ExtensionType | None = None, padding: PSS | None = AMD_PSS) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority().root.subject)
        .last_update(AT)
        .next_update(AT + DAY)
    )
    if extension:
        builder = builder.add_extension(extension, critical=True)
    signed = builder.sign(authority_keys().root, SHA384(), rsa_padding=padding)
    return signed.public_bytes(Encoding.DER)
