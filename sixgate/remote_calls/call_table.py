"""Tables of remote calls: each method of a class with its HTTP method and path.

Server and client are made from the table, and the class's signatures are the only description of
arguments and answers. The arguments of a GET are its query, those of a POST the members of its JSON
body. A method that returns an ``Iterator`` is a stream.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, wraps
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, urlencode

import orjson
from pydantic import ConfigDict, ValidationError, validate_call

from schemas.canonical import validation_message
from schemas.strict_json import JsonError, read_json
from sixgate.api_error import ApiError

T = TypeVar("T")
_INTEGER = re.compile(r"-?[0-9]{1,20}")
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Call:
    """One method of a class, with the HTTP method and the path that stand for it."""

    def __init__(
        self, function: Callable[..., Any], method: Literal["GET", "POST"], path: str
    ) -> None:
        self.name = function.__name__
        self.method = method
        self.path = path
        self._function = function

    @cached_property
    def streams(self) -> bool:
        """Whether the call answers with a stream of items."""
        return get_origin(self._types["return"]) is Iterator

    def is_answer(self, value: Any) -> bool:
        """Return whether JSON data has the type of the answer of a call without a stream."""
        declared = self._types["return"]
        return isinstance(value, get_origin(declared) or declared)

    def request(self, values: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[str, bytes]:
        """Return path and body of a request; raise ``TypeError`` for unknown arguments."""
        bound = self._signature.bind(None, *values, **named).arguments
        sent = {name: bound[name] for name in list(bound)[1:]}
        if self.method == "POST":
            return self.path, orjson.dumps(sent)
        texts = {name: _text(value) for name, value in sent.items() if value is not None}
        return (f"{self.path}?{urlencode(texts)}" if texts else self.path), b""

    def arguments(self, query: bytes, body: bytes) -> Arguments:
        """Return the arguments in a request; raise ``ApiError`` ``request_malformed``."""
        if self.method == "POST":
            found = self._in_body(body) if not query else None
        else:
            found = self._in_query(query) if not body else None
        if found is None:
            place = "JSON body" if self.method == "POST" else "query"
            raise ApiError(
                "request_malformed", f"{self.name}: all arguments must be in the {place}"
            )
        try:
            valid: Arguments = self._validate(None, **found)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in problem["loc"])
            sentence = f"{self.name}: {where} {validation_message(problem)}"
            raise ApiError("request_malformed", sentence) from None
        return valid

    def _in_body(self, body: bytes) -> dict[str, Any]:
        try:
            found = read_json(body or b"{}")
        except JsonError as error:
            raise ApiError("request_malformed", f"the request {error}") from None
        if not isinstance(found, dict):
            raise ApiError("request_malformed", "the request must be a JSON object")
        return found

    def _in_query(self, query: bytes) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: None
            for name, parameter in self._signature.parameters.items()
            if type(None) in get_args(self._types.get(name))
            and parameter.default is parameter.empty
        }
        try:
            pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
        except ValueError:
            raise ApiError("request_malformed", "the query is not UTF-8") from None
        if len(dict(pairs)) < len(pairs):
            raise ApiError("request_malformed", f"{self.name}: an argument is given twice")
        return found | {name: _typed(text, self._types.get(name)) for name, text in pairs}

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self._function)

    @cached_property
    def _types(self) -> dict[str, Any]:
        return get_type_hints(self._function)

    @cached_property
    def _validate(self) -> Callable[..., Arguments]:
        @wraps(self._function)
        def collect(_self: None, *values: Any, **named: Any) -> Arguments:
            return values, named

        return validate_call(config=ConfigDict(strict=True))(collect)


class CallTable(Generic[T]):
    """The remote calls of a class ``T``, often a Protocol."""

    def __init__(self, *calls: Call) -> None:
        self.by_name = {call.name: call for call in calls}
        self.by_route = {(call.method, call.path): call for call in calls}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(text: str, declared: Any) -> Any:
    """Return a value of a query as the type of its parameter; the validation checks it."""
    allowed = get_args(declared) or (declared,)
    if int in allowed and _INTEGER.fullmatch(text):
        return int(text)
    if bool in allowed and text in ("true", "false"):
        return text == "true"
    return text
