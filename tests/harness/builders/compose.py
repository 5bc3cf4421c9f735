"""``docker-compose.yml`` as data: each service's command, environment and files."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from pydantic import BaseModel

from sixgate.cli.app import app
from sixgate.config.process_settings import Settings

Json: TypeAlias = dict[str, Any]
ROOT = Path(__file__).parents[3]
FILE = ROOT / "docker-compose.yml"
IMAGE = re.compile(r"[a-z0-9./-]+:v?\d+(\.\d+)+")
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


@dataclass(frozen=True)
class Service:
    """One service, its variables filled in."""

    name: str
    plain: Json

    @property
    def ours(self) -> bool:
        return str(self.plain["image"]).startswith("sixgate:")

    @property
    def command(self) -> list[str]:
        return list(self.plain.get("command", []))

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.plain.get("environment", {}))

    @property
    def health(self) -> list[str]:
        """Return the command of its health check, without ``CMD``."""
        words: list[str] = self.plain["healthcheck"]["test"]
        assert words[0] == "CMD"
        return words[1:]

    @property
    def hidden(self) -> list[str]:
        """Return the mounted paths that a tmpfs hides."""
        targets = tuple(f"{target}/" for _, target in self.mounts)
        return [path for path in self.plain.get("tmpfs", []) if path.startswith(targets)]

    @property
    def mounts(self) -> Iterator[tuple[str, str]]:
        """Yield source and target of every mounted file and folder of the host."""
        for volume in self.plain.get("volumes", []):
            if isinstance(volume, str):
                source, target, *_ = volume.split(":")
                if source.startswith("."):
                    yield source, target
            else:
                assert volume["bind"] == {"create_host_path": False}, "Docker would make a folder"
                yield volume["source"], volume["target"]


def services(variables: Mapping[str, str]) -> dict[str, Service]:
    """Return the services as Compose reads them with these variables in ``.env``."""
    plain = yaml.safe_load(_filled(FILE.read_text(), variables))
    return {name: Service(name, service) for name, service in plain["services"].items()}


def variables_in(env_file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in env_file.read_text().splitlines())


def copied_into_the_image() -> list[str]:
    """Return the files and folders that the Dockerfile copies from the checkout."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    return [word for words in copied if not words[0].startswith("--from=") for word in words]


def image_environment() -> dict[str, str]:
    """Return the environment variables that the Dockerfile sets."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    words = [word for line in lines if line.startswith("ENV ") for word in shlex.split(line)[1:]]
    return dict(word.split("=", 1) for word in words)


def _filled(text: str, variables: Mapping[str, str]) -> str:
    def value(found: "re.Match[str]") -> str:
        name, kind, other = found.groups()
        if name in variables:
            return variables[name]
        assert kind == "-", f"{name} is not set: {other}"
        return str(other)

    return _VARIABLE.sub(value, text)


def parse(words: list[str]) -> dict[str, Any]:
    """Return the options of a command line, without running it."""
    command: Any = app
    before = dict(os.environ)  # --config and --insecure-dev set variables
    try:
        context = command.make_context("sixgate", list(words))
        while rest := [*context._protected_args, *context.args]:  # noqa: SLF001 - of the command inside
            name, command, rest = command.resolve_command(context, rest)
            context = command.make_context(name, rest, parent=context)
    finally:
        os.environ.clear()
        os.environ.update(before)
    options: dict[str, Any] = context.params
    return options


def is_setting(variable: str) -> bool:
    """Return whether an environment variable names a setting: misspelled ones are ignored."""
    prefix, *path = variable.lower().replace("sixgate_", "sixgate__", 1).split("__")
    model: Any = Settings
    for name in path:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return False
        if name not in model.model_fields:
            return False
        annotation = model.model_fields[name].annotation
        kinds = [annotation, *getattr(annotation, "__args__", ())]
        model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
    return prefix == "sixgate" and len(path) > 1
