"""Answers every error of the HTTP API's application with a problem."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from schemas.canonical import validation_message
from schemas.strict_json import JsonError
from sixgate.api.errors import EXPECTED_ERRORS, api_error
from sixgate.api.problems import MEDIA_TYPE, Problem, invalid, status_of_code
from sixgate.api_error import ApiError


def install_handlers(app: FastAPI) -> None:
    """Answer every error of an application with a problem; never with a traceback."""
    app.add_exception_handler(Problem, _on_problem)
    for kind in (ApiError, *EXPECTED_ERRORS):
        app.add_exception_handler(kind, _on_api_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_defect)


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Problem):
        raise TypeError
    return response_of(error)


async def _on_api_error(_request: Request, error: Exception) -> JSONResponse:
    found = api_error(error)
    status = status_of_code(found.code)
    headers = {"Retry-After": "1"} if status in {429, 503} else {}
    sentence = str(found).rstrip(".")
    detail = f"{sentence[:1].upper()}{sentence[1:]}."
    return response_of(Problem(status, found.code, detail, headers=headers))


async def _on_validation_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise TypeError
    fields = {_place(found["loc"]): _sentence(found) for found in error.errors()}
    return response_of(invalid(fields))


def _place(location: tuple[int | str, ...]) -> str:
    parts = [str(part) for part in location[1:]] or ["body"]
    return ".".join(
        part if part.isascii() and part.isprintable() else ascii(part) for part in parts
    )


def _sentence(found: Mapping[str, Any]) -> str:
    """Return the reason without the input: it may be a secret."""
    match found["type"]:
        case "extra_forbidden":
            return "is not supported"
        case "model_attributes_type" if found["loc"] == ("body",):
            return "must be a JSON object, sent with Content-Type: application/json"
        case "model_attributes_type":
            return "must be a JSON object"
    return validation_message(found)


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise TypeError
    status = error.status_code
    if status == HTTPStatus.BAD_REQUEST:  # the framework's answer to a body that cannot be read
        why = error.__cause__
        return response_of(
            invalid({"body": str(why) if isinstance(why, JsonError) else "is not JSON"})
        )
    details = {
        404: ("route_unknown", "There is no such route."),
        405: ("method_not_allowed", "The route does not allow this method."),
    }
    code, detail = details.get(status, ("http_error", f"{HTTPStatus(status).phrase}."))
    return response_of(Problem(status, code, detail, headers=error.headers))


async def _on_defect(_request: Request, error: Exception) -> JSONResponse:
    sentence = f"A defect in Sixgate ({type(error).__name__}): please report it."
    return response_of(Problem(500, "internal", sentence))


def response_of(problem: Problem) -> JSONResponse:
    """Return a problem as an HTTP response."""
    return JSONResponse(
        problem.body(),
        status_code=problem.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )
