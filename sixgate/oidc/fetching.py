"""Bounded GET of a public document of an issuer, over TLS."""

import ssl
from pathlib import Path
from time import monotonic
from typing import Final

import httpx

from signer.attestation.release.judge.token_keys import KEYS_BYTES_MAX
from sixgate.errors import SettingsError

FETCH_S_MAX: Final = 5.0
_IDENTITY = {"Accept": "application/json", "Accept-Encoding": "identity"}


class HttpsFetch:
    """Reads documents; trusts only the authorities of a context, follows no redirect."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls

    def __call__(self, url: str) -> bytes:
        """Return the body at a URL; raise ``OSError`` without a complete answer in time."""
        ends_at_s = monotonic() + FETCH_S_MAX
        body = b""
        try:
            with (
                httpx.Client(verify=self._tls, timeout=FETCH_S_MAX, headers=_IDENTITY) as client,
                client.stream("GET", url) as reply,
            ):
                if reply.status_code != httpx.codes.OK:
                    raise OSError(f"it answered HTTP {reply.status_code}")
                for part in reply.iter_raw():
                    body += part
                    if len(body) > KEYS_BYTES_MAX:
                        raise OSError("its answer is too large")
                    if monotonic() > ends_at_s:
                        raise OSError("it did not answer in time")
        except httpx.TimeoutException:
            raise OSError("it did not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OSError(f"it cannot be reached ({type(error).__name__})") from None
        return body


def issuer_tls(ca: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a file [default: the system's]."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError:  # ssl.SSLError is one too
        raise SettingsError(f"{ca} has no certificates in PEM: correct [api.oidc]") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
