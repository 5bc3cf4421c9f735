"""Loader of settings from a TOML file and the environment, which has precedence.

``SIXGATE_CLICKHOUSE__PASSWORD`` is ``password`` in the section ``[clickhouse]``. A settings file
must not contain the password; it may name a file with it (``password_file``).
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from schemas.canonical import validation_message
from sixgate.errors import SettingsError

FROM_ENVIRONMENT = SettingsConfigDict(
    env_prefix="SIXGATE_", env_nested_delimiter="__", frozen=True, extra="forbid"
)
S = TypeVar("S", bound=BaseSettings)


def load(kind: type[S], file: Path | None) -> S:
    """Load settings; the environment has precedence over the file. Raises ``SettingsError``."""
    if file is not None:
        _refuse_unreadable(file)

    class FromFile(kind):  # type: ignore[misc, valid-type] # the same settings, from this file
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (env_settings, TomlConfigSettingsSource(settings_cls, file))

    try:
        return FromFile()
    except ValidationError as error:
        raise SettingsError(invalid_setting(error)) from None


def _refuse_unreadable(file: Path) -> None:
    try:
        plain: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from None
    section = plain.get("clickhouse")
    if isinstance(section, dict) and "password" in section:
        raise SettingsError(
            f"{file} contains a password: remove it and set SIXGATE_CLICKHOUSE__PASSWORD or "
            "password_file"
        )


def invalid_setting(error: ValidationError, *section: str) -> str:
    """Describe the first invalid setting without its value, which may be secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(map(str, (*section, *first["loc"])))
    return f"the setting {name} is wrong: {validation_message(first)}"


def masked(settings: BaseSettings) -> dict[str, Any]:
    """Return the settings as plain data, secrets masked."""
    return settings.model_dump(mode="json")


def settings_digest(settings: BaseSettings) -> str:
    """Return the SHA-256 of the settings without secrets, to compare processes by their logs."""
    plain = orjson.dumps(masked(settings), option=orjson.OPT_SORT_KEYS)
    return "0x" + hashlib.sha256(plain).hexdigest()
