"""Evidence with defects, each with the verification step that must reject it.

A defect with step None may occur in real evidence. The steps are written here a second time, from
the reference, independent of the code under test.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding

from signer.attestation.verify.certificates import LEAF_NAMES
from signer.attestation.verify.evidence import EncodedChain, Evidence
from signer.attestation.verify.policy import VerificationPolicy
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation
from sixgate.simulated_platform.certificates import SimulatedAuthority, amd_extensions, issue
from sixgate.simulated_platform.platform import SimulatedChip, SimulatedPlatform
from tests.harness.builders.attestation import (
    AT,
    AT_MS,
    BINDING,
    VLEK_TERMS,
    authority,
    authority_keys,
    other_keys,
    simulated_policy,
)

ARC = "1.3.6.1.4.1.3704.1."
DAY_MS = 86_400_000
LEAF_DAYS = 60
ORDER = int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)
R, S = 0x2A0, 0x2E8
MILAN, GENOA, TURIN = Generation
VCEK, VLEK = SigningKey
FIRST = (MILAN, GENOA)
Raw = Callable[[bytes], bytes]
Swap = Callable[[EncodedChain, Generation, SigningKey], EncodedChain]
List = Callable[[Generation], bytes | None]


@dataclass(frozen=True)
class Defect:
    """A difference from good evidence; two defects of one ``slot`` exclude each other.

    ``leaf`` has AMD's extensions by number, None to omit one. ``policy`` has changes of the
    verifier's policy. ``of`` and ``kinds`` are the generations and kinds that can have the defect.
    """

    name: str
    slot: str
    step: int | None
    fields: dict[str, Any] = field(default_factory=dict)
    leaf: dict[str, bytes | None] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    raw: Raw | None = None
    swap: Swap | None = None
    crl: List | None = None
    days: int = 0
    of: tuple[Generation, ...] = tuple(Generation)
    kinds: tuple[SigningKey, ...] = tuple(SigningKey)

    def __repr__(self) -> str:
        return self.name


@cache
def chip_of(generation: Generation) -> SimulatedChip:
    return SimulatedChip.generate(generation, bytes(range(1, 65)))


@cache
def platform_of(generation: Generation, kind: SigningKey) -> SimulatedPlatform:
    return SimulatedPlatform(authority(generation), chip_of(generation), kind, AT)


@cache
def forger(generation: Generation) -> SimulatedAuthority:
    """Return another authority that uses AMD's names."""
    return SimulatedAuthority.create(other_keys(), generation, AT)


def defective_evidence(
    generation: Generation, kind: SigningKey, defects: Iterable[Defect]
) -> tuple[Evidence, VerificationPolicy, int]:
    """Return evidence with all of these defects, the verifier's policy and its time (ms)."""
    chip = platform_of(generation, kind)
    fields: dict[str, Any] = {"report_data": BINDING.report_data()}
    extensions_by_number: dict[str, bytes | None] = {}
    terms: dict[str, Any] = dict(VLEK_TERMS) if kind is VLEK else {}
    own = authority(generation)
    revoked: bytes | None = own.revocation_list(AT)
    at_ms = AT_MS
    for one in defects:
        fields |= one.fields
        extensions_by_number |= one.leaf
        terms |= one.policy
        at_ms += one.days * DAY_MS
        revoked = one.crl(generation) if one.crl else revoked
    if kind is VLEK and not fields.get("key_info", 0) >> 2:
        fields["key_info"] = fields.get("key_info", 0) | 1 << 2
    report, chain = chip.sign(fields), chip.certificates
    if extensions_by_number:
        chain = EncodedChain(
            defective_leaf(generation, kind, extensions_by_number), chain.intermediate, chain.root
        )
    for one in defects:
        report = one.raw(report) if one.raw else report
        chain = one.swap(chain, generation, kind) if one.swap else chain
    return Evidence(report, chain, revoked), simulated_policy(generation, **terms), at_ms


