"""``sixgate tx``, ``message``, ``typed-data`` and ``authorization``: signs one intent."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from schemas.fields import SAFE_INTEGER_MAX
from schemas.intents.outcome import SIGNED_TYPES
from schemas.strict_json import JsonError, read_json
from signer.core.errors import EthereumError, SignatureError
from signer.core.ethereum.authorization import SignedAuthorization, authority
from signer.core.ethereum.encoding import transaction_hash
from signer.core.ethereum.transaction import TYPE_BYTE_MAX
from sixgate.api import Json
from sixgate.authoring.intent_form import read_form
from sixgate.authoring.intent_lines import Draft, Submission
from sixgate.cli.declare import Option, argument, flag, gathered, group
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.files import read_json_file
from sixgate.cli.options import FILE, FILE_OR_INPUT, NAME, Checked
from sixgate.cli.outcomes import Chains, by_id, outcome_rows, summary
from sixgate.cli.render import Answer, Sheet, prints
from sixgate.cli.sending import SubmissionProgress, answers, reporting_interruption, signed
from sixgate.cli.session import Session, shows, with_session_at
from sixgate.cli.terminal import progress
from sixgate.cli.transaction_decoding import decode_of_any_chain, sender

CREATE = "create"
tx = group("tx", example="decode 0x02f8…")
message = group("message", example="sign --help")
typed_data = group("typed-data", example="sign --help")
authorization = group("authorization", example="sign --help")


def _sealed(file: str) -> Json:
    """Read a sealed client share from a file; the intent form validates it."""
    try:
        found: Json = read_json(Path(file).read_bytes())
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from None
    except JsonError as error:
        raise ValueError(
            f"{file} {error}: give a file with the output of keys seal-share"
        ) from None
    return found


def _chain(text: str) -> str | int:
    """Return a chain for the intent form: an integer if it is an id."""
    return int(text) if text.isdecimal() and text.isascii() else text


_agent = argument("AGENT", "Name of the agent.", type=NAME)
_options = gathered(
    "options",
    Option(
        "--chain", "Name, alias or id of the chain.", type=Checked("name", _chain), required=True
    ),
    Option("--key-path PATH", "Path of the key.", show_default="the agent's or chain's"),
    Option(
        "--idempotency-key TEXT",
        "Name of the request; repeating it repeats the intent.",
        show_default="a new one",
    ),
    Option("--expires-in-s S", "Validity in seconds.", type=int, show_default="600"),
    Option(
        "--client-share",
        "Output of keys seal-share, for a key in client custody.",
        type=Checked("file", _sealed),
    ),
    Option(
        "--mode MODE",
        "sign_only or submit (recorded; nothing is broadcast).",
        show_default="sign_only",
    ),
)
"""Add the options of every intent; those given arrive as ``options``."""
_transaction_fields = gathered(
    "fields",
    Option("--value ETH", "Value, a decimal."),
    Option("--data HEX", "Call data or init code."),
    Option(
        "--type N", "Transaction type, 0 to 4.", "tx_type", type=int, show_default="by the fees"
    ),
    Option("--gas-limit N", "Gas limit.", type=int),
    Option("--gas-price-gwei GWEI", "Gas price, types 0 and 1."),
    Option("--max-fee-gwei GWEI", "Max fee, types 2 to 4."),
    Option("--priority-fee-gwei GWEI", "Priority fee, types 2 to 4.", "max_priority_fee_gwei"),
    Option("--access-list FILE", "Access list: JSON with address, storage_keys.", type=FILE),
    Option("--blob-fee-gwei GWEI", "Max blob fee, type 3.", "max_blob_fee_gwei"),
    Option(
        "--blob-hash HASH",
        "Versioned hash of a blob, type 3 (repeatable).",
        "blob_versioned_hashes",
        multiple=True,
    ),
    Option(
        "--authorizations FILE",
        "Signed authorizations in JSON, type 4.",
        "authorization_list",
        type=FILE,
    ),
    Option("--nonce N", "Nonce.", type=int, show_default="next free"),
    Option(
        "--simulate/--no-simulate",
        "Require a successful simulation before signing.",
        "simulate_first",
    ),
)
"""Add the fields of a transaction; those given arrive as ``fields``."""
_authorization_fields = gathered(
    "fields",
    Option("--delegate ADDRESS", "Contract to delegate to.", required=True),
    Option(
        "--nonce N", "Nonce; the next + 1 is also accepted.", type=int, show_default="next free"
    ),
)
_FILES = ("access_list", "authorization_list")


def _outcome(result: Json, *, one: Submission, chains: Chains) -> Sheet:
    request = [("request", summary(one.intent, chains)), ("intent", one.digest)]
    return Sheet("", [*request, *outcome_rows(result, one.intent, chains, redacted=False)])


def _sign(here: Session, members: Json) -> Answer:
    """Submit the intent with these members and wait for its outcome.

    The exit code is ``REJECTED`` unless the intent is signed.
    """
    ready, wrong = signed(here, [Draft(1, read_form(members))])
    if wrong:
        fail_usage(wrong[0].why)
    result = _ended(here, ready[0])
    code = ExitCode.OK if result["type"] in SIGNED_TYPES else ExitCode.REJECTED
    return Answer(result, code, one=ready[0], chains=by_id(here.registry["chains"]))


def _ended(here: Session, one: Submission) -> Json:
    counts = SubmissionProgress(1, None)
    with reporting_interruption(counts), progress("waiting for the outcome"):
        for _, answer in answers(here, [one], counts):
            result: Json = answer["result"]
            return result
    raise CommandError(ExitCode.INTERNAL, "the outcome did not arrive: see sixgate intents list")


@tx.command("sign", example="payroll --to 0x… --value 0.5 --chain base")
@_agent
@Option("--to ADDRESS", f"Recipient, or {CREATE} for a new contract.", required=True)
@_options
@_transaction_fields
@prints(_outcome)
@with_session_at("--folder")
def sign_transaction(here: Session, *, agent: str, to: str, options: Json, fields: Json) -> Answer:
    """Request the signature of a transaction, wait for it and print the signed transaction."""
    named = fields | {name: read_json_file(fields[name]) for name in _FILES if name in fields}
    recipient = {} if to == CREATE else {"to": to}
    return _sign(here, {"agent": agent} | recipient | options | named)


def _decoded(found: Json) -> Sheet:
    shown = (
        (name, one if isinstance(one, str) else json.dumps(one)) for name, one in found.items()
    )
    return Sheet("", list(shown))


@tx.command("decode", example="0x02f8… --json")
@argument("HEX|-", "Signed transaction; - reads standard input.", "raw")
@prints(_decoded)
def decode(*, raw: str) -> Json:
    """Decode a signed transaction. Invalid bytes are refused with the location of the error."""
    text = (sys.stdin.read() if raw == "-" else raw).strip()
    try:
        return decoded_transaction(bytes.fromhex(text.removeprefix("0x")))
    except EthereumError as error:
        fail_usage(f"HEX is not a signed transaction: {error}")
    except ValueError:
        fail_usage("HEX is not hex with two digits per byte")


@message.command("sign", example='payroll "I am me" --chain base')
@_agent
@argument("TEXT|-", "Message; - reads standard input.", "text")
@flag("--hex", "Read TEXT as bytes in hex with 0x.", "as_hex")
@_options
@shows(_outcome)
def sign_message(here: Session, *, agent: str, text: str, as_hex: bool, options: Json) -> Answer:
    """Request the signature of a message, wait for it and print it."""
    if text == "-":  # it may contain any bytes, not only text
        raw = sys.stdin.buffer.read()
        text = raw.decode("ascii", "replace").strip() if as_hex else f"0x{raw.hex()}"
        as_hex = True
    named = {"message_hex" if as_hex else "message": text}
    return _sign(here, {"kind": "personal_sign", "agent": agent} | options | named)


@typed_data.command("sign", example="payroll permit.json --chain ethereum")
@_agent
@argument("FILE|-", "EIP-712 JSON; - reads standard input.", "file", type=FILE_OR_INPUT)
@_options
@shows(_outcome)
def sign_typed_data(here: Session, *, agent: str, file: Path, options: Json) -> Answer:
    """Request the signature of typed data, wait for it and print it."""
    named = {"kind": "typed_data", "agent": agent, "typed_data": read_json_file(file)}
    return _sign(here, named | options)


@authorization.command("sign", example="payroll --delegate 0x… --chain base")
@_agent
@_authorization_fields
@_options
@shows(_outcome)
def sign_authorization(here: Session, *, agent: str, fields: Json, options: Json) -> Answer:
    """Request a signed delegation of the key's address to a contract, and print it."""
    return _sign(here, {"kind": "authorization", "agent": agent} | fields | options)


