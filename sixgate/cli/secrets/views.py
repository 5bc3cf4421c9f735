"""Listings of secret versions, without values."""

from sixgate.api import Json
from sixgate.cli.render import Listing, Row, show
from sixgate.cli.terminal import notices, print_json, screen
from sixgate.cli.times import format_time

COLUMNS = ("path", "version", "kind", "generated", "stored at")


def print_stored(made: Json, *, as_json: bool) -> None:
    """Print the stored version as JSON, or as a notice."""
    if as_json:
        print_json(made)
        return
    how = "Generated" if made["generated"] else "Stored"
    version = f"version {made['version']} of {made['path']}"
    notices().print(f"{how} {version} in {made['vault']} of {made['account']}.", highlight=False)


def print_listed(found: list[Json], *, as_json: bool) -> None:
    """Print versions as JSON or as a table, without values."""
    plain = [{name: one[name] for name in one if name != "value"} for one in found]
    if as_json:
        print_json(plain)
        return
    show(Listing(COLUMNS, [Row(_cells(one)) for one in plain], ("version",)), screen())


def _cells(one: Json) -> tuple[str, ...]:
    generated = "yes" if one["generated"] else "no"
    return (
        one["path"],
        str(one["version"]),
        one["kind"],
        generated,
        format_time(one["stored_at_ms"]),
    )
