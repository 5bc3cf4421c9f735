import pytest

from tests.harness.cli.command_line import CommandLine

LIMITS = "--max-value-eth 1 --daily-limit-eth 20 --allow-to any --chains ethereum,base --rate 6000"


@pytest.fixture(scope="session")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Make one organisation with an agent that may sign; tests work on copies."""
    cli = CommandLine(tmp_path_factory.mktemp("organisation") / "data")
    cli.ok("init", "--org", "acme")
    cli.ok("agents", "add", "payroll", "--account", "treasury", *LIMITS.split())
    cli.ok("keys", "provision", "--agent", "payroll")
    return cli


@pytest.fixture
def cli(organisation: CommandLine, tmp_path: "pytest.TempPathFactory") -> CommandLine:
    return organisation.copy(tmp_path / "data")  # type: ignore[operator]
