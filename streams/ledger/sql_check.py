"""Allowlist for users' SQL: one SELECT over this database, with functions that only compute. Pure.

It checks the engine's own syntax tree (JSON) and refuses every unknown node kind, function and
table. The engine's read-only mode is not enough: it still reads files (``file('…')``), writes them
(``INTO OUTFILE``) and runs the second of two statements.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from streams.ledger.errors import QueryRefusedError

Node = dict[str, Any]
ONLY_SELECT = "Only SELECT, SHOW TABLES and DESCRIBE of a table are allowed."
_WORDS = {"QueryParameter": "A query parameter in braces", "ExplainQuery": "EXPLAIN"}
_UNKNOWN = "A part of this query"

_KINDS = frozenset({
    "ArrayJoin", "Asterisk", "ColumnsApplyTransformer", "ColumnsExceptTransformer",
    "ColumnsListMatcher", "ColumnsRegexpMatcher", "ColumnsReplaceTransformer",
    "ColumnsReplaceTransformerReplacement", "ColumnsTransformerList", "ExpressionList", "Function",
    "Identifier", "InterpolateElement", "Literal", "OrderByElement", "QualifiedAsterisk",
    "SampleRatio", "SelectIntersectExceptQuery", "SelectQuery", "SelectWithUnionQuery", "Subquery",
    "TableExpression", "TableIdentifier", "TableJoin", "TablesInSelectQuery",
    "TablesInSelectQueryElement", "WindowDefinition", "WindowListElement", "WithElement",
})  # fmt: skip
_CATEGORIES = frozenset({
    "Arithmetic", "Arrays", "Bit", "Bitmap", "Comparison", "Conditional", "Dates and Times",
    "Encoding", "Hash", "JSON", "Logical", "Map", "Mathematical", "Null", "Rounding", "String",
    "String Replacement", "String Search", "String Splitting", "Tuple", "Type Conversion", "UUID",
})  # fmt: skip
_COMPUTING = frozenset({
    "bar", "byteSize", "caseWithExpression", "caseWithoutExpression", "exists",
    "formatReadableDecimalSize", "formatReadableQuantity", "formatReadableSize",
    "formatReadableTimeDelta", "identity", "lambda", "materialize", "rowNumberInAllBlocks",
    "toTypeName", "transform", "visibleWidth",
})  # fmt: skip
_COMBINATOR = re.compile(
    r"(?:if|array|map|distinct|orDefault|orNull|state|merge|forEach|argMin|argMax)$", re.IGNORECASE
)


class Function(NamedTuple):
    """A function as the engine lists it; an alias has no category."""

    name: str
    alias_to: str
    category: str
    is_aggregate: bool


@dataclass(frozen=True)
class Grammar:
    """Lower-case names of allowed and refused functions, and the engine's databases."""

    allowed: frozenset[str]
    refused: frozenset[str]
    database: str
    databases: frozenset[str]

    @classmethod
    def of(
        cls, functions: Iterable[Function], database: str, databases: Iterable[str]
    ) -> "Grammar":
        """Classify the engine's functions as allowed or refused."""
        known = list(functions)
        allowed = {name.lower() for name in _COMPUTING}
        allowed |= {
            function.name.lower()
            for function in known
            if function.is_aggregate or function.category in _CATEGORIES
        }
        allowed |= {
            function.name.lower() for function in known if function.alias_to.lower() in allowed
        }
        refused = {function.name.lower() for function in known} - allowed
        return cls(frozenset(allowed), frozenset(refused), database, frozenset(databases))

    def computes(self, name: str) -> bool:
        """Tell whether a function, or an aggregate under combinators such as If, only computes."""
        while name.lower() not in self.allowed:
            shorter = _COMBINATOR.sub("", name)
            if shorter == name:
                return False
            name = shorter
        return True


def check(tree: Node, grammar: Grammar) -> None:
    """Raise ``QueryRefusedError`` for the first construct that is not allowed."""
    if tree.get("type") != "SelectWithUnionQuery":
        raise QueryRefusedError(ONLY_SELECT)
    for node in _nodes(tree):
        kind = node["type"]
        if kind == "SetQuery":
            raise QueryRefusedError("SETTINGS are not allowed: the limits are fixed.")
        if kind not in _KINDS:
            raise QueryRefusedError(f"{_WORDS.get(kind, _UNKNOWN)} is not allowed.")
        if "out_file" in node or "format_ast" in node:
            raise QueryRefusedError(
                "INTO OUTFILE and FORMAT are not allowed: use sixgate ledger export."
            )
        if "table_function" in node:
            raise QueryRefusedError("Table functions are not allowed, only the ledger's tables.")
        if kind == "TableIdentifier":
            _check_table(node, grammar)
        elif kind == "Identifier":
            _check_identifier(node, grammar)
        elif kind in {"Function", "ColumnsApplyTransformer"}:
            _check_function(node, grammar)


def _nodes(tree: object) -> Iterator[Node]:
    """Yield every node, including those of unknown kinds."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            if "type" in item:
                yield item
            if item.get("type") != "Literal":
                waiting.extend(item.values())


def _check_table(node: Node, grammar: Grammar) -> None:
    parts = node.get("name_parts") or [node.get("name", "")]
    if len(parts) > 1 and parts[0] != grammar.database:
        raise QueryRefusedError(f"The database {parts[0]!r} is not allowed, only the ledger's.")


def _check_identifier(node: Node, grammar: Grammar) -> None:
    """Refuse identifiers that can name a table after IN, or a function passed as an argument."""
    parts = node.get("name_parts") or [node.get("name", "")]
    if len(parts) > 1 and parts[0] in grammar.databases and parts[0] != grammar.database:
        raise QueryRefusedError(f"The database {parts[0]!r} is not allowed, only the ledger's.")
    if len(parts) == 1 and str(parts[0]).lower() in grammar.refused:
        raise QueryRefusedError(f"The name {parts[0]!r} is a function that is not allowed.")


def _check_function(node: Node, grammar: Grammar) -> None:
    name = node.get("name") or node.get("func_name")
    if name and not grammar.computes(str(name)):
        raise QueryRefusedError(f"The function {name!r} is not allowed.")
