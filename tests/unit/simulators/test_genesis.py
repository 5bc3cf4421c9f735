import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.simulators.contracts import contracts
from streams.simulators.example import example_genesis
from streams.simulators.genesis import FILE_BYTES_MAX, Genesis, GenesisError, load_genesis
from tests.harness.builders.simulation import ALICE

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return example_genesis(8453, {ALICE: 10**18})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "base.json"


def test_a_file_is_read_as_it_was_written(document: Document, path: Path) -> None:
    path.write_text(json.dumps(document))

    genesis = load_genesis(path)

    assert genesis.chain_id == 8453
    assert genesis.alloc[ALICE].balance_wei == 10**18
    assert Genesis.model_validate_json(genesis.model_dump_json()) == genesis


def test_code_is_a_contracts_name_or_hex(document: Document, path: Path) -> None:
    bob = "0x" + "b0" * 20
    document["alloc"][bob] = {"code": "0x5b5f56"}
    path.write_text(json.dumps(document))

    genesis = load_genesis(path)

    named = next(account for account in genesis.alloc.values() if account.code == "Weth")
    assert named.byte_code() == contracts()["Weth"].runtime_code
    assert genesis.alloc[bob].byte_code() == b"\x5b\x5f\x56"
    assert genesis.alloc[ALICE].byte_code() == b""


def _set(*keys_and_value: Any) -> Callable[[Document], None]:
    *keys, last, value = keys_and_value

    def change(document: Document) -> None:
        place: Any = document
        for key in keys:
            place = place[key]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d.pop("block"), " at block: is missing"),
        (_set("surprise", 1), " at surprise: is not a known field"),
        (_set("version", 2), " at version"),
        (_set("chain_id", 0), " at chain_id"),
        (_set("chain_id", 1.0), " at chain_id"),
        (_set("block", "number", -1), " at block.number"),
        (lambda d: d["block"].update(number=True), " at block.number"),
        (_set("alloc", []), " at alloc"),
        (_set("alloc", ALICE, "balance_wei", 5), "quoted decimal"),
        (_set("alloc", ALICE, "balance_wei", "-5"), "quoted decimal"),
        (_set("alloc", ALICE, "balance_wei", "05"), "quoted decimal"),
        (_set("alloc", ALICE, "balance_wei", "1e18"), "quoted decimal"),
        (_set("alloc", ALICE, "balance_wei", "\u0665"), "quoted decimal"),
        (_set("alloc", ALICE, "balance_wei", str(2**256)), "below 2^256"),
        (_set("alloc", ALICE, "balance_wei", "9" * 5000), "quoted decimal"),
        (_set("alloc", ALICE, "nonce", 2**64), f" at alloc.{ALICE}.nonce"),
        (_set("alloc", ALICE, "code", "Nothing"), "nor one of BurnsGas, "),
        (_set("alloc", ALICE, "code", "0x1"), "even number of hex digits"),
        (_set("alloc", ALICE, "code", "0x 00"), "even number of hex digits"),
        (_set("alloc", ALICE, "storage", {"0x1": "0x" + "00" * 32}), " at alloc."),
        (_set("alloc", ALICE.upper(), {}), " at alloc."),
        (_set("alloc", ALICE + "\n", {}), " at alloc."),
        (_set("alloc", "\x1b[2J\ud800", {}), "not JSON"),
        (_set("alloc", "9" * 10**6, {}), " at alloc."),
    ],
)
def test_an_invalid_value_is_named_with_its_field(
    document: Document, path: Path, change: Callable[[Document], None], complaint: str
) -> None:
    change(document)
    path.write_text(json.dumps(document))

    with pytest.raises(GenesisError) as error:
        load_genesis(path)

    assert complaint in str(error.value)
    assert f"file {path.parent.name}/{path.name} " in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 600


def test_the_largest_balance_is_held_exactly(document: Document, path: Path) -> None:
    document["alloc"][ALICE]["balance_wei"] = str(2**256 - 1)
    path.write_text(json.dumps(document))

    assert load_genesis(path).alloc[ALICE].balance_wei == 2**256 - 1


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"chain_id":1,"chain_id":2}']
)
def test_a_file_that_is_not_json_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(GenesisError, match=r"is (not JSON|ambiguous)"):
        load_genesis(path)


def test_an_account_that_is_funded_twice_is_refused(document: Document, path: Path) -> None:
    text = json.dumps(document)
    path.write_text(text.replace(f'"{ALICE}": {{', f'"{ALICE}": {{}}, "{ALICE}": {{'))

    with pytest.raises(GenesisError, match="occurs twice"):
        load_genesis(path)


def test_a_missing_file_and_a_folder_have_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GenesisError, match="No such file") as error:
        load_genesis(tmp_path / "missing.json")
    assert str(tmp_path.parent) not in str(error.value)
    with pytest.raises(GenesisError, match="Is a directory"):
        load_genesis(tmp_path)


def test_an_endless_file_is_not_read_to_its_end(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)

    with pytest.raises(GenesisError, match="67108864 bytes"):
        load_genesis(path)
