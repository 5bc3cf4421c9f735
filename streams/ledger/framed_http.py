"""HTTP to a ClickHouse server that takes nothing for its answer but a whole one of ClickHouse's.

Python's ``http.client`` takes the end of a connection for the end of the headers, and then an
answer without length for one that ends with the connection. So a server that dies between two
headers, or whoever cuts a TLS connection there, would have answered any query with no rows.
"""

from http import HTTPStatus
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ProtocolError

_QUERY_ID = "X-ClickHouse-Query-Id"


class UnexpectedResponseError(ProtocolError):
    """Something answered that is no ClickHouse server."""


# urllib3's own connections differ so from those of ``http.client``, which they extend.
class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        return _whole(super().getresponse())


class _TlsConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        return _whole(super().getresponse())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class FramedPools(PoolManager):
    """Connections on which an answer must be chunked or tell its length (RFC 9112, section 6).

    Others raise ``urllib3.exceptions.ProtocolError``, and so do redirections and success that
    names no query.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _whole(answer: HTTPResponse) -> HTTPResponse:
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
        _ = answer.data  # the library takes what it cannot read of a refusal for an empty one
    elif _QUERY_ID not in answer.headers:
        raise UnexpectedResponseError("a redirection, or success of no query")
