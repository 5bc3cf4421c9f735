"""Shamir's secret sharing against a published vector and two implementations, both directions.

The seed is printed; SIXGATE_VECTOR_SEED repeats a run and SIXGATE_VECTOR_COUNT lengthens it.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterable
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import pyshamir
import pytest

from signer.custody.errors import SharesMismatchError
from signer.custody.gf256 import divide, multiply
from signer.custody.shamir import combine, split
from signer.custody.share import Share
from tests.harness.builders.node import run_script
from tests.harness.builders.vectors import load_vectors, report_cases

GENERATORS = Path(__file__).parent / "generators"
SIZES = ((2, 2), (3, 2), (3, 3), (5, 2), (5, 4), (7, 7))


@pytest.fixture(scope="module")
def seed() -> str:
    return os.environ.get("SIXGATE_VECTOR_SEED") or secrets.token_hex(8)


def theirs(share: Share) -> bytes:
    """Format a share like the other implementations, with the number last."""
    return bytes(share.value) + bytes((share.number,))


def ours(share: bytes | bytearray) -> Share:
    return Share(share[-1], bytearray(share[:-1]))


def count() -> int:
    return int(os.environ.get("SIXGATE_VECTOR_COUNT", "60"))


def published() -> Any:
    return load_vectors("shamir/mcgrew_tss03_and_vault_field.json")


def test_the_published_vector_is_combined(capsys: pytest.CaptureFixture[str]) -> None:
    cases = published()["combine"]
    for case in cases:
        shares = [Share(each["x"], bytearray.fromhex(each["y"])) for each in case["shares"]]
        assert combine(shares).hex() == case["secret"]
        assert combine(shares[::-1]).hex() == case["secret"]
    assert cases
    report_cases(capsys, f"Shamir, draft-mcgrew-tss-03: {len(cases)} of {len(cases)} match")


def test_the_field_is_the_published_one() -> None:
    field = published()["field"]
    operations: dict[str, Callable[[int, int], int]] = {
        "add": lambda left, right: left ^ right, "mul": multiply, "div": divide,
    }  # fmt: skip
    for name, operation in operations.items():
        for left, right, result in field[name]:
            assert operation(left, right) == result


def test_inputs_that_vault_refuses_to_split_are_refused() -> None:
    for case in published()["split_errors"]["cases"]:
        secret = case.get("secret", "test").encode()
        with pytest.raises(ValueError):  # noqa: PT011 - one of two sentences
            split(secret, case["parts"], case["threshold"], secrets.token_bytes)


def test_inputs_that_vault_refuses_to_combine_are_refused() -> None:
    for case in published()["combine_errors"]:
        with pytest.raises(SharesMismatchError):
            combine([ours(part.encode()) for part in case["parts"]])


def test_pyshamir_combines_our_shares(capsys: pytest.CaptureFixture[str]) -> None:
    done = 0
    for shares, threshold in SIZES:
        secret = secrets.token_bytes(32)
        for chosen in combinations(
            split(secret, shares, threshold, secrets.token_bytes), threshold
        ):
            assert pyshamir.combine([bytearray(theirs(share)) for share in chosen]) == secret
            done += 1
    report_cases(capsys, f"Shamir, combined by pyshamir: {done} of {done} match")


def test_we_combine_pyshamirs_shares(capsys: pytest.CaptureFixture[str]) -> None:
    done = 0
    for shares, threshold in SIZES:
        secret = secrets.token_bytes(32)
        for chosen in combinations(pyshamir.split(secret, shares, threshold), threshold):
            assert combine([ours(share) for share in chosen]) == secret
            done += 1
    report_cases(capsys, f"Shamir, split by pyshamir: {done} of {done} match")


def test_a_javascript_library_splits_and_combines_the_same(
    seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = list(islice(drawn_here(), count()))
    given = [[theirs(share).hex() for share in chosen] for _, chosen in expected]
    answer = run_script(GENERATORS, "shamir.mjs", seed, str(count()), json.dumps(given))
    assert answer["combined"] == [secret.hex() for secret, _ in expected], seed
    for case in answer["made"]:
        shares = [ours(bytes.fromhex(share)) for share in case["shares"]]
        for chosen in combinations(shares, case["threshold"]):
            assert combine(chosen).hex() == case["secret"], seed
    done = len(answer["combined"]) + len(answer["made"])
    report_cases(
        capsys, f"Shamir, shamir-secret-sharing, seed {seed}: {done} of {done} match both ways"
    )


def drawn_here() -> Iterable[tuple[bytes, tuple[Share, ...]]]:
    while True:
        for shares, threshold in SIZES:
            secret = secrets.token_bytes(1 + secrets.randbelow(64))
            yield secret, split(secret, shares, threshold, secrets.token_bytes)[-threshold:]