def defective_leaf(
    generation: Generation, kind: SigningKey, extensions_by_number: dict[str, bytes | None]
) -> bytes:
    """Return a leaf signed by the intermediate, with these values of AMD's extensions."""
    chip, middle = platform_of(generation, kind), authority_keys().intermediates[kind]
    held: dict[str, bytes | None] = {
        extension.oid.dotted_string.removeprefix(ARC): extension.value
        for extension, _ in amd_extensions(chip.endorsement, generation)
        if isinstance(extension, x509.UnrecognizedExtension)
    }
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.UnrecognizedExtension(x509.ObjectIdentifier(ARC + number), value), False)
        for number, value in reversed((held | extensions_by_number).items())
        if value is not None
    ]
    name = f"SEV-{'VLEK-' if kind is VLEK else ''}{generation.title()}"
    key = chip_of(generation).key.public_key()
    made = issue((LEAF_NAMES[kind], key), (name, middle), AT, LEAF_DAYS, extensions)
    return der(made)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def overwrite_bytes(at: int, content: bytes) -> Raw:
    return lambda raw: raw[:at] + content + raw[at + len(content) :]


def flip_bit(at: int) -> Raw:
    return lambda raw: overwrite_bytes(at, bytes((raw[at] ^ 1,)))(raw)


def high_s(raw: bytes) -> bytes:
    return overwrite_bytes(
        S, (ORDER - int.from_bytes(raw[S : S + 48], "little")).to_bytes(48, "little")
    )(raw)


def big_endian(raw: bytes) -> bytes:
    return overwrite_bytes(S, raw[S : S + 48][::-1])(overwrite_bytes(R, raw[R : R + 48][::-1])(raw))


def sign_with_another_chip(raw: bytes) -> bytes:
    """Return a report with another chip's signature over the same bytes."""
    signature = ec.generate_private_key(ec.SECP384R1()).sign(raw[:R], ec.ECDSA(SHA384()))
    r, s = (value.to_bytes(72, "little") for value in decode_dss_signature(signature))
    return overwrite_bytes(R, r + s)(raw)


def next_chain(_: EncodedChain, generation: Generation, kind: SigningKey) -> EncodedChain:
    made = list(Generation)
    return platform_of(made[(made.index(generation) + 1) % 3], kind).certificates


def other_middle(chain: EncodedChain, generation: Generation, kind: SigningKey) -> EncodedChain:
    other = platform_of(generation, VLEK if kind is VCEK else VCEK).certificates
    return EncodedChain(chain.leaf, other.intermediate, chain.root)


def forged_middle(chain: EncodedChain, generation: Generation, kind: SigningKey) -> EncodedChain:
    return EncodedChain(chain.leaf, der(forger(generation).intermediates[kind]), chain.root)


def forged_root(chain: EncodedChain, generation: Generation, _: SigningKey) -> EncodedChain:
    return EncodedChain(chain.leaf, chain.intermediate, der(forger(generation).root))


def forged_chain(_: EncodedChain, generation: Generation, kind: SigningKey) -> EncodedChain:
    return SimulatedPlatform(forger(generation), chip_of(generation), kind, AT).certificates


def of_days(days: int) -> List:
    return lambda generation: authority(generation).revocation_list(AT + timedelta(days=days))


def revoking(*kinds: SigningKey) -> List:
    def made(generation: Generation) -> bytes:
        own = authority(generation)
        return own.revocation_list(AT, [own.intermediates[kind] for kind in kinds])

    return made


