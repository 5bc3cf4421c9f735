"""An HTTP answer's body, or none of it: ``http.client`` takes less than was told for all of it."""

from http.client import HTTPResponse, IncompleteRead


def body_of(answer: HTTPResponse, bytes_max: int) -> bytes:
    """Return at most ``bytes_max`` of a body; raise ``IncompleteRead`` for one that was cut.

    Headers that break off count as whole there, so a body must be chunked or tell its length.
    """
    told = answer.length
    with answer:
        body = answer.read(bytes_max)
    if told is None and not answer.chunked:
        raise IncompleteRead(b"")
    if told is not None and len(body) < min(told, bytes_max):
        raise IncompleteRead(b"")
    return body
