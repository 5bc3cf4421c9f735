"""HTTP framing: accepts only complete answers of a ClickHouse server.

Python's ``http.client`` treats the end of a connection as the end of the headers, and an answer
without a length as ending with the connection. So if a server dies between two headers, or an
attacker cuts the TLS connection there, any query would appear to return no rows.
"""

from http import HTTPStatus
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ProtocolError

_QUERY_ID = "X-ClickHouse-Query-Id"


class UnexpectedResponseError(ProtocolError):
    """The answer is not from a ClickHouse server."""


# urllib3's connections override ``http.client``'s with another return type.
class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        return _checked(super().getresponse())


class _TlsConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        return _checked(super().getresponse())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class FramedPools(PoolManager):
    """Connections whose answers must be chunked or have a length (RFC 9112, section 6).

    Other answers raise ``urllib3.exceptions.ProtocolError``; so do redirections, and success
    without ClickHouse's query id.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _checked(answer: HTTPResponse) -> HTTPResponse:
    try:
        _refuse(answer)
    except ProtocolError:
        answer.close()
        raise
    return answer


def _refuse(answer: HTTPResponse) -> None:
    if not answer.chunked and answer.length_remaining is None:
        raise ProtocolError("the connection ended within the headers of an answer")
    if answer.status >= HTTPStatus.BAD_REQUEST:
        _ = answer.data  # raises if incomplete; the library would treat it as an empty error text
    elif _QUERY_ID not in answer.headers:
        raise UnexpectedResponseError("a redirection, or success of no query")