HARMLESS = (
    Defect("version 3", "version", None, {"version": 3}),
    Defect("a high s", "signature", None, raw=high_s),
    Defect("every known permission but CXL's", "guest", None, {"policy": 0x3D3001F}),
    Defect("an author key", "key", None, {"key_info": 1, "author_key_digest": b"\x07" * 48}),
    Defect("unknown platform bits", "platform", None, {"platform_info": 2**64 - 1}),
    Defect("firmware that is not committed", "firmware", None, {"current_build": 90}),
    Defect("an old launch", "launch", None, {"launch_tcb": bytes(8)}),
    Defect("a stepping", "product", None, leaf={"2": b"\x16\x08Milan-B1"}, of=(MILAN,)),
    Defect("an unknown extension", "more", None, leaf={"6": b"\x05\x00"}),
    Defect("no reserved levels", "more", None, leaf=dict.fromkeys(("3.4", "3.5", "3.6", "3.7"))),
    Defect(
        "the other kind's intermediate revoked", "list", None, crl=revoking(VLEK), kinds=(VCEK,)
    ),
    Defect(
        "no list that is asked for", "list", None, crl=lambda _: None, policy={"crl": "optional"}
    ),
    Defect("the last day of the list", "time", None, days=30),
    Defect(
        "a chip that may be masked",
        "chip",
        None,
        {"chip_id": bytes(64)},
        policy={"masked_chip_allowed": True},
        kinds=(VLEK,),
    ),
)
IN_THE_REPORT = (
    Defect("version 4", "version", 1, {"version": 4}),
    Defect("version 6", "version", 1, {"version": 6}),
    Defect("version 2", "version", 1, {"version": 2, "cpu_family": 0, "cpu_model": 0}),
    Defect("another algorithm", "algorithm", 1, {"signature_algorithm": 2}),
    Defect("a reserved bit of the keys", "key", 1, {"key_info": 1 << 5}),
    Defect("an unknown permission", "guest", 1, {"policy": 0x4030000}),
    Defect("no bit 17", "guest", 1, {"policy": 0x10000}),
    Defect("a reserved byte", "reserved", 1, raw=overwrite_bytes(0x4C, b"\x01")),
    Defect(
        "the last reserved byte that is signed", "reserved", 1, raw=overwrite_bytes(0x29F, b"\x01")
    ),
    Defect("bytes behind r", "reserved", 1, raw=overwrite_bytes(R + 48, b"\x01")),
    Defect("bytes that nobody signed", "reserved", 1, raw=overwrite_bytes(0x49F, b"\x01")),
    Defect("a report that is cut short", "reserved", 1, raw=lambda raw: raw[:-1]),
    Defect("a table behind the report", "reserved", 1, raw=lambda raw: raw + bytes(24)),
    Defect("no signing key", "key", 2, {"key_info": 7 << 2}),
    Defect("a reserved signing key", "key", 2, {"key_info": 3 << 2}),
    Defect("a processor to come", "cpu", 2, {"cpu_family": 0x1A, "cpu_model": 0x50}),
    Defect("an older processor", "cpu", 2, {"cpu_family": 0x17, "cpu_model": 1}),
    Defect("a level that no layout has", "launch", 2, {"launch_tcb": b"\0\0\0\0\0\1\0\0"}),
    Defect(
        "a kind that does not count",
        "kind",
        2,
        policy={"signing_keys": VLEK_TERMS["signing_keys"]},
        kinds=(VCEK,),
    ),
)
IN_THE_CHAIN = (
    Defect("the next generation's chain", "chain", 3, swap=next_chain),
    Defect("the other kind's intermediate", "chain", 3, swap=other_middle),
    Defect("a forged intermediate", "chain", 3, swap=forged_middle),
    Defect("a forged root", "chain", 3, swap=forged_root),
    Defect("a forged chain", "chain", 3, swap=forged_chain),
    Defect("no simulated root believed", "root", 3, policy={"simulated_root": None}),
    Defect("another root's list", "list", 3, crl=lambda one: forger(one).revocation_list(AT)),
    Defect("no list", "list", 3, crl=lambda _: None),
    Defect("an old list", "list", 3, crl=of_days(-31)),
    Defect("a list to come", "list", 3, crl=of_days(31)),
    Defect("a list that is none", "list", 3, crl=lambda _: b"\x30\x00"),
    Defect("a revoked intermediate", "list", 3, crl=revoking(VCEK, VLEK)),
    Defect("a time before the certificates", "time", 3, days=-1),
    Defect("a time after the certificates", "time", 3, days=30 * 365),
    Defect("another chip's signature", "signature", 4, raw=sign_with_another_chip),
    Defect("a turned bit of r", "signature", 4, raw=flip_bit(R)),
    Defect("a turned bit of s", "signature", 4, raw=flip_bit(S + 47)),
    Defect("r of zero", "signature", 4, raw=overwrite_bytes(R, bytes(48))),
    Defect("s of the order", "signature", 4, raw=overwrite_bytes(S, ORDER.to_bytes(48, "little"))),
    Defect("no signature", "signature", 4, raw=overwrite_bytes(R, bytes(96))),
    Defect("a signature the other way round", "signature", 4, raw=big_endian),
    Defect("a signed byte changed", "signed", 4, raw=flip_bit(0x00C0)),
)
IN_THE_LEAF = (
    Defect("another product", "product", 5, leaf={"2": b"\x16\x06Venice"}),
    Defect("a product that only begins so", "product", 5, leaf={"2": b"\x16\x08Milanese"}),
    Defect("a product in UTF-8", "product", 5, leaf={"2": b"\x0c\x05Milan"}),
    Defect("another structure", "structure", 5, leaf={"1": b"\x02\x01\x02"}),
    Defect("no structure", "structure", 5, leaf={"1": None}),
    Defect("a higher level", "level", 5, leaf={"3.3": b"\x02\x01\x1c"}),
    Defect("a level in two bytes", "level", 5, leaf={"3.3": b"\x02\x02\x00\x1b"}),
    Defect("a negative level", "level", 5, leaf={"3.8": b"\x02\x01\xde"}),
    Defect("a level in BER", "level", 5, leaf={"3.3": b"\x02\x81\x01\x1b"}),
    Defect("no level", "level", 5, leaf={"3.2": None}),
    Defect("a level of FMC", "level", 5, leaf={"3.9": b"\x02\x01\x01"}, of=FIRST),
    Defect("no level of FMC", "level", 5, leaf={"3.9": None}, of=(TURIN,)),
    Defect("a reserved level that is set", "more", 5, leaf={"3.5": b"\x02\x01\x01"}),
    Defect("a level that nobody knows", "more", 5, leaf={"3.10": b"\x02\x01\x01"}),
    Defect("another chip", "identity", 5, leaf={"4": b"\x05" * 64}, of=FIRST, kinds=(VCEK,)),
    Defect(
        "another chip of eight bytes",
        "identity",
        5,
        leaf={"4": b"\x05" * 8},
        of=(TURIN,),
        kinds=(VCEK,),
    ),
    Defect("a chip of another size", "identity", 5, leaf={"4": b"\x05" * 32}, kinds=(VCEK,)),
    Defect("no chip", "identity", 5, leaf={"4": None}, kinds=(VCEK,)),
    Defect("a VCEK of a provider", "identity", 5, leaf={"5": b"\x16\x04CN=x"}, kinds=(VCEK,)),
    Defect("a VLEK of a chip", "identity", 5, leaf={"4": b"\x05" * 8}, kinds=(VLEK,)),
    Defect("another provider", "identity", 5, leaf={"5": b"\x16\x04CN=x"}, kinds=(VLEK,)),
    Defect("a report of another TCB", "tcb", 5, {"reported_tcb": bytes(8)}),
    Defect("a report of another chip", "chip", 5, {"chip_id": b"\x0f" * 64}, kinds=(VCEK,)),
    Defect("a chip that is masked", "chip", 5, {"chip_id": bytes(64)}),
    Defect("a key that is masked", "key", 5, {"key_info": 2}),
)
IN_THE_GUEST = (
    Defect("another binding", "data", 6, {"report_data": bytes(64)}),
    Defect("half a binding", "data", 6, {"report_data": BINDING.report_data()[:32] + bytes(32)}),
    Defect("a debugger", "guest", 7, {"policy": 0xB0000}),
    Defect("a migration agent", "guest", 7, {"policy": 0x70000}),
    Defect("CXL memory", "guest", 7, {"policy": 0x230000}),
    Defect("VMPL 1", "vmpl", 7, {"vmpl": 1}),
    Defect("VMPL 2**32 - 1", "vmpl", 7, {"vmpl": 2**32 - 1}),
    Defect(
        "one socket that is asked for", "socket", 7, policy={"guest_policy_must_set": "0x100000"}
    ),
    Defect("another measurement", "measurement", 8, {"measurement": bytes(48)}),
    Defect("no measurement listed", "listed", 8, policy={"measurements": ()}),
    Defect("another host's data", "host", 8, policy={"host_data": "0x" + "07" * 32}),
    Defect("no author", "author", 8, policy={"author_key_digests": ("0x" + "00" * 48,)}),
    Defect("an old guest", "svn", 8, policy={"guest_svn_min": 1}),
    Defect("a committed level below the floor", "committed", 9, {"committed_tcb": bytes(8)}),
    Defect("old committed firmware", "firmware", 9, {"committed_minor": 1}, of=FIRST),
    Defect("no check for aliases", "platform", 9, {"platform_info": 0x5}),
    Defect("hyper-threads that may not be", "threads", 9, policy={"platform_must_clear": "0x1"}),
)
ODDITIES = HARMLESS + IN_THE_REPORT + IN_THE_CHAIN + IN_THE_LEAF + IN_THE_GUEST
