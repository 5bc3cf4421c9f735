"""What both clients share about connections: addresses, identities, replies."""

import secrets
import time
from ipaddress import ip_address

import httpx

from sixgate_client.session import Reply, Session

TIMEOUT_S = 30.0
_ON_A_SOCKET = "http://sixgate"


def address_of(base_url: str | None, unix_socket: str | None, *, insecure_http: bool) -> str:
    """Return the base URL; over a Unix socket any name does. Raises ``ValueError``.

    Plain HTTP beyond loopback would send API keys and tokens in clear, so it must be asked for.
    """
    if base_url is None and unix_socket is None:
        raise ValueError("base_url or unix_socket is required")
    address = base_url or _ON_A_SOCKET
    if not address.startswith(("http://", "https://")):
        raise ValueError("base_url must begin with http:// or https://")
    if address.rstrip("/").endswith("/v1"):
        raise ValueError("base_url must not end in /v1: every path begins with it")
    url = httpx.URL(address)
    if url.scheme == "http" and not (unix_socket or insecure_http or _is_loopback(url.host)):
        raise ValueError(
            f"http://{url.host} would send the API key in clear: use https://, or allow it with "
            "insecure_http"
        )
    return address


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def name_of(address: str, unix_socket: str | None) -> str:
    """Return what errors call the server: its socket, or its URL without a user name."""
    url = httpx.URL(address)
    return unix_socket or f"{url.scheme}://{url.netloc.decode()}"


def session_of(api_key: str | None, token: str | None, server: str) -> Session:
    """Return the session of a key, of a token, or of neither."""
    if api_key is not None and token is not None:
        raise ValueError("api_key and token contradict each other: give only one of the two")
    return Session(
        clock=time.monotonic,
        uniform=secrets.SystemRandom().uniform,
        new_key=lambda: secrets.token_hex(16),
        api_key=api_key,
        token=token,
        server=server,
    )


def reply_of(response: httpx.Response) -> Reply:
    """Return what the protocol reads of a reply."""
    return Reply(response.status_code, dict(response.headers.items()), response.content)
