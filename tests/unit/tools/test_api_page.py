"""docs/api.md is what the application declares, and its table of codes is complete."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.keys.secret_access import AccessReason
from sixgate.api.app import ROUTERS
from tools.api_page.__main__ import PAGE, api_md
from tools.api_page.codes import CODES, code_rows
from tools.api_page.member_types import type_text
from tools.api_page.models import section

ROOT = Path(__file__).parents[3]
RAISING = {"Problem", "Refusal", "forbidden", "_problem", "KeyChoiceError"}
STATUS_OF_CODE = re.compile(r'"(\w+)": 4\d\d')
TEXT = PAGE.read_text(encoding="utf-8")


def raised_codes() -> Iterator[str]:
    """Yield the codes that the API's source passes to problems."""
    for package in ("api", "gateway", "mcp"):
        for path in (ROOT / "sixgate" / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in RAISING:
                    yield from (
                        argument.value
                        for argument in node.args[:2]
                        if isinstance(argument, ast.Constant)
                        and isinstance(argument.value, str)
                        and argument.value.replace("_", "").isalnum()
                    )


def test_the_page_is_what_the_application_declares() -> None:
    assert api_md() == TEXT, "run python -m tools.api_page"


def test_every_code_of_a_problem_is_in_the_table() -> None:
    rows = "\n".join(code_rows())
    assert {code for code in raised_codes() if f"| `{code}` |" not in rows} == set()


def test_every_code_of_the_table_is_one_of_the_api() -> None:
    modules = (
        path for name in ("api", "intents") for path in (ROOT / "sixgate" / name).rglob("*.py")
    )
    sources = "\n".join(path.read_text() for path in modules) + "".join(raised_codes())
    assert {code for code in CODES if f'"{code}"' not in sources and code not in sources} == set()
    assert not CODES.keys() & {reason.value for reason in AccessReason}


@pytest.mark.parametrize("router", ROUTERS, ids=lambda router: router.routes[0].path)
def test_every_published_route_has_a_row_and_a_sentence(router: object) -> None:
    for route in getattr(router, "routes", ()):
        if route.include_in_schema:
            rows = [
                rf"^\| {method} \| `{re.escape(route.path_format)}` \| [a-z, ]+ \| [A-Z].*\. \|$"
                for method in route.methods
            ]
            assert all(re.search(row, TEXT, re.MULTILINE) for row in rows), route.path


def test_only_the_exchanges_of_credentials_need_no_token() -> None:
    assert set(re.findall(r"^\| \w+ \| `(\S+)` \| anyone \|", TEXT, re.MULTILINE)) == {
        "/v1/auth/agent-token",
        "/v1/auth/api-key-token",
        "/v1/auth/oidc",
    }


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "maxLength": 9}, "string, at most 9 characters"),
        ({"type": "integer", "minimum": 300, "maximum": 3600}, "integer, 300 to 3600"),
        ({"type": "integer", "minimum": 1}, "integer, at least 1"),
        ({"const": False}, "only `false`"),
        ({"type": "array", "maxItems": 0, "items": {"type": "string"}}, "empty list"),
        ({"anyOf": [{"$ref": "#/components/schemas/Thing"}, {"type": "null"}]},
         "[Thing](#thing) or null"),
        ({"$ref": "#/components/schemas/Word"}, '`"a"` or `"b"`'),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, "object of boolean"),
        ({}, "any"),
    ],
)  # fmt: skip
def test_a_schema_becomes_words(schema: dict[str, Any], words: str) -> None:
    models: dict[str, dict[str, Any]] = {"Thing": {"properties": {}}, "Word": {"enum": ["a", "b"]}}
    assert type_text(schema, models) == words


def test_a_model_that_extends_another_one_shows_only_its_own_members() -> None:
    base = {name: {"type": "string"} for name in ("a", "b", "c", "d")}
    models = {
        "Base": {"properties": base, "required": ["a"]},
        "More": {"properties": base | {"e": {"type": "null"}}, "required": ["a", "e"]},
        "Other": {"properties": base | {"e": {"type": "null"}}, "required": []},
    }
    shown = section("More", models, request=False)
    assert "All members of [Base](#base), and:" in shown
    assert "| `a` | string |" not in shown
    assert "| `a` | string |" in section("Other", models, request=False)
