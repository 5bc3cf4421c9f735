"""The webhooks of an organisation, as the API creates, lists, changes and replays them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sixgate.webhooks.destinations import DestinationRules, parse_destination
from sixgate.webhooks.errors import DestinationError, WebhookInvalidError
from sixgate.webhooks.events import EventSource, require_event_names
from sixgate.webhooks.signing import SECRET_BYTES, new_secret, secret_key
from sixgate.webhooks.store import Changes, Endpoint, WebhookStore

ID_BYTES = 12


class Webhooks:
    """Creates and changes webhooks; every method may be called from any thread.

    Methods raise ``WebhookError``: an invalid field, an unknown id, or too many webhooks. ``draw``
    returns random bytes, ``clock`` milliseconds since 1970, ``on_change`` wakes the deliveries.
    """

    def __init__(
        self,
        store: WebhookStore,
        source: EventSource,
        rules: DestinationRules,
        draw: Callable[[int], bytes],
        clock: Callable[[], int],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._source = source
        self._rules = rules
        self._draw = draw
        self._clock = clock
        self._on_change = on_change

    def create(
        self, url: str, events: Sequence[str], secret: str | None, created_by: str
    ) -> tuple[Endpoint, str | None]:
        """Create a webhook that gets the events from now on; return it and a generated secret.

        The secret is None if the caller gave one.
        """
        self._require_url(url)
        names = require_event_names(events)
        if secret is None:
            used = generated = new_secret(self._draw(SECRET_BYTES))
        else:
            secret_key(secret)
            used, generated = secret, None
        endpoint = Endpoint(
            id=f"wh_{self._draw(ID_BYTES).hex()}",
            url=url,
            events=names,
            secret=used,
            is_active=True,
            created_at_ms=self._clock(),
            created_by=created_by,
            position=self._source.end(),
        )
        self._store.add(endpoint)
        return endpoint, generated

    def list(self) -> list[Endpoint]:
        """Return all webhooks, newest first."""
        return self._store.all()

    def get(self, webhook_id: str) -> Endpoint:
        """Return a webhook."""
        return self._store.get(webhook_id)

    def update(self, webhook_id: str, changes: Changes) -> Endpoint:
        """Change fields of a webhook; failed deliveries are tried again at once.

        Setting ``is_active`` enables a webhook that was disabled, or deactivates one: events of the
        meantime are delivered when it is active again.
        """
        if changes.url is not None:
            self._require_url(changes.url)
        if changes.events is not None:
            changes = replace(changes, events=require_event_names(changes.events))
        if changes.secret is not None:
            secret_key(changes.secret)
        return self._change(webhook_id, changes)

    def replay(self, webhook_id: str, after: int) -> Endpoint:
        """Deliver all events after an offset again, with their ids; 0 is the beginning."""
        end = self._source.end()
        if not 0 <= after <= end:
            raise WebhookInvalidError("after", f"after must be 0 to {end}, the newest event")
        return self._change(webhook_id, Changes(position=after))

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook and its secret."""
        self._store.delete(webhook_id)

    def _change(self, webhook_id: str, changes: Changes) -> Endpoint:
        changed = self._store.change(webhook_id, changes)
        self._on_change()
        return changed

    def _require_url(self, url: str) -> None:
        try:
            parse_destination(url, self._rules)
        except DestinationError as error:
            raise WebhookInvalidError("url", str(error)) from None
