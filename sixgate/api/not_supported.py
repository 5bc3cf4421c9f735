"""Routes of the documented API that Sixgate does not have, answered with 501 from one table.

``not_supported.json`` maps each reason to its routes. A key is never exported: 403.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from importlib.resources import files

from fastapi import APIRouter, Response

from sixgate.api.problems import Problem

TABLE: dict[str, list[str]] = json.loads(
    files("sixgate.api").joinpath("not_supported.json").read_text(encoding="utf-8")
)
NEVER = (
    "POST /v1/agents/{agent_id}/signing-keys/{chain}/export",
    "POST /v1/treasury/wallets/{chain}/export",
)
_LAST_PARAMETER = re.compile(r"\{\w+\}$")
router = APIRouter(include_in_schema=False)


def not_supported(route: str, reason: str) -> Problem:
    """Return the 501 for a route of the documented API."""
    return Problem(501, "not_supported", f"{route} is not supported. {reason}")


def never_exported() -> Problem:
    """Return the 403 for the export of a key."""
    return Problem(403, "key_export_forbidden", "A signing key never leaves Sixgate.")


def _answer(problem: Callable[[], Problem]) -> Callable[[], Response]:
    def answer() -> Response:
        raise problem()

    return answer


def _add(route: str, problem: Callable[[], Problem]) -> None:
    method, path = route.split()
    # Clients do not encode slashes in a name such as a key of a memory: it takes the rest.
    path = _LAST_PARAMETER.sub("{rest:path}", path)
    router.add_api_route(path, _answer(problem), methods=[method], name=route)


for _reason, _routes in TABLE.items():
    for _route in _routes:
        _add(_route, partial(not_supported, _route, _reason))
for _route in NEVER:
    _add(_route, never_exported)
