"""Verification policy: what a verifier accepts, as one canonical value with a digest.

Defaults are strict: an omitted field refuses, or requires the strictest known value.
``docs/attestation.md`` explains every field.
"""

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.canonical import Canonical, digest
from schemas.fields import Count, Digest
from signer.attestation.verify.binding import Purpose
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation, Tcb

POLICY_TAG = "sixgate/attestation-policy/v1"
SIMULATED_ROOT = "0xa896511b1ffa1b02c952fcfd8aff33c196d2016b170ad81c5a9e10784c9f84e2"
"""Digest of the simulated platform's public root, under which anyone can sign reports."""
U32_MAX = 2**32 - 1


def _hex(size: int) -> StringConstraints:
    return StringConstraints(pattern=f"^0x[0-9a-f]{{{2 * size}}}$", strict=True)


Bytes16 = Annotated[str, _hex(16)]
Bytes48 = Annotated[str, _hex(48)]
Bytes64 = Annotated[str, _hex(64)]
Mask64 = Annotated[str, StringConstraints(pattern=r"^0x(?:0|[1-9a-f][0-9a-f]{0,15})$", strict=True)]
_NUMBER = r"(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
Firmware = Annotated[
    str, StringConstraints(pattern=rf"^{_NUMBER}\.{_NUMBER}\.{_NUMBER}$", strict=True)
]
CspId = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{1,127}$", strict=True)]
Svn = Annotated[int, Field(ge=0, le=255)]
DigestList = Annotated[tuple[Bytes48, ...], Field(min_length=1, max_length=256)]


# AMD-SB-3019 (SNP firmware) and AMD-SB-3015 (firmware against BadRAM). No floor for Turin is known,
# so a policy that accepts Turin must set ``snp_min``.
KNOWN_FLOORS: dict[str, dict[str, Any]] = {
    Generation.MILAN: {"snp_min": 0x18, "firmware_min": "1.55.22"},
    Generation.GENOA: {"snp_min": 0x17, "firmware_min": "1.55.38"},
}


class GenerationFloor(Canonical):
    """An accepted generation with minimum security versions (SVN) of its firmware.

    ``snp_min`` and ``firmware_min`` default to ``KNOWN_FLOORS``. ``firmware_min`` is
    major.minor.build of the committed firmware. ``mitigations_required`` are bits of
    CURRENT_MIT_VECTOR, which only reports of version 5 have.
    """

    generation: Generation
    boot_loader_min: Svn = 0
    tee_min: Svn = 0
    snp_min: Svn
    microcode_min: Svn = 0
    fmc_min: Svn = 0
    firmware_min: Firmware = "0.0.0"
    mitigations_required: Mask64 = "0x0"

    @model_validator(mode="before")
    @classmethod
    def _default_to_known_floor(cls, fields: Any) -> Any:
        """Fill in the known floor, so that naming a generation does not accept any firmware."""
        match fields:
            case {"generation": str(generation)}:
                return KNOWN_FLOORS.get(generation, {}) | fields
        return fields

    def tcb(self) -> Tcb:
        """Return the minimum of every TCB component."""
        return Tcb(
            self.boot_loader_min, self.tee_min, self.snp_min, self.microcode_min, self.fmc_min
        )


class VerificationPolicy(Canonical):
    """Requirements on evidence; bytes and masks in 0x hex.

    No policy can accept a guest that may be debugged or migrated.
    """

    v: Literal[1] = 1
    purpose: Purpose = Purpose.CUSTOMER_ATTESTATION

    versions: Annotated[tuple[Literal[2, 3, 5], ...], Field(min_length=1)] = (3, 5)
    signing_keys: Annotated[tuple[SigningKey, ...], Field(min_length=1)] = (SigningKey.VCEK,)
    csp_ids: Annotated[tuple[CspId, ...], Field(max_length=64)] = ()
    generations: Annotated[tuple[GenerationFloor, ...], Field(min_length=1)] = tuple(
        GenerationFloor.model_validate({"generation": one}) for one in KNOWN_FLOORS
    )
    crl: Literal["required", "optional"] = "required"
    simulated_root: Digest | None = None

    chip_ids_denied: Annotated[tuple[Bytes64, ...], Field(max_length=65_536)] = ()
    masked_chip_allowed: bool = False

    vmpl_max: Annotated[int, Field(ge=0, le=3)] = 0
    guest_policy_must_set: Mask64 = "0x0"
    guest_policy_must_clear: Mask64 = "0x200000"  # CXL memory

    measurements: Annotated[tuple[Bytes48, ...], Field(max_length=4096)] | Literal["any"] = ()
    host_data: Digest | None = None
    family_id: Bytes16 | None = None
    image_id: Bytes16 | None = None
    id_key_digests: DigestList | None = None
    author_key_digests: DigestList | None = None
    guest_svn_min: Annotated[Count, Field(le=U32_MAX)] = 0

    launch_tcb_floor: bool = False
    current_tcb_committed: bool = False
    platform_must_set: Mask64 = "0x20"  # ALIAS_CHECK_COMPLETE
    platform_must_clear: Mask64 = "0x0"

    @model_validator(mode="after")
    def _generations_are_distinct(self) -> Self:
        counts = Counter(floor.generation for floor in self.generations)
        if counts.total() != len(counts):
            raise ValueError("generations lists a generation twice")
        return self

    def floor(self, generation: Generation) -> GenerationFloor | None:
        """Return the floor of a generation; None if the generation is not accepted."""
        return next((one for one in self.generations if one.generation is generation), None)

    def for_purpose(self, purpose: Purpose) -> Self:
        """Return the same policy for reports of another purpose."""
        return self.model_copy(update={"purpose": purpose})

    def digest(self) -> str:
        """Return the digest (0x hex) that identifies the policy in records."""
        return digest(POLICY_TAG, self.encode())
