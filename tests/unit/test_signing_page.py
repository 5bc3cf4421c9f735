"""The tables of docs/signing.md match the code."""

import json
import re
from pathlib import Path
from typing import Any

from schemas.intents.intent_parts import SignedAuthorization
from schemas.intents.outcome import MessageSigned
from schemas.registry.policy import Policy
from signer.core.ethereum.encoding import TRANSACTION_TYPES
from signer.core.ethereum.typed_data.errors import Code
from signer.core.ethereum.validation import RULES
from signer.core.rules.spending import SPENDING_TYPES
from sixgate.authoring.form_fields import authorization_list
from tests.harness.builders.cases import SECRET
from tests.harness.builders.intent_kinds import delegation, delegation_by, made

PAGE = (Path(__file__).parents[2] / "docs" / "signing.md").read_text().splitlines()
NAMES = {
    0: "legacy, for one chain (EIP-155)",
    1: "access list (EIP-2930)",
    2: "fee market (EIP-1559)",
    3: "blobs (EIP-4844)",
    4: "set code (EIP-7702)",
}
NUMBER_OF = {row.record: row.number for row in TRANSACTION_TYPES}


def quoted(parts: tuple[str, ...]) -> str:
    return "<br>".join(f"`{part}`" for part in parts)


def test_every_code_of_typed_data_is_documented() -> None:
    start = next(n for n, line in enumerate(PAGE) if line.startswith(f"| `{next(iter(Code))}` |"))
    for line, code in zip(PAGE[start:], Code, strict=False):
        assert re.fullmatch(rf"\| `{code}` \| [A-Za-z].{{15,}}\. \|", line)
    assert PAGE[start + len(Code)] == ""


def test_every_spending_type_is_documented() -> None:
    rows = [
        f"| `{row.kind}` | {quoted(row.names)} | {quoted(row.shapes)} |" for row in SPENDING_TYPES
    ]
    start = PAGE.index(rows[0])
    assert PAGE[start : start + len(rows) + 1] == [*rows, ""]


def test_every_default_of_a_policy_is_documented() -> None:
    guards = {name: field for name, field in Policy.model_fields.items() if field.exclude_if}
    assert len(guards) == 6
    written = {False: "false", "deny": '"deny"', (): "[]"}
    for name, field in guards.items():
        assert any(line.startswith(f"| `{name}` | `{written[field.default]}` |") for line in PAGE)


def test_every_type_and_its_fields_are_listed() -> None:
    for number, _, fields in TRANSACTION_TYPES:
        listed = ", ".join(f"`{name}`" for name, _ in fields)
        assert f"| {number} | {NAMES[number]} | {listed} |" in PAGE


def test_every_code_is_listed_in_the_order_of_the_rules() -> None:
    start = next(n for n, line in enumerate(PAGE) if line.startswith("### Checks before"))
    end = next(n for n, line in enumerate(PAGE) if n > start and line.startswith("## "))
    assert [line for line in PAGE[start:end] if line.startswith("| `")] == code_rows()


def code_rows() -> list[str]:
    types: dict[str, list[int]] = {}
    requirements: dict[str, str] = {}
    for code, _, requirement, records in RULES:
        types.setdefault(code, []).extend(NUMBER_OF[record] for record in records)
        requirements[code] = requirement
    return [
        f"| `{code}` | {', '.join(map(str, sorted(numbers)))} | {requirements[code]} |"
        for code, numbers in types.items()
    ]


def test_the_example_converts_an_outcome_to_an_authorization_list_entry() -> None:
    event = made(delegation())
    assert isinstance(event, MessageSigned)
    known: dict[str, Any] = {}
    exec("\n".join(example()), known)  # noqa: S102 - the example of the page
    expected = delegation_by(SECRET, nonce=1)
    entry = known["entry"](json.loads(event.encode()))
    assert authorization_list([entry]) == (SignedAuthorization(**expected),)


def example() -> list[str]:
    start = PAGE.index("```python") + 1
    return PAGE[start : PAGE.index("```", start)]
