"""``python -m tools.image layer FILE [--wheels DIR]``, ``python -m tools.image twice [--app]``."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.image.archive import digest
from tools.image.errors import ImageError
from tools.image.layer import Project, build_layer, epoch_s, fetch
from tools.image.reproducibility import build_twice

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run one command; on failure print one sentence and return 1."""
    arguments = _parser().parse_args()
    try:
        for name, sha256 in _run(arguments).items():
            sys.stdout.write(f"{sha256}  {name}\n")
    except ImageError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.image", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    layer = commands.add_parser("layer", help="build the image's layer and print its SHA-256")
    layer.add_argument("tar", type=Path, metavar="FILE")
    layer.add_argument(
        "--wheels", type=Path, metavar="DIR", help="use these wheels and do not download"
    )
    twice = commands.add_parser("twice", help="build wheel and layer twice and compare them")
    twice.add_argument("--app", action="store_true", help="leave out the dependencies")
    return parser


def _run(options: argparse.Namespace) -> dict[str, str]:
    """Run the command and return the SHA-256 of each file it made, by name."""
    project = Project(ROOT, epoch_s())
    if options.command == "twice":
        return build_twice(ROOT, with_dependencies=not options.app)
    if options.wheels:
        build_layer(project, options.wheels, options.tar)
    else:
        with TemporaryDirectory() as wheels:
            fetch(ROOT, Path(wheels))
            build_layer(project, Path(wheels), options.tar)
    return {options.tar.name: digest(options.tar)}


if __name__ == "__main__":
    sys.exit(main())
