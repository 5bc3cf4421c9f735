"""``sixgate services``: whose signatures to believe."""

from sixgate.cli.options import DATA_DEFAULT, AsJson, Data
from sixgate.cli.session import session
from sixgate.cli.terminal import print_json, rows, screen, table


def services(*, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """List the processes whose signatures count, with their public keys."""
    with session(data) as here:
        found = here.registry["services"]
    if as_json:
        print_json(found)
        return
    cells = (
        (one["role"], one["name"], "yes" if one["active"] else "no", one["public_key"])
        for one in found
    )
    screen().print(rows(table("role", "name", "active", "public key"), cells))
