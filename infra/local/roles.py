"""The ledger's users on a local ClickHouse server, with passwords of this folder's own."""

import json
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

USERS = Path(__file__).parents[1] / "clickhouse" / "users.xml"
WRITER, READER, DDL = "ledger_writer", "ledger_reader", "ledger_ddl"
PASSWORD_BYTES = 16


class Roles:
    """Passwords that are made once and kept in a file that only its owner reads."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            made = {role: secrets.token_hex(PASSWORD_BYTES) for role in (WRITER, READER, DDL)}
            write_private(file, json.dumps(made))
        self._passwords: dict[str, str] = json.loads(file.read_bytes())

    @property
    def for_server(self) -> Mapping[str, str]:
        """Return what ``users.xml`` takes from the environment."""
        return {
            f"SIXGATE_{role.upper()}_SHA256": sha256(password.encode()).hexdigest()
            for role, password in self._passwords.items()
        }

    def as_user(self, role: str) -> Mapping[str, str]:
        """Return the environment in which sixgate speaks to the server as ``role``."""
        return {
            "SIXGATE_CLICKHOUSE__USER": role,
            "SIXGATE_CLICKHOUSE__PASSWORD": self._passwords[role],
        }

    def password(self, role: str) -> str:
        """Return a user's password."""
        return self._passwords[role]


def write_private(file: Path, text: str) -> None:
    """Replace a file whole with one that only its owner reads."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(file)
