"""A release server on loopback, and raw HTTP to attack it with."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from signer.attestation.release.request import REQUEST_BYTES_MAX
from sixgate.config.limits import Limits
from sixgate.releasing.serving import ReleaseApp
from sixgate.remote_calls.process_server import LIMITS, ListenConfig, serving_clients
from tests.harness.builders.release import Release
from tools.local.ports import free_port

HOST = "127.0.0.1"


@dataclass
class Served:
    """A listening release, and the exception that ended it, if any."""

    release: Release
    port: int
    failures: list[BaseException] = field(default_factory=list)

    async def say(self, raw: bytes, *, end: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Send raw bytes; return status, headers and body of the response."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        writer.write(raw)
        if end:
            writer.write_eof()
        answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(status.split()[1]), headers, body

    async def post(self, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        return await self.say(posting(path, len(body)) + body)


def posting(path: str, length: int) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}"
    return f"{head}\r\n\r\n".encode()


@asynccontextmanager
async def served(
    release: Release | None = None, tls: ssl.SSLContext | None = None, limits: Limits = LIMITS
) -> AsyncIterator[Served]:
    found = Served(release or Release(), free_port())
    listening = ListenConfig("release", HOST, found.port, tls, frozenset({"signer"}))
    app = ReleaseApp(found.release.service, found.failures.append)
    async with serving_clients(app, listening, REQUEST_BYTES_MAX, limits):
        yield found
