"""Messages on standard input: only unambiguous UTF-8 JSON reaches the tools."""

import asyncio
import json
from collections.abc import AsyncIterator

import anyio
import pytest
from mcp.shared.message import SessionMessage

from sixgate.mcp.strict_messages import StrictLines

CALL = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"value":"0.1","value":"9"}}\n'
PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'


def read(*lines: bytes) -> tuple[list[str], list[SessionMessage]]:
    """Return the lines that the library sees, and the answers to the others."""

    async def given() -> AsyncIterator[bytes]:
        for line in lines:
            yield line

    async def run() -> tuple[list[str], list[SessionMessage]]:
        strict = StrictLines(given())
        strict.answers, answers = anyio.create_memory_object_stream[SessionMessage](8)
        seen = [line async for line in strict]
        strict.answers.close()
        with answers:
            return seen, [answer async for answer in answers]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("line", "answered_id", "why"),
    [
        (CALL, 7, "'value' occurs twice"),
        (b"\xef\xbb\xbf" + PING, None, "is not JSON"),
        (PING.decode().encode("utf-16"), None, "is not JSON"),
        (PING.replace(b"ping", b"p\xffng"), None, "is not JSON"),
        (b'{"id":{"a":1,"a":2}}', None, "occurs twice"),
        (b"[1", None, "is not JSON"),
    ],
)
def test_an_ambiguous_line_is_answered_and_not_carried_out(
    line: bytes, answered_id: int | None, why: str
) -> None:
    seen, (answer,) = read(line, PING)
    assert seen == [PING.decode()]
    found = json.loads(answer.message.model_dump_json(by_alias=True, exclude_unset=True))
    assert (found["id"], found["error"]["code"]) == (answered_id, -32700)
    assert why in found["error"]["message"]
