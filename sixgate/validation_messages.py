"""Pydantic validation errors as plain sentences; pure."""

import re
from collections.abc import Mapping
from typing import Any

_WORDS = {"extra_forbidden": "is not a known field", "missing": "is missing"}


def validation_message(problem: Mapping[str, Any]) -> str:
    """Return the end of a sentence that begins with the field's name. Never repeats the input."""
    if problem["type"] in _WORDS:
        return _WORDS[problem["type"]]
    message = str(problem["msg"]).removeprefix("Value error, ")
    return re.sub(r"^(Input|String|Value|List) should ", "must ", message)
