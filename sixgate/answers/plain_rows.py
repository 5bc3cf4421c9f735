"""Query results as plain JSON data."""

import re
from datetime import date
from typing import Any

from sixgate.api import Json
from streams.ledger.query import Answer

_WIDE = re.compile(r"Int(?:128|256)", re.ASCII)


def plain(answer: Answer) -> Json:
    """Return ``{columns, types, rows}``.

    Integers of types wider than 64 bits, such as amounts in wei, become decimal strings, as in
    events. Values without a JSON form become strings.
    """
    wide = [_WIDE.search(kind) is not None for kind in answer.types]
    rows = [[_plain(*cell) for cell in zip(row, wide, strict=True)] for row in answer.rows]
    return {"columns": list(answer.columns), "types": list(answer.types), "rows": rows}


def _plain(value: Any, wide: bool) -> Any:  # noqa: FBT001 - a property of the cell
    match value:
        case bool() | str() | float() | None:
            return value
        case int():
            return str(value) if wide else value
        case list() | tuple():
            return [_plain(inner, wide) for inner in value]
        case dict():
            return {str(name): _plain(inner, wide) for name, inner in value.items()}
        case date():
            return value.isoformat()
    return str(value)
