"""The operators' ``Api`` over the six ports: everything that does not depend on the backend."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import orjson

from schemas.fields import Count, TimeMs
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from sixgate.answers import snapshot
from sixgate.answers.pending_records import names_of
from sixgate.api import REFUSED, ApiError, Json, Position, bytes_of, submitted_pair
from sixgate.api.errors import as_api_errors
from sixgate.backends.orders import check_key_order, check_vault_order
from sixgate.backends.ports import Backend
from sixgate.backends.waiting import submit_and_wait
from sixgate.clocks import wall_ms


class Early(NamedTuple):
    """The records of a submission that are not appended, by index.

    ``answers`` has the ends that are known. ``repeats`` maps a repetition to the record of the same
    submission whose end it shares.
    """

    answers: Mapping[int, Json] = MappingProxyType({})
    repeats: Mapping[int, int] = MappingProxyType({})


EarlyAnswers: TypeAlias = Callable[[Sequence[tuple[str, bytes]]], Early]
LOCAL = "local socket"
"""The recorded client address: only the data folder's owner can open its socket."""


def _no_answers(_pairs: Sequence[tuple[str, bytes]]) -> Early:
    return Early()


class Operations:
    """Implements the ``Api``; every method may be called from any thread.

    ``early_answers`` decides which submitted records end before the pipeline.
    """

    def __init__(self, backend: Backend, early_answers: EarlyAnswers = _no_answers) -> None:
        self.backend = backend
        self._early_answers = early_answers
        self._started_at_ms = wall_ms()

    def status(self) -> Json:
        """See ``Api.status``."""
        read = self.backend.read
        read.refresh()
        with as_api_errors():
            rows = self.backend.evidence.ledger().answers.table.tip().rows
        return {
            "org": read.registered.org,
            "pid": os.getpid(),
            "started_at_ms": self._started_at_ms,
            "ledger_rows": rows,
            "waiting": read.waiting(),
        }

    def registry(self) -> Json:
        """See ``Api.registry``."""
        read = self.backend.read
        read.refresh()
        with read.unchanged():
            return snapshot.registry_snapshot(read.registered, read.vaults)

    def register(self, envelope: str) -> Json:
        """See ``Api.register``."""
        return {"sequence": self.backend.administer.register(bytes_of(envelope))}

    def order_key(self, record: str) -> Json:
        """See ``Api.order_key``."""
        key = self.backend.administer.execute(bytes_of(record), check_key_order)
        return snapshot.key_answer(key)

    def order_vault(self, record: str) -> Json:
        """See ``Api.order_vault``."""
        return self.backend.administer.execute(bytes_of(record), check_vault_order)

    def vault(self, account: str, vault: str) -> Json:
        """See ``Api.vault``."""
        read = self.backend.read
        read.refresh()
        with read.unchanged():
            return snapshot.vault_content(read.vaults, (account, vault))

    def client_shares(self, account: str, vault: str, path: str) -> list[Json]:
        """See ``Api.client_shares``."""
        read = self.backend.read
        read.refresh()
        with read.unchanged():
            return snapshot.client_shares(read.vaults, (account, vault), path)

    def vault_events(self) -> Iterator[Json]:
        """See ``Api.vault_events``."""
        return map(vault_event, self.backend.read.vault_log())

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        return self.backend.secrets.reading_key()

    def read_secret(self, request: str) -> Json:
        """See ``Api.read_secret``."""
        return self.backend.secrets.read_secret(request, LOCAL)

    def submit(self, records: Sequence[Json], *, wait: bool) -> Iterator[Json]:
        """See ``Api.submit``."""
        pairs = [submitted_pair(record) for record in records]
        answers, repeats = self._early_answers(pairs)
        ended = answers.keys() | repeats.keys()
        left = [index for index in range(len(pairs)) if index not in ended]
        refused = sum(answer["result"]["type"] == REFUSED for answer in answers.values())
        repeated: dict[int, list[int]] = defaultdict(list)
        for index, first in repeats.items():
            repeated[first].append(index)
        ends = self._append([pairs[index] for index in left], wait=wait)
        next(ends)  # they are durable
        yield {"accepted": len(pairs) - refused, "refused": refused}
        yield from answers.values()
        for end in ends:
            first = left[end["index"]]
            yield end | {"index": first}
            yield from (end | {"index": one, "repeated": True} for one in repeated[first])

    def _append(self, pairs: Sequence[tuple[str, bytes]], *, wait: bool) -> Iterator[Json]:
        events = [Outgoing(Topic.SUBMITTED, *pair) for pair in pairs]
        if wait and events:
            names = [names_of(value, key) for key, value in pairs]
            yield from submit_and_wait(self.backend, events, names)
            return
        if events:
            self.backend.submit.append(events)
        yield {"accepted": len(events)}

    def intents(
        self,
        *,
        limit: Count,
        account: str | None,
        agent: str | None,
        idempotency_key: str | None = None,
    ) -> list[Json]:
        """See ``Api.intents``."""
        with as_api_errors():
            intents = self.backend.evidence.ledger().settled().intents
            return intents.newest(limit, account, agent, idempotency_key)

    def trail(self, intent: str) -> list[Json]:
        """See ``Api.trail``."""
        with as_api_errors():
            return self.backend.evidence.ledger().settled().intents.trail(intent)

    def budgets(self) -> list[Json]:
        """See ``Api.budgets``."""
        read = self.backend.read
        read.refresh()
        read.refresh_accounts()
        with read.unchanged():
            return snapshot.budgets(read.registered, read.account, wall_ms())

    def signed(self, *, after: Position, follow: bool) -> Iterator[Json]:
        """See ``Api.signed``."""
        return (found for found in self.signed_or_tick(after=after, follow=follow) if found)

    def signed_or_tick(self, *, after: Position, follow: bool) -> Iterator[Json | None]:
        """Yield signed transactions, and None as a tick while there are none."""
        for found in self.backend.read.signed(after, follow=follow):
            yield found and {"position": found.position, "event": orjson.loads(found.event)}

    def attestation(self, nonce: str) -> Json:
        """See ``Api.attestation``."""
        return self.backend.evidence.attestation(nonce)

    def head(self) -> Json:
        """See ``Api.head``."""
        with as_api_errors():
            return self.backend.evidence.ledger().head()

    def verify(self, *, head: Json | None) -> Iterator[Json]:
        """See ``Api.verify``."""
        with as_api_errors():
            yield from self.backend.evidence.ledger().verify(head)

    def sql(self, query: str) -> Json:
        """See ``Api.sql``."""
        with as_api_errors():
            return self.backend.evidence.ledger().settled().sql(query)

    def export(self, path: str, *, form: str, since_ms: TimeMs, until_ms: TimeMs) -> Iterator[Json]:
        """See ``Api.export``."""
        with as_api_errors():
            answers = self.backend.evidence.ledger().settled()
            yield from answers.export(Path(path), form, since_ms, until_ms)


def vault_event(record: Record) -> Json:
    """Return a record as ``Api.vault_events`` yields it; raise ``halted`` unless it is UTF-8."""
    try:
        return {"event": record.value.decode()}
    except UnicodeDecodeError:
        where = f"record {record.offset} of partition {record.partition}"
        why = f"{where} of the vault topic is not a signer's event: restore the topic"
        raise ApiError("halted", why) from None
