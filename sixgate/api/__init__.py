"""What a client can ask of the node that owns a data folder: in process, or over its socket.

Arguments and answers are plain JSON data, so that both ways are one.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from schemas.fields import Count, TimeMs
from sixgate.api_error import ApiError as ApiError
from sixgate.api_error import RemoteApiError as RemoteApiError

Json: TypeAlias = dict[str, Any]
Position: TypeAlias = Count | str
KEY_LENGTH_MAX = 63


def bytes_of(text: str) -> bytes:
    """Read base64; raise ``ApiError`` ``request_malformed`` for what is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ApiError("request_malformed", "a value is not base64") from None


def submitted_pair(record: Json) -> tuple[str, bytes]:
    """Return key and value of a record to submit; raise ``request_malformed`` for what is none."""
    match record:
        case {"key": str(key), "value": str(value)} if len(key) <= KEY_LENGTH_MAX:
            return key, bytes_of(value)
    raise ApiError("request_malformed", "a record has no account's name as its key, or no value")


class Api(Protocol):
    """The front door; codes of ``ApiError`` are listed with each method.

    Every method may raise:

    ``halted``           the pipeline halted, and why; nothing is judged until it runs again
    ``ledger_failed``    the ledger could not be read or written; the pipeline may go on
    ``connection_lost``  the owner of the folder, or Kafka, went away; what became of a write is
                         unknown
    ``busy``             the owner of the folder serves too many clients already
    ``denied``           Kafka knows who asks and forbids it
    ``topic_missing``    Kafka lacks a topic, or some of its partitions
    ``request_malformed``, ``method_unknown``
                         the client asks for what this owner does not know: another version
    ``internal``         a defect on the owner's side
    """

    def status(self) -> Json:
        """Return ``{org, pid, started_at_ms, ledger_rows, waiting}``.

        ``waiting`` counts submitted records behind the last committed batch.
        """
        ...

    def registry(self) -> Json:
        """Return what is registered.

        ``{org, sequence, head, partitions, accounts: [name], agents: {name: AgentSet},
        policies: {id: {policy, digest}}, chains: [ChainSet], settings: {name: value},
        services: [ServiceSet], keys: [{account, path, vault, version, chain, state, imported,
        address, public_key}], vaults: [{account, vault, mode, providers,
        customer_keys: [fingerprint]}], access: {agent: [Grant]}}``, every version of every key
        in order, ``share_keys: {account: X25519 key}``, what clients seal a key's share for, and
        ``signer_keys: {name: [public key]}``, all that a signer ever had; entries are the fields
        of ``schemas.registry``.
        """
        ...

    def register(self, envelope: str) -> Json:
        """Append an admin's signed registry record (base64 of the envelope) and wait for it.

        Returns ``{sequence}``. Raises ``registry_refused``; then nothing was appended.
        """
        ...

    def order_key(self, record: str) -> Json:
        """Append an admin's signed order about a key and wait for the signer's answer.

        ``record`` is the base64 of an envelope, or of a ``KeyDelivery``. The same order again gets
        what the first one did. Returns the entry of ``registry()["keys"]`` that it made or ended,
        and where its vault's mode has one ``client_share``, sealed for whom the order names.
        Raises ``key_refused``.
        """
        ...

    def order_vault(self, record: str) -> Json:
        """Append a signed order about a vault or a secret in it and wait for the signer's answer.

        ``record`` is the base64 of an envelope, or of a ``SecretDelivery``. The same order again
        gets what the first one did. Returns ``{account, vault, path, version, kind, generated,
        stored_at_ms, client_share}`` of a secret, ``{account, vault, change, sequence}`` of a key,
        ``{account, vault, path, version, sequence, client_share}`` of a client's new share,
        ``{account, vault, provider, sequence, kms_key}`` of a provider's new root.
        Raises ``vault_refused``.
        """
        ...

    def vault(self, account: str, vault: str) -> Json:
        """Return what is known of a vault without opening anything.

        ``{secrets: [{path, version, kind, generated, stored_at_ms}], key_changes, behind, roots:
        {provider: {changes, kms_key, left}}}``: every version, by path and in order; how often its
        key changed, and how many versions are under a former one; of each provider that got a new
        root how often, which, and how many shares are not under it yet.
        Signing keys are in ``registry()``.
        """
        ...

    def client_shares(self, account: str, vault: str, path: str) -> list[Json]:
        """Return what was made at a path with a client's share, sealed for whom the order named.

        ``[{account, vault, mode, path, version, kind, generated, stored_at_ms, client_share}]``, as
        far as each has them, the newest one last; all of it is proven.
        """
        ...

    def vault_events(self) -> Iterator[Json]:
        """Yield ``{"event": text}``, all that signers said on ``vault``, an account's in order.

        Raises ``halted`` where a record is no text: at that a signer halts too.
        """
        ...

    def reading_key(self) -> Json:
        """Return ``{public_key}``, which clients' shares are sealed for until custody restarts.

        Raises ``custody_absent``.
        """
        ...

    def read_secret(self, request: str) -> Json:
        """Answer an agent's signed request (base64 of an envelope of a ``SecretRequest``).

        Returns ``{box, failed}``: a ``SecretAnswer`` sealed for the request's ``reply_to``, in
        base64, and the providers that failed. What was decided is on record before. Raises
        ``read_refused`` for a request that proves nothing, ``access_refused``, ``secret_unknown``,
        ``custody_failed``, ``custody_unavailable``, ``custody_absent``.
        """
        ...

    def submit(self, records: Sequence[Json], *, wait: bool) -> Iterator[Json]:
        """Append submitted records ``{key, value}`` (value in base64), durable on return.

        First yields ``{"accepted": n}``. With ``wait`` then yields, in any order, one
        ``{"index": i, "intent": digest or None, "result": event, "repeated": bool}`` for each
        record; ``event`` is a ``transaction.signed``, ``intent.rejected`` or
        ``intent.unattributed`` in full.
        """
        ...

    def intents(self, *, limit: Count, account: str | None, agent: str | None) -> list[Json]:
        """Return the newest intents as rows of the ledger's ``intents`` view.

        Newest second first; an account's intents of one second stand in the order of submission.
        """
        ...

    def trail(self, intent: str) -> list[Json]:
        """Return every event of an intent in order: ``{topic, at_ms, event}``.

        ``intent`` is its digest or its transaction's hash, or an unambiguous beginning of one.
        Raises ``intent_unknown``.
        """
        ...

    def budgets(self) -> list[Json]:
        """Return for each agent ``{agent, account, spent_wei, limit_wei or None, left_wei}``."""
        ...

    def signed(self, *, after: Position, follow: bool) -> Iterator[Json]:
        """Yield signed transactions ``{position, event}`` after a position, oldest first.

        0 is the beginning; other positions are those that were yielded and mean something to this
        pipeline alone. Raises ``position_unknown`` for one that is none here.
        """
        ...

    def attestation(self, nonce: str) -> Json:
        """Return evidence of the signer's machine for a nonce (hex, 32 to 64 bytes).

        It is an evidence file as plain data. Raises ``nonce_malformed``; ``attestation_busy`` while
        there was one just now, ``attestation_failed`` where the platform gives none, and
        ``not_attested`` where this is not the signer to ask.
        """
        ...

    def head(self) -> Json:
        """Return the newest signed head ``{envelope, head}``; raises ``ledger_empty``."""
        ...

    def verify(self, *, head: Json | None) -> Iterator[Json]:
        """Verify the ledger with both verifiers, against a remembered head envelope if given.

        Yields ``{"progress": rows, "of": rows, "verifier": name}`` and at last ``{"verified":
        {rows, hash, heads, remembered, outcomes, accounts, forged}}``: then both agree on all rows
        up to the one with ``hash``, and row ``remembered`` is what the head says (None without
        one). Raises ``ledger_wrong`` with the first bad row and what is wrong, ``head_malformed``
        for a head that is none.
        """
        ...

    def sql(self, query: str) -> Json:
        """Run one read-only query: ``{columns, rows}``. Raises ``sql_refused``."""
        ...

    def export(self, path: str, *, form: str, since_ms: TimeMs, until_ms: TimeMs) -> Iterator[Json]:
        """Write ledger rows to a file (``csv``, ``jsonl`` or ``parquet``), yielding progress.

        Yields ``{"progress": rows, "of": rows}`` and at last ``{"rows": n, "path": path}``.
        Raises ``export_failed`` when the file cannot be written.
        """
        ...
