"""Checks of syntax trees; tests/servers use the engine's own trees."""

from typing import Any

import pytest

from streams.ledger.errors import QueryRefusedError
from streams.ledger.sql_check import Function, Grammar, check

FUNCTIONS = [
    Function("plus", "", "Arithmetic", is_aggregate=False),
    Function("sum", "", "Aggregate Functions", is_aggregate=True),
    Function("lcase", "lower", "", is_aggregate=False),
    Function("lower", "", "String", is_aggregate=False),
    Function("file", "", "Other", is_aggregate=False),
    Function("contents", "file", "", is_aggregate=False),
    Function("newest", "", "A category of tomorrow", is_aggregate=False),
]
GRAMMAR = Grammar.of(FUNCTIONS, "sixgate", ["sixgate", "system", "default"])


def select(*expressions: dict[str, Any], **more: Any) -> dict[str, Any]:
    query = {
        "type": "SelectQuery",
        "select": {"type": "ExpressionList", "children": list(expressions)},
    }
    listed = {"type": "ExpressionList", "children": [query | more]}
    return {"type": "SelectWithUnionQuery", "list_of_selects": listed}


def function(name: str, *arguments: dict[str, Any]) -> dict[str, Any]:
    listed = {"type": "ExpressionList", "children": list(arguments)}
    return {"type": "Function", "name": name, "arguments": listed}


def identifier(*parts: str) -> dict[str, Any]:
    return {"type": "Identifier", "name": ".".join(parts), "name_parts": list(parts)}


@pytest.mark.parametrize("name", ["plus", "PLUS", "sum", "sumIf", "sumOrNullIf", "lcase", "lambda"])
def test_functions_that_compute_are_accepted(name: str) -> None:
    check(select(function(name)), GRAMMAR)


@pytest.mark.parametrize(
    "name", ["file", "FILE", "contents", "newest", "unheard_of", "fileIf", "If"]
)
def test_all_other_functions_are_refused(name: str) -> None:
    with pytest.raises(QueryRefusedError, match="function"):
        check(select(function(name)), GRAMMAR)


def test_a_function_deep_inside_is_found() -> None:
    inner = function("plus", function("sum", function("file")))
    with pytest.raises(QueryRefusedError, match="'file'"):
        check(select(function("plus", inner)), GRAMMAR)


def test_a_function_passed_by_name_is_refused() -> None:
    with pytest.raises(QueryRefusedError, match="'file'"):
        check(select(function("plus", {"type": "Identifier", "name": "file"})), GRAMMAR)


def test_an_unknown_kind_of_node_is_refused() -> None:
    with pytest.raises(QueryRefusedError, match="part of this query"):
        check(select({"type": "NodeOfTomorrow"}), GRAMMAR)


def test_nodes_under_unknown_names_are_checked() -> None:
    with pytest.raises(QueryRefusedError, match="'file'"):
        check(select(clause_of_tomorrow=[{"x": {"y": function("file")}}]), GRAMMAR)


@pytest.mark.parametrize("kind", ["InsertQuery", "ExplainQuery", "DropQuery", ""])
def test_only_select_is_accepted(kind: str) -> None:
    with pytest.raises(QueryRefusedError, match="Only SELECT"):
        check({"type": kind}, GRAMMAR)


@pytest.mark.parametrize("key", ["out_file", "format_ast"])
def test_output_files_and_formats_are_refused(key: str) -> None:
    with pytest.raises(QueryRefusedError, match="ledger export"):
        check(select() | {key: {"type": "Literal"}}, GRAMMAR)


def test_settings_are_refused() -> None:
    with pytest.raises(QueryRefusedError, match="SETTINGS"):
        check(select(settings={"type": "SetQuery"}), GRAMMAR)


def test_table_functions_are_refused_even_if_the_function_only_computes() -> None:
    tables = {"type": "TableExpression", "table_function": function("plus")}
    with pytest.raises(QueryRefusedError, match="Table functions"):
        check(select(tables=tables), GRAMMAR)


@pytest.mark.parametrize("parts", [["ledger"], ["sixgate", "ledger"], ["any_cte"]])
def test_own_tables_are_accepted(parts: list[str]) -> None:
    table = {"type": "TableIdentifier", "name": ".".join(parts), "name_parts": parts}
    check(select(tables=table), GRAMMAR)


@pytest.mark.parametrize("kind", ["TableIdentifier", "Identifier"])
@pytest.mark.parametrize("database", ["system", "default"])
def test_other_databases_are_refused_as_table_and_as_column(kind: str, database: str) -> None:
    node = identifier(database, "users") | {"type": kind}
    with pytest.raises(QueryRefusedError, match=f"'{database}'"):
        check(select(node), GRAMMAR)


def test_a_column_of_an_alias_is_accepted() -> None:
    check(select(identifier("i", "agent")), GRAMMAR)
