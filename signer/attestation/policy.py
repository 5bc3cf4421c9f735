"""What a verifier accepts, as one canonical value with a digest.

The defaults are production's: what is not said is refused, or held to the strictest known value.
``docs/attestation.md`` explains every field.
"""

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.canonical import Canonical, digest
from schemas.fields import Count, Digest
from signer.attestation.binding import Purpose
from signer.attestation.generations import Generation
from signer.attestation.report import SigningKey
from signer.attestation.tcb import Tcb

POLICY_TAG = "sixgate/attestation-policy/v1"
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
Level = Annotated[int, Field(ge=0, le=255)]
DigestList = Annotated[tuple[Bytes48, ...], Field(min_length=1, max_length=256)]


# AMD-SB-3019 (SNP levels) and AMD-SB-3015 (firmware against BadRAM). No such floor is known for
# Turin, so a policy that accepts it has to say one.
KNOWN_FLOORS: dict[str, dict[str, Any]] = {
    Generation.MILAN: {"snp_min": 0x18, "firmware_min": "1.55.22"},
    Generation.GENOA: {"snp_min": 0x17, "firmware_min": "1.55.38"},
}


class GenerationFloor(Canonical):
    """A generation that is accepted, and what its firmware is at least.

    ``snp_min`` and ``firmware_min`` are the known ones unless said otherwise. ``firmware_min`` is
    major.minor.build of the committed firmware; ``mitigations_required`` are bits of
    CURRENT_MIT_VECTOR, which only reports of version 5 have.
    """

    generation: Generation
    boot_loader_min: Level = 0
    tee_min: Level = 0
    snp_min: Level
    microcode_min: Level = 0
    fmc_min: Level = 0
    firmware_min: Firmware = "0.0.0"
    mitigations_required: Mask64 = "0x0"

    @model_validator(mode="before")
    @classmethod
    def _at_least_what_is_known(cls, said: Any) -> Any:
        """Fill in the known floor: to name a generation must not mean to accept any firmware."""
        match said:
            case {"generation": str(generation)}:
                return KNOWN_FLOORS.get(generation, {}) | said
        return said

    def tcb(self) -> Tcb:
        """Return the floor of every component."""
        return Tcb(
            self.boot_loader_min, self.tee_min, self.snp_min, self.microcode_min, self.fmc_min
        )


class VerificationPolicy(Canonical):
    """What evidence must show; bytes and masks in 0x hex.

    Never accepted, whatever a policy says: a guest that may be debugged or migrated.
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
    def _names_each_generation_once(self) -> Self:
        counts = Counter(floor.generation for floor in self.generations)
        if counts.total() != len(counts):
            raise ValueError("generations name one of them twice")
        return self

    def floor(self, generation: Generation) -> GenerationFloor | None:
        """Return what is asked of a generation; None if it is not accepted."""
        return next((one for one in self.generations if one.generation is generation), None)

    def for_purpose(self, purpose: Purpose) -> Self:
        """Return the policy that asks the same of a report for another purpose."""
        return self.model_copy(update={"purpose": purpose})

    def digest(self) -> str:
        """Return what names the policy in records (0x hex)."""
        return digest(POLICY_TAG, self.encode())
