"""The ledger's users on a local ClickHouse server, with passwords generated per folder."""

import json
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

USERS = Path(__file__).parents[2] / "infra" / "clickhouse" / "users.xml"
WRITER, READER, DDL = "ledger_writer", "ledger_reader", "ledger_ddl"
PASSWORD_BYTES = 16


class Roles:
    """Passwords, generated once and kept in a file that only its owner can read."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            made = {role: secrets.token_hex(PASSWORD_BYTES) for role in (WRITER, READER, DDL)}
            write_private(file, json.dumps(made))
        self._passwords: dict[str, str] = json.loads(file.read_bytes())

    @property
    def for_server(self) -> Mapping[str, str]:
        """Return the environment variables that ``users.xml`` refers to."""
        return {
            f"SIXGATE_{role.upper()}_SHA256": sha256(password.encode()).hexdigest()
            for role, password in self._passwords.items()
        }

    def as_user(self, role: str) -> Mapping[str, str]:
        """Return the environment variables with which sixgate connects as ``role``."""
        return {
            "SIXGATE_CLICKHOUSE__USER": role,
            "SIXGATE_CLICKHOUSE__PASSWORD": self._passwords[role],
        }

    def password(self, role: str) -> str:
        """Return a user's password."""
        return self._passwords[role]


def write_private(file: Path, text: str) -> None:
    """Atomically replace a file with one that only its owner can read."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(file)
