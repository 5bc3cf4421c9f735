"""Transactions and authorizations that ethers and viem sign in every run.

The seed is printed; SIXGATE_VECTOR_SEED repeats a run and SIXGATE_VECTOR_COUNT lengthens it.
"""

import json
import os
import secrets
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from signer.core.ethereum.authorization import authority, authorization_hash
from signer.core.ethereum.encoding import encode
from signer.core.ethereum.signing import sign_transaction
from signer.core.ethereum.validation import ValidTransaction, first_problem
from sixgate.cli.transaction_decoding import decode_of_any_chain, sender
from tests.harness.builders.ethereum import (
    MemoryKey,
    authorization_of,
    bytes_of,
    sign_terms,
    signature_of,
    signed_unchecked,
    transaction_of,
)
from tests.harness.builders.node import run_script
from tests.harness.builders.vectors import report_cases
from tests.harness.sizes import sized

GENERATORS = Path(__file__).parent / "generators"
LIBRARIES = {"ethers", "viem"}
TYPES = {0, 1, 2, 3, 4}


@pytest.fixture(scope="module")
def seed() -> str:
    return os.environ.get("SIXGATE_VECTOR_SEED") or secrets.token_hex(8)


@pytest.fixture(scope="module")
def fresh(seed: str) -> Any:
    return run_script(
        GENERATORS, "generate.mjs", seed, os.environ.get("SIXGATE_VECTOR_COUNT", str(sized(20, 60)))
    )


def test_both_libraries_sign_the_same_transactions_of_every_type(
    fresh: Any, seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for case in fresh["transactions"]:
        key = MemoryKey(bytes_of(case["privateKey"]))
        tx = transaction_of(case["type"], case["transaction"])
        signed = signed_unchecked(tx, key)
        if first_problem(tx) is None:
            assert sign_transaction(ValidTransaction(tx), key, key.address) == signed, seed
        assert encode(tx).unsigned() == bytes_of(case["unsigned"]), seed
        assert encode(tx).signing_hash() == bytes_of(case["signingHash"]), seed
        assert signed.raw == bytes_of(case["signed"]), seed
        assert signed.hash == bytes_of(case["hash"]), seed
        assert decode_of_any_chain(signed.raw)[0] == tx, seed
        assert sender(signed.raw) == key.address == bytes_of(case["from"]), seed
    counts = Counter((case["by"], case["type"]) for case in fresh["transactions"])
    assert set(counts) == {(library, number) for library in LIBRARIES for number in TYPES}
    total = counts.total()
    report_cases(
        capsys, f"fresh transactions, seed {seed}: {total} of {total} match {dict(counts)}"
    )


def test_both_libraries_sign_the_same_authorizations(
    fresh: Any, seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = fresh["authorizations"]
    for case in cases:
        key, asked = MemoryKey(bytes_of(case["privateKey"])), authorization_of(case)
        signed = sign_terms(asked, key)
        assert signed.signature == signature_of(case), seed
        assert authorization_hash(asked) == bytes_of(case["hash"]), seed
        assert authority(signed) == key.address == bytes_of(case["authority"]), seed
    assert {case["by"] for case in cases} == LIBRARIES
    report_cases(capsys, f"fresh authorizations, seed {seed}: {len(cases)} of {len(cases)} match")


def test_the_libraries_are_pinned_by_hashes_without_addresses() -> None:
    packages = json.loads((GENERATORS / "package-lock.json").read_bytes())["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
    assert not any("resolved" in package for package in packages.values())
