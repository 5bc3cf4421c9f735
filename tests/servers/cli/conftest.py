"""One organisation for all tests of commands; files and tests work on copies of it."""

from pathlib import Path

import pytest

from tests.harness.cli.command_line import InProcess
from tests.harness.cli.intents import WIDE


@pytest.fixture(scope="session")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    """Make one organisation with an agent that may sign."""
    cli = InProcess(tmp_path_factory.mktemp("organisation") / "data")
    cli.ok("init", "--org", "acme")
    cli.ok("agents", "add", "payroll", "--account", "treasury", *WIDE)
    cli.ok("keys", "provision", "--agent", "payroll")
    return cli


@pytest.fixture
def cli(organisation: InProcess, tmp_path: Path) -> InProcess:
    """Copy the organisation for one test that changes or breaks its folder."""
    return organisation.copy(tmp_path / "data")
