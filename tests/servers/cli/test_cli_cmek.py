"""Customer keys: the signer refuses values without them and never has the key."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.registry.records import CustomerKeySet
from signer.custody.cmek import fingerprint_of, layer_of
from signer.custody.hpke import KEY_BYTES
from sixgate.api import ApiError
from sixgate.api.operator.connection import connect
from sixgate.authoring import operator
from sixgate.authoring.vault_orders import NewSecret, Orderer, VaultId, store
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from tests.harness.cli.command_line import CommandLine, Ended, served

VALUE = "correct horse battery staple"
OWNED = ("--account", "treasury")


@pytest.fixture(scope="module")
def cli(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    with served(organisation.copy(tmp_path_factory.mktemp("cmek") / "data")) as running:
        running.ok("access", "grant", "payroll", "*", "**", "--rights", "read,write")
        yield running


def put(cli: CommandLine, vault: str, path: str, *words: str) -> Ended:
    words = ("secrets", "put", vault, path, "-", *OWNED, *words)
    return cli.run(*words, stdin=f"{VALUE} {path}")


def get(cli: CommandLine, vault: str, path: str, *words: str) -> Ended:
    return cli.run("secrets", "get", vault, path, "--agent", "payroll", *words)


def enrolled(cli: CommandLine, vault: str, key: Path, *paths: str) -> None:
    cli.ok("vaults", "create", vault, *OWNED)
    cli.ok("cmek", "enrol", vault, *OWNED, "--key", str(key))
    for path in paths:
        ended = put(cli, vault, path, "--customer-key", str(key))
        assert ended.code == 0, ended.err


def began(cli: CommandLine, vault: str, key: Path) -> None:
    """Do the first steps of a rotation: create and enrol the new key."""
    secret = secrets.token_bytes(KEY_BYTES)
    key.touch(mode=0o600)
    key.write_text(secret.hex())
    record = CustomerKeySet(account="treasury", vault=vault, fingerprint=fingerprint_of(secret))
    with connect(cli.data) as api:
        operator.register(api, Folder(cli.data).admin(), [record], wall_ms())


def test_only_values_under_the_enrolled_key_are_accepted(cli: CommandLine, tmp_path: Path) -> None:
    key, other = tmp_path / "key", tmp_path / "other"
    enrolled(cli, "one", key, "db")
    assert key.stat().st_mode & 0o777 == 0o600
    other.touch(mode=0o600)
    other.write_text("01" * KEY_BYTES)
    for words in ((), ("--customer-key", str(other))):
        assert put(cli, "one", "more", *words).code == 2
    with connect(cli.data) as api:
        by = Orderer(api, Folder(cli.data).admin(), wall_ms())
        for value in (b"in clear", b"\x02" + b"\x01" * 80, None):
            with pytest.raises(ApiError) as caught:
                store(by, VaultId("treasury", "one"), NewSecret("more", 1, "note", value))
            assert caught.value.code == "vault_refused"
    query = "SELECT body FROM records WHERE topic = 'audit'"
    audit = cli.ok("ledger", "sql", query, "--json").out
    (fingerprint,) = cli.ok("vaults", "show", "one", *OWNED, "--json").json["customer_keys"]
    assert fingerprint in audit


def test_a_value_opens_only_with_the_customer_key(cli: CommandLine, tmp_path: Path) -> None:
    key, out = tmp_path / "key", tmp_path / "out"
    enrolled(cli, "two", key, "db")
    assert get(cli, "two", "db", "--customer-key", str(key)).out == f"{VALUE} db"
    assert get(cli, "two", "db", "--out", str(out)).code == 0
    layered = out.read_bytes()
    assert layer_of(layered)
    assert VALUE.encode() not in layered


def test_no_customers_key_is_in_any_file_of_a_folder_at_rest(
    organisation: CommandLine, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    cli = organisation.copy(tmp_path / "data")
    cli.ok("access", "grant", "payroll", "*", "**", "--rights", "read,write")
    enrolled(cli, "two", key, "db")
    assert get(cli, "two", "db", "--customer-key", str(key)).out == f"{VALUE} db"
    digits = key.read_text()
    for content in cli.files_at_rest():
        assert bytes.fromhex(digits) not in content
        assert digits.encode() not in content
        assert VALUE.encode() not in content


def test_an_interrupted_rotation_continues_and_values_stay_readable(
    cli: CommandLine, tmp_path: Path
) -> None:
    old, new, paths = tmp_path / "old", tmp_path / "new", ("a", "b", "c", "d")
    enrolled(cli, "three", old, *paths)
    rotate = ("cmek", "rotate", "three", "--agent", "payroll")
    keys = ("--key", str(old), "--new-key", str(new))
    began(cli, "three", new)
    cli.ok("access", "deny", "payroll", "three", "c", "--rights", "write")
    stopped = cli.run(*rotate, *keys)
    assert stopped.code == 4
    for path, key in (("a", new), ("b", new), ("c", old), ("d", old)):
        assert get(cli, "three", path, "--customer-key", str(key)).out == f"{VALUE} {path}"
    refused = put(cli, "three", "late", "--customer-key", str(old))
    assert (refused.code, str(old) in refused.sentence) == (2, True)
    cli.ok("access", "revoke", "payroll", "three", "c")
    assert "2 secrets" in cli.ok(*rotate, *keys).err
    assert "0 secrets" in cli.ok(*rotate, *keys).err
    for path in paths:
        assert get(cli, "three", path, "--customer-key", str(new)).out == f"{VALUE} {path}"
        first = get(cli, "three", path, "--version", "1", "--customer-key", str(old))
        assert first.out == f"{VALUE} {path}"


def test_a_rotation_does_not_start_without_all_rights(cli: CommandLine, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    enrolled(cli, "six", old, "a", "b")
    rotate = ("cmek", "rotate", "six", "--agent", "payroll", "--key", str(old))
    for right in ("read", "write"):
        cli.ok("access", "deny", "payroll", "six", "b", "--rights", right)
        refused = cli.run(*rotate, "--new-key", str(new))
        assert refused.code == 4
        cli.ok("access", "revoke", "payroll", "six", "b")
    shown = cli.ok("vaults", "show", "six", *OWNED, "--json").json
    assert len(shown["customer_keys"]) == 1
    assert len(shown["secrets"]) == 2


def test_values_left_by_an_unfinished_rotation_are_reported(
    cli: CommandLine, tmp_path: Path
) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    enrolled(cli, "seven", first, "a", "b")
    began(cli, "seven", second)
    rotate = ("cmek", "rotate", "seven", "--agent", "payroll", "--new-key", str(third))
    stopped = cli.run(*rotate, "--key", str(second))
    assert (stopped.code, "2 secrets" in stopped.sentence) == (4, True)
    assert "2 secrets" in cli.ok(*rotate, "--key", str(first)).err
    assert "0 secrets" in cli.ok(*rotate, "--key", str(second)).err
    for path in ("a", "b"):
        assert get(cli, "seven", path, "--customer-key", str(third)).out == f"{VALUE} {path}"


def test_unknown_and_former_keys_are_refused(cli: CommandLine, tmp_path: Path) -> None:
    old, new, third = (tmp_path / name for name in ("old", "new", "third"))
    enrolled(cli, "four", old, "a")
    rotate = ("cmek", "rotate", "four", "--agent", "payroll")
    cli.ok(*rotate, "--key", str(old), "--new-key", str(new))
    assert cli.run(*rotate, "--key", str(old), "--new-key", str(third)).code == 2
    assert not third.exists()
    assert cli.run(*rotate, "--key", str(new), "--new-key", str(new)).code == 2
    back = cli.run(*rotate, "--key", str(new), "--new-key", str(old))
    former = fingerprint_of(bytes.fromhex(old.read_text()))
    assert (back.code, former in back.sentence) == (4, True)
    assert cli.run("cmek", "enrol", "four", *OWNED, "--key", str(third)).code == 2


def test_a_vault_with_secrets_cannot_enrol_a_key(cli: CommandLine, tmp_path: Path) -> None:
    cli.ok("vaults", "create", "five", *OWNED)
    assert put(cli, "five", "a").code == 0
    refused = cli.run("cmek", "enrol", "five", *OWNED, "--key", str(tmp_path / "key"))
    assert (refused.code, "five" in refused.sentence) == (4, True)
    keys = cli.run("cmek", "enrol", "__agent-keys", *OWNED, "--key", str(tmp_path / "key"))
    assert (keys.code, "__agent-keys" in keys.sentence) == (4, True)
