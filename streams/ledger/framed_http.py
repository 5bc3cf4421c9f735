"""HTTP to a ClickHouse server that takes nothing for an answer which does not say where it ends.

Python's ``http.client`` takes the end of a connection for the end of the headers, and then an
answer without length for one that ends with the connection. So a server that dies between two
headers, or whoever cuts a TLS connection there, would have answered any query with no rows.
"""

from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ProtocolError


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 does
        return _framed(super().getresponse())


class _TlsConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 does
        return _framed(super().getresponse())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def refuse_unframed(manager: PoolManager) -> PoolManager:
    """Let a manager's answers be read only if they are chunked or tell their length (RFC 9112, 6).

    Others raise ``urllib3.exceptions.ProtocolError``.
    """
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


def _framed(answer: HTTPResponse) -> HTTPResponse:
    if answer.chunked or answer.length_remaining is not None:
        return answer
    answer.close()
    raise ProtocolError("the connection ended within the headers of an answer")
