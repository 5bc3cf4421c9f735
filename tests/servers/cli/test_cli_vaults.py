"""Vault and access commands: modes are permanent, nothing is granted by default."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sixgate.api.operator.connection import connect
from sixgate.authoring import operator
from sixgate.authoring.operator import Admin, KeyTarget
from sixgate.cli.client_shares import Client, client_of, sealing_key_file
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from tests.harness.cli.command_line import CommandLine, InProcess, served
from tests.harness.cli.intents import INTENT


@pytest.fixture(scope="module")
def cli(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    with served(organisation.copy(tmp_path_factory.mktemp("vaults") / "data")) as running:
        running.ok("vaults", "create", "prod", "--account", "treasury")
        yield running


def mode_of(cli: CommandLine, vault: str, account: str = "treasury") -> str:
    return str(cli.ok("vaults", "show", vault, "--account", account, "--json").json["mode"])


def test_a_vault_is_made_and_shown(cli: CommandLine) -> None:
    words = ("--account", "treasury", "--mode", "2of3_multi_hsm", "--providers", "aws,gcp,azure")
    created = cli.ok("vaults", "create", "cold", *words)
    assert "2of3_multi_hsm" in created.err
    shown = cli.ok("vaults", "show", "cold", "--account", "treasury", "--json").json
    assert (shown["mode"], shown["providers"]) == ("2of3_multi_hsm", ["aws", "gcp", "azure"])
    assert "two providers" in cli.ok("vaults", "show", "cold", "--account", "treasury").out
    names = {vault["vault"] for vault in cli.ok("vaults", "list", "--json").json}
    assert names >= {"prod", "cold", "__agent-keys"}
    assert "2of3_multi_hsm" in cli.ok("vaults", "list", "--account", "treasury").out
    split = ("vaults", "set-mode", "cold", "2of3_multi_hsm", "--account", "treasury")
    cli.ok(*split, "--providers", "aws, gcp,azure")
    others = cli.run(*split, "--providers", "gcp,aws,azure")
    assert (others.code, "aws,gcp,azure" in others.sentence) == (4, True)


@pytest.mark.parametrize(
    ("mode", "recoverable"), [("2of3_client_custody", True), ("2of2_client_custody", False)]
)
def test_creating_a_vault_tells_whether_a_lost_share_can_be_recovered(
    cli: CommandLine, mode: str, *, recoverable: bool
) -> None:
    vault = mode.partition("_")[0]
    made = cli.ok("vaults", "create", vault, "--account", "treasury", "--mode", mode)
    assert "lost" in made.err
    assert ("sixgate vaults recover" in " ".join(made.err.split())) is recoverable


def test_a_custody_mode_cannot_be_changed(cli: CommandLine) -> None:
    refused = cli.run("vaults", "set-mode", "prod", "2of3_multi_hsm", "--account", "treasury")
    assert (refused.code, "envelope" in refused.sentence) == (4, True)
    again = cli.run("vaults", "create", "prod", "--account", "treasury", "--mode", "2of3_multi_hsm")
    assert (again.code, "envelope" in again.sentence) == (4, True)
    assert mode_of(cli, "prod") == "envelope"
    cli.ok("vaults", "set-mode", "prod", "envelope", "--account", "treasury")


def test_a_key_vaults_mode_is_chosen_before_its_account_is_opened(
    cli: CommandLine,
) -> None:
    set_mode = ("vaults", "set-mode", "__agent-keys", "2of3_multi_hsm", "--account")
    assert cli.run(*set_mode, "treasury").code == 4
    created = cli.ok(*set_mode, "later")
    assert "two providers" in created.err
    assert mode_of(cli, "__agent-keys", "later") == "2of3_multi_hsm"


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("create", "Prod"), 2, "'Prod'"),
        (("create", "__mine", "--account", "treasury"), 4, "__agent-keys"),
        (("create", "x", "--account", "ghost"), 9, "main, treasury"),
        (("create", "x", "--mode", "best"), 2, "envelope"),
        (("create", "x", "--mode", "2of3_multi_hsm", "--providers", "gcp,aws"), 4, "providers"),
        (
            ("create", "x", "--mode", "2of3_multi_hsm", "--providers", "gcp,asw,azure"),
            2,
            "'asw'",
        ),
        (("create", "x", "--providers", "gcp,aws,azure"), 4, "providers"),
        (("create", "__treasury-keys"), 4, "--mode"),
        (("show", "prode", "--account", "treasury"), 9, "prod"),
        (("show", "prod"), 9, "did you mean --account treasury?"),
        (("show", "prod", "--account", "treasure"), 9, "did you mean treasury?"),
    ],
)
def test_a_wrong_vault_is_refused(
    cli: CommandLine, words: tuple[str, ...], code: int, why: str
) -> None:
    ended = cli.run("vaults", *words)
    assert (ended.code, why in ended.err) == (code, True), ended.err


def grants(cli: CommandLine) -> list[dict[str, object]]:
    found = cli.ok("access", "list", "--agent", "payroll", "--json").json
    return list(found["payroll"])


def test_a_deny_that_names_no_right_denies_all(cli: CommandLine) -> None:
    cli.ok("access", "deny", "payroll", "prod", "db/root")
    assert [grant["rights"] for grant in grants(cli)] == [["read", "write", "sign"]]
    cli.ok("access", "revoke", "payroll", "prod", "db/root")


def test_grants_are_added_listed_and_revoked(cli: CommandLine) -> None:
    assert grants(cli) == []
    cli.ok("access", "grant", "payroll", "prod", "db/**", "--rights", "read, write")
    denied = cli.ok("access", "deny", "payroll", "*", "db/root", "--rights", "read")
    assert "db/root" in denied.err
    assert [(g["effect"], g["vault"], g["rights"]) for g in grants(cli)] == [
        ("allow", "prod", ["read", "write"]),
        ("deny", "*", ["read"]),
    ]
    assert "db/**" in cli.ok("access", "list").out
    assert "payroll" in cli.ok("vaults", "show", "prod", "--account", "treasury").out
    assert (
        cli.run("access", "grant", "payroll", "prod", "db/**", "--rights", "read,write").code == 2
    )
    cli.ok("access", "revoke", "payroll", "prod", "db/**")
    cli.ok("access", "revoke", "payroll", "*", "db/root")
    assert grants(cli) == []
    assert cli.run("access", "revoke", "payroll", "prod", "db/**").code == 9


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("ghost", "prod", "**"), 9, "agent ghost"),
        (("payroll", "nothing", "**"), 9, "vault nothing"),
        (("payroll", "prod", "../x"), 2, "'../x'"),
        (("payroll", "prod", "x", "--rights", "own"), 2, "read, write or sign"),
    ],
)
def test_a_wrong_grant_is_refused(
    cli: CommandLine, words: tuple[str, ...], code: int, why: str
) -> None:
    ended = cli.run("access", "grant", *words)
    assert (ended.code, why in ended.sentence) == (code, True), ended.err
    assert grants(cli) == []


def test_a_key_in_client_custody_comes_with_its_share(cli: CommandLine, tmp_path: Path) -> None:
    words = ("--account", "treasury", "--mode", "2of2_client_custody")
    cli.ok("vaults", "create", "__treasury-keys", *words)
    provision = ("keys", "provision", "wallets/cold", "--agent", "payroll")
    lost = cli.run(*provision)
    assert (lost.code, "--share-out" in lost.sentence) == (2, True)
    first, second, inside = tmp_path / "first", tmp_path / "second", cli.data / "share"
    beside = cli.run(*provision, "--share-out", str(inside))
    assert (beside.code, str(inside) in beside.sentence) == (5, True)
    assert not list(cli.data.glob("share*"))
    assert cli.ok(*provision, "--share-out", str(first)).out.startswith("0x")
    rotated = ("keys", "rotate", "wallets/cold", "--account", "treasury")
    assert cli.run(*rotated, "--share-out", str(first)).code == 2
    cli.ok(*rotated, "--share-out", str(second))
    shares = {file.read_text() for file in (first, second)}
    assert [len(share.strip()) for share in shares] == [2 * (2 + 32)] * 2
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in (first, second))
    listed = cli.ok("keys", "list", "--json").json
    assert [key["vault"] for key in listed if key["path"] == "wallets/cold"] == [
        "__treasury-keys"
    ] * 2
    intent = INTENT | {"key_path": "wallets/cold"}
    assert cli.submit(intent)[0]["result"]["reason"] == "client_share_missing"
    seal = ("keys", "seal-share", "wallets/cold", "--agent", "payroll", "--share")
    sealed = {file: cli.ok(*seal, str(file)).json for file in (first, second)}
    wrong = cli.submit(intent | {"client_share": sealed[first]})
    assert wrong[0]["result"]["reason"].startswith("client_share_")
    right = cli.submit(intent | {"client_share": sealed[second]})
    assert right[0]["outcome"] == "signed", right
    box = tmp_path / "box.json"
    box.write_text(json.dumps(sealed[second]))
    one = ("tx", "sign", "payroll", "--to", INTENT["to"], "--value", "0.1", "--chain", "base")
    with_share = (*one, "--key-path", "wallets/cold", "--client-share")
    assert cli.ok(*with_share, str(box), "--json").json["type"] == "transaction.signed"
    assert cli.run(*with_share, str(first)).code == 2
    assert cli.run(*with_share, str(tmp_path / "missing")).code == 2
    aside = ("keys", "provision", "keys/x", "--account", "treasury", "--vault", "__agent-keys")
    unwanted = cli.run(*aside, "--share-out", str(tmp_path / "x"))
    assert (unwanted.code, "--share-out" in unwanted.sentence) == (2, True)
    cli.ok(*aside)


def test_without_main_the_only_account_is_the_default(tmp_path: Path) -> None:
    cli = InProcess(tmp_path / "data")
    cli.ok("init", "--org", "acme", "--account", "desk")
    cli.ok("vaults", "create", "prod")
    cli.ok("secrets", "put", "prod", "api/token", "--generate")
    assert "api/token" in cli.ok("secrets", "list", "prod").out
    assert mode_of(cli, "prod", "desk") == "envelope"


TREASURY = {"account": "main", "vault": "__treasury-keys", "mode": "2of2_client_custody"}


def stopped(path: str, file: Path) -> Client:
    """Do what a command does before its order: only its sealing key is on disk."""
    client = client_of(Folder(file.parent / "data"), TREASURY, path, file)
    assert client is not None
    assert sealing_key_file(file).stat().st_mode & 0o777 == 0o600
    assert client.share_for.removeprefix("0x") not in sealing_key_file(file).read_text()
    return client


@pytest.fixture(scope="module")
def treasury(cli: CommandLine) -> CommandLine:
    """Create the vault for interrupted commands."""
    words = ("--account", TREASURY["account"], "--mode", TREASURY["mode"])
    cli.ok("vaults", "create", TREASURY["vault"], *words)
    return cli


def test_a_command_killed_before_it_saved_the_share_is_continued(
    treasury: CommandLine, tmp_path: Path
) -> None:
    cli = treasury
    file = tmp_path / "cold"
    client = stopped("wallets/taken", file)
    with connect(cli.data) as api:
        admin = Admin(api, Folder(cli.data).admin(), wall_ms())
        target = KeyTarget("main", "wallets/taken", share_for=client.share_for)
        made = operator.provision(admin, target)
    other = cli.run("keys", "provision", "wallets/x", "--account", "main", "--share-out", str(file))
    assert (other.code, "wallets/taken" in other.sentence) == (2, True)
    again = cli.ok(
        "keys", "provision", "wallets/taken", "--account", "main", "--share-out", str(file)
    )
    assert made["address"] == again.out.strip().lower()
    assert "version 1" in again.err
    assert (file.stat().st_mode & 0o777, sealing_key_file(file).exists()) == (0o600, False)
    keys = [k for k in cli.ok("keys", "list", "--json").json if k["path"] == "wallets/taken"]
    assert [key["version"] for key in keys] == [1]


def test_a_command_killed_before_its_order_starts_again(
    treasury: CommandLine, tmp_path: Path
) -> None:
    cli, file = treasury, tmp_path / "cold"
    stopped("wallets/begun", file)
    provision = ("keys", "provision", "wallets/begun", "--account", "main", "--share-out")
    assert cli.ok(*provision, str(file)).out.startswith("0x")
    assert not sealing_key_file(file).exists()
    refused = cli.run(*provision, str(tmp_path / "second"))
    assert (refused.code, sealing_key_file(tmp_path / "second").exists()) == (4, False)
