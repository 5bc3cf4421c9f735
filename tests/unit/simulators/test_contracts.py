import hashlib
import json

import pytest
from eth_utils.abi import function_signature_to_4byte_selector

from streams.simulators.contracts import COMPILED, FOLDER, Contract, contracts, known_errors


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.sol")))
def test_byte_code_was_compiled_from_the_source_beside_it(name: str) -> None:
    recorded = json.loads(COMPILED.read_text())["sources_sha256"]

    assert recorded[name] == hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()


def test_no_byte_code_is_without_source() -> None:
    compiled = json.loads(COMPILED.read_text())

    assert compiled["sources_sha256"].keys() == {path.name for path in FOLDER.glob("*.sol")}
    assert {f"{name}.sol" for name in compiled["contracts"]} <= compiled["sources_sha256"].keys()


def test_the_compiler_is_the_pinned_one() -> None:
    pinned = json.loads((FOLDER / "package.json").read_text())["devDependencies"]["solc"]
    locked = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    compiler = json.loads(COMPILED.read_text())["compiler"]

    assert compiler.startswith(f"{pinned}+commit.")
    assert locked["node_modules/solc"]["version"] == pinned
    assert all("integrity" in package for name, package in locked.items() if name)
    assert not any("resolved" in package for package in locked.values())


@pytest.mark.parametrize("contract", contracts().values(), ids=contracts().keys())
def test_selectors_are_the_keccak_of_their_signatures(contract: Contract) -> None:
    selectors = {**contract.methods, **{name: code for code, name in contract.errors.items()}}

    for signature, selector in selectors.items():
        assert selector == "0x" + function_signature_to_4byte_selector(signature).hex()


def test_the_router_is_called_as_uniswaps_swaprouter02() -> None:
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"

    assert contracts()["Router"].methods[signature] == "0x04e45aaf"


def test_custom_errors_are_known_by_selector() -> None:
    assert known_errors() == {"0x4ef41257": "VaultClosed(uint256)"}
