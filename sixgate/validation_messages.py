"""What pydantic finds wrong with a field, in the words of this program; pure."""

import re
from collections.abc import Mapping
from typing import Any

_WORDS = {"extra_forbidden": "is no field that is known here", "missing": "is missing"}


def validation_message(problem: Mapping[str, Any]) -> str:
    """Return what is wrong, to stand behind the field's name; never what the input wrote."""
    if problem["type"] in _WORDS:
        return _WORDS[problem["type"]]
    said = str(problem["msg"]).removeprefix("Value error, ")
    return re.sub(r"^(Input|String|Value|List) should ", "must ", said)
