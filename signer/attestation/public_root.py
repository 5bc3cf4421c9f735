"""The root of the simulated platform that machines without SEV-SNP attest themselves by.

Its private keys lie beside this file, for everybody to read: what they sign proves nothing, and
nobody is to think that it does because a key was kept. It is in no table of roots, so a policy
believes it only where it names ``SIMULATED_ROOT``, and what is verified under it says so.
"""

import base64
import json
from functools import cache
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509 import load_der_x509_certificate

from signer.attestation.generations import Generation
from signer.attestation.report import SigningKey
from signer.attestation.simulated_certificates import (
    AuthorityCertificates,
    AuthorityKeys,
    SimulatedAuthority,
)

GENERATION = Generation.MILAN
SIMULATED_ROOT = "0xa896511b1ffa1b02c952fcfd8aff33c196d2016b170ad81c5a9e10784c9f84e2"
_FILE = Path(__file__).with_name("public_root.json")


@cache
def public_authority() -> SimulatedAuthority:
    """Return the authority; it endorses VCEKs of Milan."""
    held = {name: base64.b64decode(text) for name, text in json.loads(_FILE.read_bytes()).items()}
    root, intermediate = (
        load_der_x509_certificate(held[name]) for name in ("root", "intermediate")
    )
    keys = AuthorityKeys(_key(held["root_key"]), {SigningKey.VCEK: _key(held["intermediate_key"])})
    certificates = AuthorityCertificates(root, {SigningKey.VCEK: intermediate})
    return SimulatedAuthority(keys, GENERATION, certificates)


def _key(der: bytes) -> RSAPrivateKey:
    # To prove its numbers again takes longer than all that a start has to do.
    key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    return cast(RSAPrivateKey, key)
