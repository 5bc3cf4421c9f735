"""The API of a node: in process, over a data folder's socket, or over Kafka.

Arguments and answers are plain JSON data, so that all three behave alike.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

from schemas.fields import Count, TimeMs
from sixgate.api_error import ApiError as ApiError
from sixgate.api_error import Json as Json
from sixgate.api_error import RemoteApiError as RemoteApiError

Position: TypeAlias = Count | str
KEY_LENGTH_MAX = 63
REFUSED = "intent.refused"
"""The type of the answer for an intent that was refused before anything of it was stored."""


def bytes_of(text: str) -> bytes:
    """Decode base64; raise ``ApiError`` ``request_malformed`` if it is invalid."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ApiError("request_malformed", "a value is not base64") from None


def submitted_pair(record: Json) -> tuple[str, bytes]:
    """Return key and value of a record to submit; raise ``request_malformed`` if it is invalid."""
    match record:
        case {"key": str(key), "value": str(value)} if len(key) <= KEY_LENGTH_MAX:
            return key, bytes_of(value)
    raise ApiError(
        "request_malformed", "a record must have an account's name as its key, and a value"
    )


class Api(Protocol):
    """The API. Each method lists its codes of ``ApiError``.

    Every method may raise:

    ``halted``           the pipeline halted, and why; nothing is decided until it runs again
    ``ledger_failed``    the ledger cannot be read or written; the pipeline may continue
    ``connection_lost``  the connection to the folder's owner or to Kafka was lost; the result of a
                         write is unknown
    ``busy``             the folder's owner serves the maximum number of streams or calls
    ``denied``           Kafka authenticated the caller and denies it the operation
    ``topic_missing``    Kafka lacks a topic, or some of its partitions
    ``request_malformed``, ``method_unknown``
                         the owner does not understand the request: it has another version
    ``head_too_large``, ``body_too_large``
                         the arguments are too large for the folder's socket
    ``internal``         a defect in the owner
    """

    def status(self) -> Json:
        """Return ``{org, pid, started_at_ms, ledger_rows, waiting}``.

        ``waiting`` counts submitted records that no committed batch includes yet.
        """
        ...

    def registry(self) -> Json:
        """Return the registry with keys and vaults.

        ``{org, sequence, head, partitions, accounts: [name], agents: {name: AgentSet},
        policies: {id: {policy, digest}}, chains: [ChainSet], settings: {name: value},
        services: [ServiceSet], scoped_admins: [ScopedAdminSet],
        keys: [{account, path, vault, version, chain, state, imported,
        address, public_key}], vaults: [{account, vault, mode, providers,
        customer_keys: [fingerprint]}], access: {agent: [Grant]},
        share_keys: {account: X25519 key}, signer_keys: {name: [public key]}}``

        ``keys`` has every version of every key, in order. Clients seal shares to ``share_keys``.
        ``signer_keys`` has every key that a signer ever had. Entries are the fields of
        ``schemas.registry.records``.
        """
        ...

    def register(self, envelope: str) -> Json:
        """Append an admin's signed registry record (base64 of the envelope) and wait for it.

        Returns ``{sequence}``. Raises ``registry_refused``: then the registry lacks the record.
        """
        ...

    def order_key(self, record: str) -> Json:
        """Append an admin's signed key order and wait for the signer's answer.

        ``record`` is the base64 of an envelope, or of a ``KeyDelivery``. Idempotent: the same order
        gets the same answer. Returns the entry of ``registry()["keys"]`` that it made or
        deactivated, with ``client_share`` if the vault's mode has one, sealed to the public key in
        the order. Raises ``key_refused``.
        """
        ...

    def order_vault(self, record: str) -> Json:
        """Append a signed order about a vault or a secret in it and wait for the signer's answer.

        ``record`` is the base64 of an envelope, or of a ``SecretDelivery``. Idempotent: the same
        order gets the same answer. Returns ``{account, vault, path, version, kind, generated,
        stored_at_ms, client_share}`` for a secret, ``{account, vault, change, sequence}`` for a
        vault key, ``{account, vault, path, version, sequence, client_share}`` for a recovered
        client share, ``{account, vault, provider, sequence, kms_key}`` for a provider's new root
        key. Raises ``vault_refused``.
        """
        ...

    def vault(self, account: str, vault: str) -> Json:
        """Describe a vault without opening anything.

        ``{secrets: [{path, version, kind, generated, stored_at_ms}], key_changes, behind, roots:
        {provider: {changes, kms_key, left}}}``: every version, by path and in order; the number of
        rotations of the vault key, and of versions still wrapped by a former one; for each provider
        with a new root key, the number of changes, the root's id, and the shares not rewrapped yet.
        Signing keys are in ``registry()``.
        """
        ...

    def client_shares(self, account: str, vault: str, path: str) -> list[Json]:
        """Return the client shares made at a path, sealed to the public keys in their orders.

        ``[{account, vault, mode, path, version, kind, generated, stored_at_ms, client_share}]``,
        without fields that do not apply, the newest last. All signatures are verified.
        """
        ...

    def vault_events(self) -> Iterator[Json]:
        """Yield every event of ``vault`` as ``{"event": text}``, each account's in order.

        Raises ``halted`` at a record that is not UTF-8; a signer halts there too.
        """
        ...

    def reading_key(self) -> Json:
        """Return ``{public_key}``: clients seal shares to it. It changes when custody restarts.

        Raises ``custody_absent``.
        """
        ...

    def read_secret(self, request: str) -> Json:
        """Answer an agent's signed request (base64 of an envelope of a ``SecretRequest``).

        Returns ``{box, failed}``: a ``SecretAnswer`` sealed to the request's ``reply_to``, in
        base64, and the providers that failed. The decision is recorded before the answer. Raises
        ``read_refused`` for an invalid request, ``access_refused``, ``secret_unknown``,
        ``custody_failed``, ``custody_unavailable``, ``custody_absent``.
        """
        ...

    def submit(self, records: Sequence[Json], *, wait: bool) -> Iterator[Json]:
        """Append submitted records ``{key, value}`` (value in base64), durable on return.

        First yields ``{"accepted": n, "refused": m}``. With ``wait`` then yields, in any order, one
        ``{"index": i, "intent": digest or None, "result": event, "repeated": bool}`` for each
        record; ``event`` is a ``transaction.signed``, ``intent.rejected`` or
        ``intent.unattributed`` in full. A repetition of an earlier request ends with the event of
        the first intent, which ``intent`` names, and ``repeated`` is true.

        A data folder's node appends no intent over its agent's rate or bytes, and no repetition
        whose outcome it has. It yields their ends without ``wait`` too; the event of a refused one
        is ``intent.refused``, which is on no topic. Raises ``disk_low``: then nothing was appended.
        """
        ...

    def intents(
        self,
        *,
        limit: Count,
        account: str | None,
        agent: str | None,
        idempotency_key: str | None = None,
    ) -> list[Json]:
        """Return the newest intents as rows of the ledger's ``intents`` view.

        With ``idempotency_key``: the intents with that key, of every agent unless ``agent`` is
        given. ``outcome`` is ``repeated`` for a repetition of the request of intent ``repeats``.
        The newest second comes first; within it, an account's intents are in order of submission.
        """
        ...

    def trail(self, intent: str) -> list[Json]:
        """Return every event of an intent in order: ``{topic, at_ms, event}``.

        ``intent`` is an unambiguous prefix of its digest or of its transaction's hash. The events
        of a repetition are followed by the outcome of the first intent.
        Raises ``intent_unknown``.
        """
        ...

    def budgets(self) -> list[Json]:
        """Return for each agent ``{agent, account, spent_wei, limit_wei or None, left_wei}``."""
        ...

    def signed(self, *, after: Position, follow: bool) -> Iterator[Json]:
        """Yield signed transactions ``{position, event}`` after a position, oldest first.

        0 is the beginning; every other position was yielded by this pipeline and is valid for it
        only. Raises ``position_unknown`` for an invalid position.
        """
        ...

    def attestation(self, nonce: str) -> Json:
        """Return evidence of the signer's machine for a nonce (hex, 32 to 64 bytes).

        It is an evidence file as plain data. Raises ``nonce_malformed``, ``attestation_busy`` (rate
        limit), ``attestation_failed`` if the platform gives no report, and ``not_attested`` if this
        node is not an attested signer.
        """
        ...

    def head(self) -> Json:
        """Return the newest signed head ``{envelope, head}``; raises ``ledger_empty``."""
        ...

    def verify(self, *, head: Json | None) -> Iterator[Json]:
        """Verify the ledger with both verifiers, against a remembered head envelope if given.

        Yields ``{"progress": rows, "of": rows, "verifier": name}`` and finally ``{"verified":
        {rows, hash, heads, remembered, beyond_heads, beyond_heads_in_log, outcomes, accounts,
        forged}}``: both verifiers agree on all rows up to the one with ``hash``, and row
        ``remembered`` matches the given head (None without one). No signed head vouches for the
        last ``beyond_heads`` rows; ``beyond_heads_in_log`` of them equal their records in the log.
        Raises ``ledger_wrong`` with the first bad row and the reason, and
        ``head_malformed`` for an invalid head.
        """
        ...

    def sql(self, query: str) -> Json:
        """Run one read-only query: ``{columns, rows}``. Raises ``sql_refused``."""
        ...

    def export(self, path: str, *, form: str, since_ms: TimeMs, until_ms: TimeMs) -> Iterator[Json]:
        """Write ledger rows to a file (``csv``, ``jsonl`` or ``parquet``), yielding progress.

        Yields ``{"progress": rows, "of": rows}`` and finally ``{"rows": n, "path": path}``.
        Raises ``export_failed`` if the file cannot be written.
        """
        ...
