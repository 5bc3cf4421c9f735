"""Client of a table of calls: an object with the methods of the table's class."""

from collections.abc import Callable, Container, Iterator
from contextlib import closing
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar, cast

import orjson

from sixgate.api_error import ApiError
from sixgate.remote_calls.call_table import Call, CallTable
from sixgate.remote_calls.link import Answer, Link, NoResponseError, StreamingLink

T = TypeVar("T")
DETAIL_LENGTH_MAX = 2_000


class UnexpectedAnswerError(Exception):
    """Another kind of server answered."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    @property
    def succeeded(self) -> bool:
        """Whether the other server claims success."""
        return self.status == HTTPStatus.OK


def remote(
    link: Link,
    calls: CallTable[T],
    failed: Callable[[NoResponseError | UnexpectedAnswerError], ApiError],
    codes: Container[str] | None = None,
) -> T:
    """Return an object whose methods are the calls of a table, over a link.

    They raise the ``ApiError`` of the server, if its code is in ``codes``; None admits every code.
    ``failed`` returns the error of a call without an answer, or with one of another kind of server.
    """
    return cast(T, _Remote(link, calls, failed, codes))


class _Remote:
    def __init__(
        self,
        link: Link,
        calls: CallTable[Any],
        failed: Callable[[NoResponseError | UnexpectedAnswerError], ApiError],
        codes: Container[str] | None,
    ) -> None:
        self._link = link
        self._calls = calls
        self._failed = failed
        self._codes = codes

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = self._calls.by_name.get(name)
        if call is None:
            raise AttributeError(name)
        return partial(self._stream if call.streams else self._ask, call)

    def _ask(self, call: Call, *values: Any, **named: Any) -> Any:
        target, body = call.request(values, named)
        try:
            answer = self._link.ask(call.method, target, body)
            return self._checked(call, answer.status, self._json(answer))
        except (NoResponseError, UnexpectedAnswerError) as error:
            raise self._failed(error) from None

    def _stream(self, call: Call, *values: Any, **named: Any) -> Iterator[Any]:
        target, body = call.request(values, named)
        link = cast(StreamingLink, self._link)
        try:
            with closing(link.stream(call.method, target, body)) as parts:
                yield from self._items(parts)
        except (NoResponseError, UnexpectedAnswerError) as error:
            raise self._failed(error) from None

    def _items(self, parts: Iterator[Answer]) -> Iterator[Any]:
        for line in self._lines(parts):
            match self._json(Answer(HTTPStatus.OK, line)):
                case {"item": item}:
                    yield item
                case {"done": True}:
                    return
                case {"error": {"code": str(code), "detail": str(detail)}}:
                    raise ApiError(code, detail)
        raise NoResponseError

    def _lines(self, parts: Iterator[Answer]) -> Iterator[bytes]:
        """Yield the complete lines that are not empty; raise the error in another answer."""
        rest: list[bytes] = []
        for status, part in parts:
            if status != HTTPStatus.OK:
                self._json(Answer(status, b"".join([part, *(more.body for more in parts)])))
            elif b"\n" in part:
                *lines, last = b"".join([*rest, part]).split(b"\n")
                rest = [last]
                yield from filter(None, lines)
            else:
                rest.append(part)

    def _checked(self, call: Call, status: int, found: Any) -> Any:
        if not call.is_answer(found):
            raise UnexpectedAnswerError(status)
        return found

    def _json(self, answer: Answer) -> Any:
        """Return the data in an answer; raise the error that it carries."""
        try:
            found = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            raise UnexpectedAnswerError(answer.status) from None
        if answer.status == HTTPStatus.OK:
            return found
        match found:
            case {"code": str(code), "detail": str(detail)} if self._codes is None or (
                code in self._codes
            ):
                raise ApiError(code, detail[:DETAIL_LENGTH_MAX])
        raise UnexpectedAnswerError(answer.status)
