"""The command line of the verifier."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from .checks import Report, verify
from .format import VerificationError
from .reading import read_heads, read_rows
from .signatures import is_strong

PUBLIC_KEY_BYTES = 32
CODES = (
    "exit codes: 0 the ledger is valid; 1 it is not, and the first bad row is named; 2 a file or "
    "an option is invalid; 3 it is valid, but some events on outcome topics are not outcomes "
    "signed by a --signer"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = _options()
    options = parser.parse_args(arguments)
    if options.ledger_key and not options.head:
        parser.error("--ledger-key verifies remembered heads: give their file with --head")
    try:
        report = _verify_files(options)
    except VerificationError as fault:
        sys.stderr.write(f"FAULT. {fault}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"The input could not be read: {error.filename}: {error.strerror}.\n")
        return 2
    except (ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"The input could not be read: {error}.\n")
        return 2
    sys.stdout.write(_summary(report))
    return 3 if report.forged and options.signer else 0


def _options() -> argparse.ArgumentParser:
    about = "Verify an exported ledger."
    parser = argparse.ArgumentParser("verifier", description=about, epilog=CODES)
    parser.add_argument("file", help="export as JSON lines or CSV; - for standard input")
    parser.add_argument("--head", type=Path, help="file of remembered heads, one envelope per line")
    parser.add_argument("--ledger-key", type=_key, help="public key that signed the heads (hex)")
    parser.add_argument(
        "--signer",
        type=_key,
        action="append",
        default=[],
        help="public key of a signer (hex, repeatable)",
    )
    parser.add_argument(
        "--part", action="store_true", help="accept an export that begins at any row"
    )
    return parser


def _key(text: str) -> bytes:
    problem = f"{text!a} is not an Ed25519 public key: give 64 hexadecimal digits, 0x is optional"
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise argparse.ArgumentTypeError(problem) from None
    if len(raw) != PUBLIC_KEY_BYTES:
        raise argparse.ArgumentTypeError(problem)
    if not is_strong(raw):
        problem = f"{text!a} is a weak key, for which anyone can sign: give the key in the registry"
        raise argparse.ArgumentTypeError(problem)
    return raw


def _verify_files(options: argparse.Namespace) -> Report:
    heads: dict[int, bytes] = {}
    if options.head:
        with options.head.open("rb") as file:
            heads = read_heads(file, options.ledger_key)
    with (
        nullcontext(sys.stdin.buffer)
        if options.file == "-"
        else Path(options.file).open("rb") as file
    ):
        rows = read_rows(file)
        return verify(rows, heads, options.signer or None, part=options.part, progress=_show)


def _show(done: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done:,} rows")


def _summary(report: Report) -> str:
    lines = [
        f"Rows {report.first} to {report.first + report.rows - 1} are valid; the last hash is "
        f"0x{report.hash.hex()}."
        if report.rows
        else "The export has no rows.",
        f"{_counted(report.heads, 'remembered head is', 'remembered heads are')} in the chain.",
        (
            f"{_counted(report.outcomes, 'outcome', 'outcomes')} of "
            f"{_counted(report.accounts, 'account', 'accounts')}, one per intent, without gaps."
        ),
    ]
    if report.heads and report.beyond_heads:
        lines.append(
            f"{_counted(report.beyond_heads, 'row is', 'rows are')} newer than the newest head, "
            "and not yet vouched for by a signature."
        )
    if report.forged:
        lines.append(
            f"{report.forged} events on outcome topics are not outcomes signed by a --signer, the "
            f"first in row {report.first_forged}: readers ignore them."
        )
    return "\n".join(lines) + "\n"


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


if __name__ == "__main__":
    sys.exit(main())