def decoded_transaction(raw: bytes) -> Json:
    """Return type, hash, sender, every field and the signature of a signed transaction.

    Bytes are in hex, integers above 2^53 decimal strings. Raises ``EthereumError``, which names
    the location.
    """
    tx, signature = decode_of_any_chain(raw)
    return {
        "type": raw[0] if raw[0] <= TYPE_BYTE_MAX else 0,
        "hash": _plain(transaction_hash(raw)),
        "sender": _plain(sender(raw)),
        **{field.name: _plain(getattr(tx, field.name)) for field in dataclasses.fields(tx)},
        "signature": _signature(signature),
    }


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return f"0x{value.hex()}"
        case int() if value > SAFE_INTEGER_MAX:
            return str(value)
        case SignedAuthorization():
            return _authorization(value)
        case tuple():
            return [_plain(one) for one in value]
    return value


def _authorization(signed: SignedAuthorization) -> Json:
    terms = signed.authorization
    try:
        by = _plain(authority(signed))
    except SignatureError:
        by = None  # a chain skips such an entry
    return {
        "authority": by,
        **{field.name: _plain(getattr(terms, field.name)) for field in dataclasses.fields(terms)},
        "signature": _signature(signed.signature),
    }


def _signature(signature: bytes) -> Json:
    r, s = signature[:32], signature[32:64]
    return {"r": _plain(r), "s": _plain(s), "y_parity": signature[64]}
