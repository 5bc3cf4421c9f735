"""MCP messages with one meaning: UTF-8 JSON, and no name twice in an object.

The protocol's library keeps the last of two members with one name, and replaces bytes on standard
input that are not UTF-8.
"""

import json
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator

from anyio.streams.memory import MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError
from starlette.types import Message, Receive

from schemas.strict_json import JsonError, read_json


def refused(raw: bytes) -> JSONRPCError | None:
    """Return the answer to a message that is ambiguous or is not JSON, else None."""
    try:
        read_json(raw)
    except JsonError as error:
        why = ErrorData(code=PARSE_ERROR, message=f"The message {error}.")
        return JSONRPCError(jsonrpc="2.0", id=_id_of(raw), error=why)
    return None


def _id_of(raw: bytes) -> int | str | None:
    """Return the id of an ambiguous message, so that its sender need not wait."""
    try:
        found = json.loads(raw.decode()).get("id")
    except (ValueError, RecursionError, AttributeError):
        return None
    return found if isinstance(found, int | str) and not isinstance(found, bool) else None


class StrictLines:
    """Lines of standard input for the library; answers those that it must not see."""

    def __init__(self, lines: AsyncIterable[bytes]) -> None:
        self._lines = lines
        self.answers: MemoryObjectSendStream[SessionMessage]
        """Set it as soon as the library has opened it; the library reads no line before."""

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield each line that is an unambiguous message."""
        async for line in self._lines:
            answer = refused(line)
            if answer is None:
                yield line.decode()
            else:
                await self.answers.send(SessionMessage(answer))


async def read_body(receive: Receive, limit_bytes: int) -> tuple[bytes | None, Receive]:
    """Return a request's body, and a ``receive`` that returns it again.

    The body is None if it is over the limit or incomplete: the library refuses both.
    """
    received: deque[Message] = deque()
    parts: list[bytes] = []

    async def again() -> Message:
        return received.popleft() if received else await receive()

    more, left = True, limit_bytes
    while more:
        message = await receive()
        received.append(message)
        parts.append(message.get("body", b""))
        left -= len(parts[-1])
        more = message.get("more_body", False)
        if message["type"] != "http.request" or left < 0:
            return None, again
    return b"".join(parts), again
