"""Processor generations: recognised by CPUID, each with pinned certificates and a TCB layout.

The digests are SHA-256 of the DER of the root (ARK) and both intermediates (ASK for VCEKs, ASVK for
VLEKs), as served by AMD's key distribution service. They are the trust anchors.
"""

from dataclasses import dataclass

from signer.attestation.verify.tcb import FIRST_LAYOUT, TURIN_LAYOUT, Generation, Layout


@dataclass(frozen=True, slots=True)
class Profile:
    """Constants of a generation; digests in hex."""

    product: str
    layout: Layout
    hwid_bytes: int
    structure_version: int
    ark: str
    ask: str
    asvk: str


CHIP_ID_BYTES = 64
PROFILES: dict[Generation, Profile] = {
    Generation.MILAN: Profile(
        "Milan",
        FIRST_LAYOUT,
        hwid_bytes=CHIP_ID_BYTES,
        structure_version=0,
        ark="69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
        ask="67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b",
        asvk="c5e081f59b7efab1fe2f8b505e159704e72f29cab7ef7cf628a05a42439082f5",
    ),
    Generation.GENOA: Profile(
        "Genoa",
        FIRST_LAYOUT,
        hwid_bytes=CHIP_ID_BYTES,
        structure_version=0,
        ark="4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
        ask="5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521",
        asvk="197e610743a917d6b9bb982a5a9226ccc0a15b611be0619e626aca9151457372",
    ),
    Generation.TURIN: Profile(
        "Turin",
        TURIN_LAYOUT,
        hwid_bytes=8,
        structure_version=1,
        ark="1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
        ask="5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185",
        asvk="104e10a8bd060a3c20a434261a57d0588fd65a88915b4f65b08bdecaf8df1a3c",
    ),
}

_MODELS: tuple[tuple[int, range, Generation], ...] = (
    (0x19, range(0x10), Generation.MILAN),
    (0x19, range(0x10, 0x20), Generation.GENOA),
    (0x19, range(0xA0, 0xB0), Generation.GENOA),
    (0x1A, range(0x12), Generation.TURIN),
)


def generation_of_cpu(family: int, model: int) -> Generation | None:
    """Return the generation of a CPUID's combined family and model; None if unknown."""
    for known, models, generation in _MODELS:
        if family == known and model in models:
            return generation
    return None


def generation_of_root(digest: str) -> Generation | None:
    """Return the generation whose ARK has this SHA-256 (hex); None if unknown."""
    return next((name for name, profile in PROFILES.items() if profile.ark == digest), None)
