"""Pydantic validation errors as plain sentences; pure."""

import re
from collections.abc import Mapping
from typing import Any

_WORDS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "extra_forbidden": "is not a known field",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "json_invalid": "is not JSON",
    "list_type": "must be a list",
    "missing": "is missing",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "string_type": "must be a string",
    "tuple_type": "must be a list",
    "union_tag_invalid": "is of an unknown type",  # pydantic's sentence repeats the input
    "union_tag_not_found": "has no type",
}


def validation_message(problem: Mapping[str, Any]) -> str:
    """Return the end of a sentence that begins with the field's name. Never repeats the input."""
    if problem["type"] in _WORDS:
        return _WORDS[problem["type"]]
    message = str(problem["msg"]).removeprefix("Value error, ").replace(" after validation", "")
    if message.startswith("Value should"):  # a secret text, whose length pydantic counts in items
        message = message.replace(" item", " character")
    return re.sub(r"^\w+ should ", "must ", message)
