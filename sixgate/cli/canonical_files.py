"""JSON input files: strict, validated against a model, bounded in size."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from schemas.canonical import Canonical, malformed
from schemas.strict_json import JsonError, read_json
from sixgate.cli.session import fail_usage

FIELDS = "docs/attestation.md lists the fields"
FILE_BYTES_MAX = 1024 * 1024
Value = TypeVar("Value", bound=Canonical)


def read_canonical(file: Path, model: type[Value], advice: str = FIELDS) -> Value:
    """Return a file's content as ``model``, in any JSON formatting; a wrong file ends the command.

    ``advice`` is the part of the error that names the documentation of the fields.
    """
    with file.open("rb") as opened:  # a device may have no end
        raw = opened.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        fail_usage(f"{file} is larger than {FILE_BYTES_MAX} bytes: choose the right file")
    try:
        return model.model_validate_json(json.dumps(read_json(raw)))
    except JsonError as error:
        fail_usage(f"{file} {error}; {advice}")
    except ValidationError as error:
        wrong = malformed(error)
        fail_usage(f"{file}: {wrong.where} {wrong.why}; {advice}")
