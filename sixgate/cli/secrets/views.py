"""What commands about secrets show: versions, and never a value."""

from sixgate.api import Json
from sixgate.cli.listing import Listing, Row, show
from sixgate.cli.terminal import notices, print_json, screen
from sixgate.cli.times import moment

COLUMNS = ("path", "version", "kind", "generated", "stored at")


def tell_stored(made: Json, *, as_json: bool) -> None:
    """Say which version was stored; as JSON on standard output, else as a notice."""
    if as_json:
        print_json(made)
        return
    how = "generated inside" if made["generated"] else "stored"
    told = f"{made['path']} in {made['vault']} of {made['account']}, version {made['version']}"
    notices().print(f"{told}, is {how}.", highlight=False)


def tell_listed(found: list[Json], *, as_json: bool) -> None:
    """Show versions as a table or as JSON, without their values."""
    plain = [{name: one[name] for name in one if name != "value"} for one in found]
    if as_json:
        print_json(plain)
        return
    show(Listing(COLUMNS, [Row(_cells(one)) for one in plain], ("version",)), screen())


def _cells(one: Json) -> tuple[str, ...]:
    generated = "yes" if one["generated"] else "no"
    return one["path"], str(one["version"]), one["kind"], generated, moment(one["stored_at_ms"])
