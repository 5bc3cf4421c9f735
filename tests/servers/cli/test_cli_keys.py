"""Key commands: six chains, rotation, deactivation and import."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey

from schemas.registry.key_chains import KeyChain
from signer.keys.addresses.derivation import canonical_address, derive
from tests.harness.cli.command_line import CommandLine, served
from tests.harness.cli.intents import INTENT, NARROW

OWN = "agents/payroll/chains/ethereum/private_key"


@pytest.fixture(scope="module")
def cli(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    with served(organisation.copy(tmp_path_factory.mktemp("keys") / "data")) as running:
        yield running


def versions(cli: CommandLine, path: str) -> list[dict[str, Any]]:
    return [key for key in cli.ok("keys", "list", "--json").json if key["path"] == path]


def import_(cli: CommandLine, *words: str, stdin: str = "") -> Any:
    return cli.run("keys", "import", *words, stdin=stdin)


@pytest.mark.parametrize(
    ("name", "beginning"),
    [("bitcoin", "bc1q"), ("solana", ""), ("xrp", "r"), ("cardano", "addr1v"), ("tron", "T")],
)
def test_a_key_of_another_chain_holds_an_address(
    cli: CommandLine, name: str, beginning: str
) -> None:
    address = cli.ok("keys", "provision", "--chain", name, "--account", "treasury").out.strip()
    assert address.startswith(beginning)
    (key,) = versions(cli, f"keys/{name}-signer")
    assert (key["address"], key["chain"], key["state"]) == (address, name, "active")
    assert (key["can"], key["agents"]) == ("holds an address only", [])
    public_key = bytes.fromhex(key["public_key"][2:])
    assert derive(KeyChain(name), public_key) == address


def test_an_intent_that_names_a_key_of_another_chain_is_refused(cli: CommandLine) -> None:
    path = "agents/payroll/chains/tron/private_key"
    cli.ok("keys", "provision", path, "--agent", "payroll")
    assert versions(cli, path)[0]["chain"] == "tron"
    refused = cli.submit(INTENT | {"key_path": path})[0]["result"]
    assert (refused["reason"], "tron" in refused["detail"]) == ("key_chain_wrong", True)


def test_a_rotated_key_signs_with_its_new_address_and_both_stay_visible(cli: CommandLine) -> None:
    cli.ok("keys", "provision", "wallets/turning", "--agent", "payroll")
    use = INTENT | {"key_path": "wallets/turning"}
    before = cli.submit(use)[0]["result"]
    rotated = cli.ok("keys", "rotate", "wallets/turning", "--agent", "payroll")
    after = cli.submit(use)[0]["result"]
    assert (before["key_version"], after["key_version"]) == (1, 2)
    assert before["sender"] != after["sender"] == rotated.out.strip().lower()
    assert before["sender"] in rotated.err.lower()
    first, second = versions(cli, "wallets/turning")
    assert (first["address"], first["state"], first["can"]) == (
        before["sender"], "rotated", "signs no more",
    )  # fmt: skip
    assert (second["address"], second["state"], second["can"]) == (
        after["sender"], "active", "signs transactions and messages",
    )  # fmt: skip


def test_a_deactivated_key_refuses_until_it_is_rotated(cli: CommandLine) -> None:
    cli.ok("keys", "provision", "wallets/ending", "--agent", "payroll")
    use = INTENT | {"key_path": "wallets/ending"}
    cli.ok("keys", "deactivate", "wallets/ending", "--account", "treasury")
    assert cli.submit(use)[0]["result"]["reason"] == "key_inactive"
    again = cli.run("keys", "deactivate", "wallets/ending", "--account", "treasury")
    assert (again.code, "wallets/ending" in again.sentence) == (4, True)
    cli.ok("keys", "rotate", "wallets/ending", "--account", "treasury")
    assert cli.submit(use)[0]["outcome"] == "signed"


def test_a_key_is_imported_from_a_private_file_and_signs(cli: CommandLine, tmp_path: Path) -> None:
    secret = PrivateKey(secrets.token_bytes(32))
    address = derive(KeyChain.ETHEREUM, secret.public_key.format())
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(secret.to_hex().rjust(64, "0") + "\n")
    imported = import_(cli, str(file), "wallets/mine", "--agent", "payroll")
    assert (imported.code, imported.out.strip()) == (0, address), imported.err
    assert "copies" in imported.err
    assert versions(cli, "wallets/mine")[0]["imported"] is True
    signed = cli.submit(INTENT | {"key_path": "wallets/mine"})[0]["result"]
    assert signed["sender"] == canonical_address(KeyChain.ETHEREUM, address)
    again = import_(cli, str(file), "wallets/more", "--account", "treasury")
    assert (again.code, signed["sender"] in again.sentence.lower()) == (4, True)
    other = import_(cli, str(file), "wallets/mine", "--account", "main")
    assert (other.code, "treasury" in other.sentence) == (4, True)
    file.chmod(0o640)
    assert "chmod 600" in import_(cli, str(file), "wallets/b", "--account", "main").sentence


def test_a_key_is_imported_from_a_pipe(cli: CommandLine) -> None:
    digits = secrets.token_hex(32)
    imported = import_(
        cli, "-", "--chain", "solana", "--account", "main", "--json", stdin=f"0x{digits}\n"
    )
    assert imported.code == 0, imported.err
    assert (imported.json["chain"], imported.json["imported"]) == ("solana", True)
    assert digits not in imported.out + imported.err


@pytest.mark.parametrize("stdin", ["", "zz", "00" * 31, "00" * 33, "00" * 500])
def test_invalid_key_text_is_refused_and_not_repeated(cli: CommandLine, stdin: str) -> None:
    ended = import_(cli, "-", "wallets/missing", "--account", "main", stdin=stdin)
    assert ended.code == 2
    assert "standard input" in ended.sentence
    assert not stdin or stdin not in ended.err


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_key_on_the_command_line_is_not_repeated(
    cli: CommandLine, cut: int, order: tuple[int, int]
) -> None:
    secret = secrets.token_hex(32)[cut:]
    words = (secret, "wallets/missing")
    ended = import_(cli, *(words[n] for n in order), "--account", "main")
    assert (ended.code, "private key" in ended.err) == (2, True), ended.err
    assert secret[:16] not in ended.err + ended.out


ORDER = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"


@pytest.mark.parametrize(
    ("chain", "digits"),
    [
        ("base", "00" * 32),
        ("base", ORDER),
        ("tron", "ff" * 32),
        ("solana", "00" * 32),
    ],
)
def test_a_key_outside_the_groups_order_is_refused(
    cli: CommandLine, chain: str, digits: str
) -> None:
    ended = import_(cli, "-", "--chain", chain, "--account", "main", stdin=digits)
    kind = "ethereum" if chain == "base" else chain
    assert (ended.code, kind in ended.sentence) == (2, True)


def test_a_name_that_makes_an_invalid_path_is_refused(cli: CommandLine) -> None:
    cli.ok("agents", "add", "pay.roll", "--account", "main", *NARROW)
    for word in ("provision", "rotate", "deactivate"):
        ended = cli.run("keys", word, "--agent", "pay.roll")
        assert (ended.code, "pay.roll" in ended.sentence) == (2, True)
    cli.ok("keys", "provision", "wallets/dotted", "--agent", "pay.roll")


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ("rotate wallets/nothing --account treasury", 9, "key wallets/nothing"),
        ("deactivate --chain zora --account treasury", 9, "key keys/zora-signer"),
        ("rotate --account treasury", 2, "--chain"),
        (f"rotate {OWN}", 2, "--account"),
        ("provision --chain dogecoin --account treasury", 9, "chain dogecoin"),
        ("provision keys/bitcoin-signer --chain xrp --account main", 2, "keys/bitcoin-signer"),
        ("import /nonexistent wallets/x --account main", 2, "/nonexistent"),
    ],
)
def test_a_wrong_order_is_refused(cli: CommandLine, words: str, code: int, why: str) -> None:
    ended = cli.run("keys", *words.split())
    assert (ended.code, why in ended.sentence) == (code, True), ended.err
