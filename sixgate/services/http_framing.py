"""HTTP framing: refuses truncated bodies, which ``http.client`` returns without an error."""

from http.client import HTTPResponse, IncompleteRead


def body_of(answer: HTTPResponse, bytes_max: int) -> bytes:
    """Return at most ``bytes_max`` of a body; raise ``IncompleteRead`` for a truncated one.

    ``http.client`` accepts truncated headers too, so a body must be chunked or have a length.
    """
    length = answer.length
    with answer:
        body = answer.read(bytes_max)
    if length is None and not answer.chunked:
        raise IncompleteRead(b"")
    if length is not None and len(body) < min(length, bytes_max):
        raise IncompleteRead(b"")
    return body
