"""Framing between pool and worker: a four-byte big-endian length, then that many bytes."""

FRAME_BYTES_MAX = 16 * 1024 * 1024
_HEADER_BYTES = 4


class FrameError(Exception):
    """The peer announced a message longer than FRAME_BYTES_MAX."""


def frame(payload: bytes) -> bytes:
    """Prefix a payload with its length."""
    return len(payload).to_bytes(_HEADER_BYTES) + payload


class FrameBuffer:
    """Collects received bytes until a message is complete."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, chunk: bytes) -> bytes | None:
        """Add a chunk; return the message once it is complete, and keep the bytes after it.

        Raises FrameError: the message would be longer than FRAME_BYTES_MAX.
        """
        self._received += chunk
        if len(self._received) < _HEADER_BYTES:
            return None
        end = _HEADER_BYTES + int.from_bytes(self._received[:_HEADER_BYTES])
        if end > FRAME_BYTES_MAX:
            raise FrameError(f"A message of {end} bytes is over the limit of {FRAME_BYTES_MAX}.")
        if len(self._received) < end:
            return None
        payload = bytes(self._received[_HEADER_BYTES:end])
        del self._received[:end]
        return payload
