"""A request to a release, the boxes that travel both ways, and what each box belongs to."""

from collections.abc import Iterable, Sequence
from typing import Literal

from schemas.canonical import Canonical, canonical_bytes, digest
from schemas.release import Operation, ReleaseAsk
from signer.attestation.evidence import EvidenceFile
from signer.custody.buffers import wipe
from signer.custody.errors import CorruptError

REQUEST_BYTES_MAX = 512 * 1024
_LENGTH_BYTES = 4


class ReleaseRequest(Canonical):
    """An ask, and evidence whose nonce is the release's and whose key set is the ask's digest."""

    v: Literal[1] = 1
    type: Literal["release.request"] = "release.request"
    ask: ReleaseAsk
    evidence: EvidenceFile


def ask_box_info(
    org: str, provider: str, nonce: bytes, ephemeral_key: str, operations: Sequence[Operation]
) -> bytes:
    """Return what the box for a release belongs to; ``ephemeral_key`` is a digest (0x hex)."""
    asked = canonical_bytes([operation.plain() for operation in operations])
    return canonical_bytes(
        {
            "type": "release.ask.box",
            "v": 1,
            "org": org,
            "provider": provider,
            "nonce": f"0x{nonce.hex()}",
            "ephemeral_key": ephemeral_key,
            "operations": digest("sixgate/release-operations/v1", asked),
        }
    )


def answer_box_info(request: str, asked: str, provider: str, nonce: bytes) -> bytes:
    """Return what the box for the attested key belongs to: this request, and no other.

    ``request`` is the digest of its bytes, ``asked`` the ask's, which the report bound.
    """
    return canonical_bytes(
        {
            "type": "release.answer.box",
            "v": 1,
            "request": request,
            "asked": asked,
            "provider": provider,
            "nonce": f"0x{nonce.hex()}",
        }
    )


def join_frames(frames: Iterable[bytes | bytearray]) -> bytearray:
    """Return contents one after the other, each behind its length (u32be), in a buffer to wipe."""
    joined = bytearray()
    for frame in frames:
        wider = bytearray(len(joined) + _LENGTH_BYTES + len(frame))
        wider[: len(joined)] = joined
        wider[len(joined) : len(joined) + _LENGTH_BYTES] = len(frame).to_bytes(_LENGTH_BYTES, "big")
        wider[len(joined) + _LENGTH_BYTES :] = frame
        wipe(joined)  # to grow in place could leave a copy behind
        joined = wider
    return joined


def split_frames(joined: bytearray, count: int) -> list[bytearray]:
    """Return exactly that many contents, each in a buffer to wipe; raise ``CorruptError``."""
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
        raise CorruptError("A box holds something else than was said.")
    return frames


def wipe_all(buffers: Iterable[bytes | bytearray]) -> None:
    """Overwrite every buffer that can be overwritten."""
    for buffer in buffers:
        if isinstance(buffer, bytearray):
            wipe(buffer)
