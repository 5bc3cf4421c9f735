"""Request to a release: its HTTP paths, and the framing and HPKE ``info`` of both boxes."""

from collections.abc import Iterable, Sequence
from typing import Literal

from schemas.canonical import Canonical, canonical_bytes, digest
from schemas.keys.release import Operation, ReleaseAsk
from signer.attestation.verify.evidence import EvidenceFile
from signer.custody.buffers import wipe
from signer.custody.errors import CorruptError

NONCES, RELEASES = "/v1/nonces", "/v1/releases"
REQUEST_BYTES_MAX = 512 * 1024
_LENGTH_BYTES = 4


class ReleaseRequest(Canonical):
    """An ask, and evidence with the release's nonce and the ask's digest as key set."""

    v: Literal[1] = 1
    type: Literal["release.request"] = "release.request"
    ask: ReleaseAsk
    evidence: EvidenceFile


def ask_box_info(
    org: str, provider: str, nonce: bytes, ephemeral_key: str, operations: Sequence[Operation]
) -> bytes:
    """Return the HPKE ``info`` of the box to a release; ``ephemeral_key`` is a digest (0x hex)."""
    encoded = canonical_bytes([operation.plain() for operation in operations])
    return canonical_bytes(
        {
            "type": "release.ask.box",
            "v": 1,
            "org": org,
            "provider": provider,
            "nonce": f"0x{nonce.hex()}",
            "ephemeral_key": ephemeral_key,
            "operations": digest("sixgate/release-operations/v1", encoded),
        }
    )


def answer_box_info(request: str, ask: str, provider: str, nonce: bytes) -> bytes:
    """Return the HPKE ``info`` of the box to the attested key: binds it to one request.

    ``request`` is the digest of the request's bytes, ``ask`` that of the ask in the report.
    """
    return canonical_bytes(
        {
            "type": "release.answer.box",
            "v": 1,
            "request": request,
            "asked": ask,
            "provider": provider,
            "nonce": f"0x{nonce.hex()}",
        }
    )


def join_frames(frames: Iterable[bytes | bytearray]) -> bytearray:
    """Join frames, each after its length (u32be), in a buffer that the caller wipes."""
    joined = bytearray()
    for frame in frames:
        wider = bytearray(len(joined) + _LENGTH_BYTES + len(frame))
        wider[: len(joined)] = joined
        wider[len(joined) : len(joined) + _LENGTH_BYTES] = len(frame).to_bytes(_LENGTH_BYTES, "big")
        wider[len(joined) + _LENGTH_BYTES :] = frame
        wipe(joined)  # growing in place could leave a copy behind
        joined = wider
    return joined


def split_frames(joined: bytearray, count: int) -> list[bytearray]:
    """Split into exactly ``count`` frames, which the caller wipes; raise ``CorruptError``."""
    frames: list[bytearray] = []
    at = 0
    with memoryview(joined) as view:
        while at < len(view) and len(frames) < count:
            starts = at + _LENGTH_BYTES
            ends = starts + int.from_bytes(view[at:starts], "big")
            if starts > len(view) or ends > len(view):
                break
            frames.append(bytearray(view[starts:ends]))
            at = ends
    if at != len(joined) or len(frames) != count:
        wipe_all(frames)
        raise CorruptError("The contents of a box do not match its operations.")
    return frames


def wipe_all(buffers: Iterable[bytes | bytearray]) -> None:
    """Overwrite every buffer that can be overwritten."""
    for buffer in buffers:
        if isinstance(buffer, bytearray):
            wipe(buffer)
