"""Lazy imports: each command loads only the libraries that it needs."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sixgate.cli.commands import COMMANDS, load_command
from tests.harness.cli.command_line import SECONDS_MAX, CommandLine, served
from tests.harness.cli.intents import INTENT

CLICK = {"click"}
# attr is imported by rich where it is installed.
TERMINAL = CLICK | {"rich", "orjson", "pygments", "markdown_it", "mdurl", "attr"}
HTTP = {"httptools", "cython_runtime"}
MODELS = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}
RLP = {"rlp", "eth_utils", "eth_typing", "eth_hash", "toolz", "cytoolz", "cython_runtime"}
SIGNING = {"cryptography", "coincurve", "sha3", "bcrypt"} | RLP
CLOUDS = {"boto3", "botocore", "google", "grpc", "azure", "msal"}
ENGINES = {"chdb", "pyrevm"}
LEDGER = {"clickhouse_connect", "pyarrow", "numpy"}
OUR_OWN = {"schemas", "signer", "streams", "sixgate", "sitecustomize"}
PROBE = """
import sys
from sixgate.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("loaded", *sys.modules, file=sys.stderr)
"""


def loaded_by(cli: CommandLine, *words: str, stdin: str = "") -> set[str]:
    """Run a command; return the top-level names of the libraries it imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        input=stdin,
        capture_output=True,
        text=True,
        env=cli.environment,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = done.stderr.rpartition("loaded ")[2].split()
    tops = {name.partition(".")[0] for name in names if not name.startswith("_")}
    return tops - sys.stdlib_module_names - OUR_OWN


def test_the_version_loads_only_the_command_line() -> None:
    assert loaded_by(CommandLine(None), "--version") <= CLICK


def test_help_loads_only_the_command_line() -> None:
    assert loaded_by(CommandLine(None), "--help") <= CLICK


@pytest.fixture(scope="module")
def node(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    with served(organisation.copy(tmp_path_factory.mktemp("start-up") / "data")) as running:
        yield running


def test_a_list_from_a_running_pipeline_loads_no_pipeline(node: CommandLine) -> None:
    assert loaded_by(node, "intents", "list") <= TERMINAL | MODELS | HTTP


def test_submitting_to_a_running_pipeline_loads_no_pipeline(node: CommandLine) -> None:
    loaded = loaded_by(node, "submit", "-", stdin=json.dumps(INTENT))
    assert loaded <= TERMINAL | MODELS | SIGNING | HTTP


@pytest.mark.parametrize(
    ("module", "foreign"),
    [
        ("sixgate.services.gates", LEDGER),
        ("sixgate.services.signer", {"faust", "pyarrow", "numpy"}),
        ("sixgate.services.registrar", {"faust", "coincurve"} | LEDGER),
        ("sixgate.services.ledger", {"faust", "coincurve"}),
        ("sixgate.services.custody", {"faust"} | LEDGER),
    ],
)
def test_a_process_on_kafka_loads_no_part_of_another(module: str, foreign: set[str]) -> None:
    probe = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    assert tops & (foreign | CLOUDS | ENGINES) == set()


def test_the_command_table_has_the_commands_help() -> None:
    own = {
        name: (load_command(name).help or "").split("\n\n")[0].replace("\n", " ")
        for name in COMMANDS
    }
    assert own == {name: entry.help for name, entry in COMMANDS.items()}
