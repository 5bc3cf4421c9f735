"""Public root of the simulated platform, for machines without SEV-SNP.

Its private keys are public, in ``public_root.json`` beside this file: their signatures prove
nothing, and no secrecy suggests otherwise. The root is not among the pinned ones, so a policy
accepts it only by naming ``SIMULATED_ROOT``, and results verified under it are marked simulated.
"""

import base64
import json
from functools import cache
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509 import load_der_x509_certificate

from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation
from sixgate.simulated_platform.certificates import (
    AuthorityCertificates,
    AuthorityKeys,
    SimulatedAuthority,
)

GENERATION = Generation.MILAN
_FILE = Path(__file__).with_name("public_root.json")


@cache
def public_authority() -> SimulatedAuthority:
    """Load the authority; it issues VCEKs of Milan."""
    decoded = {
        name: base64.b64decode(text) for name, text in json.loads(_FILE.read_bytes()).items()
    }
    root, intermediate = (
        load_der_x509_certificate(decoded[name]) for name in ("root", "intermediate")
    )
    keys = AuthorityKeys(
        _key(decoded["root_key"]), {SigningKey.VCEK: _key(decoded["intermediate_key"])}
    )
    certificates = AuthorityCertificates(root, {SigningKey.VCEK: intermediate})
    return SimulatedAuthority(keys, GENERATION, certificates)


def _key(der: bytes) -> RSAPrivateKey:
    # Validating the RSA key again would take longer than the rest of a start.
    key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    return cast(RSAPrivateKey, key)
