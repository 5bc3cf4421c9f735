"""Display names of chains that people added through the HTTP API."""

from schemas.registry import ChainSet
from sixgate.gateway.database import Database

_CREATE = """
CREATE TABLE IF NOT EXISTS chain_names (
  chain_id INTEGER PRIMARY KEY, display_name TEXT NOT NULL) STRICT;
"""


class ChainNames:
    """The display names by chain id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_CREATE)

    def of(self, chain: ChainSet) -> str:
        """Return a chain's display name: the given one, or its name with capitals."""
        query = "SELECT display_name FROM chain_names WHERE chain_id = ?"
        row = self._database.row(query, (chain.chain_id,))
        return row["display_name"] if row else chain.name.replace("-", " ").title()

    def put(self, chain_id: int, display_name: str) -> None:
        """Store a display name."""
        statement = "INSERT OR REPLACE INTO chain_names VALUES (?, ?)"
        self._database.write(statement, (chain_id, display_name))
