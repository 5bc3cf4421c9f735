"""Chains by name, alias or chain id, and the display names that people give them."""

import re

from schemas.registry.records import ChainSet
from signer.core.registry.registered import Registered
from sixgate.gateway.database import Database

_CHAIN_ID = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)

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


def is_chain_id(given: str | int) -> bool:
    """Return whether a number, or text, is a chain id and not a name."""
    return isinstance(given, int) or _CHAIN_ID.fullmatch(given) is not None


def find_chain(registered: Registered, given: str | int) -> ChainSet | None:
    """Return a chain by chain id, name or alias, or None.

    An id goes before an equal name, which only old records have: otherwise "8453" and 8453 could
    be two chains.
    """
    if is_chain_id(given) and (found := registered.chains.get(int(given))) is not None:
        return found
    # A copy: the pipeline may register a chain during the search.
    for chain in list(registered.chains.values()):
        if given == chain.name or given in chain.aliases:
            return chain
    return None
