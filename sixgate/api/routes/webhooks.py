"""``/v1/webhooks``: signed notifications of outcomes. For people only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import SecretStr

from sixgate.api.callers import Caller, NewWork, PersonCaller, ServicesOf, record
from sixgate.api.errors import as_api_errors
from sixgate.api.json_route import JsonRoute
from sixgate.api.models import webhooks as models
from sixgate.api.models.base import optional_timestamp, timestamp
from sixgate.api.problems import Problem, invalid, not_found
from sixgate.api.services import Services
from sixgate.webhooks.errors import (
    WebhookInvalidError,
    WebhookLimitError,
    WebhookNotFoundError,
)
from sixgate.webhooks.store import Changes, Endpoint

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=JsonRoute)


@router.post("", status_code=201, dependencies=[NewWork])
def create_webhook(
    request: models.WebhookRequest, caller: PersonCaller, services: ServicesOf
) -> models.NewWebhook:
    """Create a webhook that gets the events from now on."""
    with _problems():
        endpoint, secret = services.webhooks.create(
            request.url, request.events, _revealed(request.secret), caller.actor
        )
    _record(services, caller, "webhook.create", endpoint)
    return models.NewWebhook(**_members(endpoint), secret=secret)


@router.get("")
def list_webhooks(_caller: PersonCaller, services: ServicesOf) -> models.WebhookList:
    """List the webhooks, newest first."""
    with _problems():
        found = services.webhooks.list()
    return models.WebhookList(webhooks=[_view(endpoint) for endpoint in found])


@router.get("/{webhook_id}")
def get_webhook(webhook_id: str, _caller: PersonCaller, services: ServicesOf) -> models.Webhook:
    """Return a webhook and how far it was delivered."""
    with _problems(webhook_id):
        return _view(services.webhooks.get(webhook_id))


@router.patch("/{webhook_id}")
def change_webhook(
    webhook_id: str, request: models.WebhookChange, caller: PersonCaller, services: ServicesOf
) -> models.Webhook:
    """Change a webhook; a failed delivery is tried again at once."""
    changes = Changes(
        url=request.url,
        events=request.events,
        secret=_revealed(request.secret),
        is_active=request.is_active,
    )
    with _problems(webhook_id):
        endpoint = services.webhooks.update(webhook_id, changes)
    _record(services, caller, "webhook.update", endpoint, changed=sorted(request.model_fields_set))
    return _view(endpoint)


@router.post("/{webhook_id}/replay")
def replay_webhook(
    webhook_id: str, request: models.WebhookReplay, caller: PersonCaller, services: ServicesOf
) -> models.Webhook:
    """Deliver all events after an offset again, with the ids that they had."""
    with _problems(webhook_id):
        endpoint = services.webhooks.replay(webhook_id, request.after)
    _record(services, caller, "webhook.replay", endpoint, after=request.after)
    return _view(endpoint)


@router.delete("/{webhook_id}", status_code=204)
def delete_webhook(webhook_id: str, caller: PersonCaller, services: ServicesOf) -> Response:
    """Delete a webhook and its secret."""
    with _problems(webhook_id):
        services.webhooks.delete(webhook_id)
    record(services, caller, "webhook.delete", f"webhook:{webhook_id}")
    return Response(status_code=204)


def _record(
    services: Services, caller: Caller, action: str, endpoint: Endpoint, **details: object
) -> None:
    """Record a change; only the URL's host, because the rest may be a token of the receiver."""
    host = urlsplit(endpoint.url).hostname
    facts = {"host": host, "events": endpoint.events, "is_active": endpoint.is_active}
    record(services, caller, action, f"webhook:{endpoint.id}", facts | details)


@contextmanager
def _problems(webhook_id: str = "") -> Iterator[None]:
    """Translate errors of webhooks to problems."""
    try:
        with as_api_errors():
            yield
    except WebhookInvalidError as error:
        raise invalid({error.field: str(error)}) from None
    except WebhookNotFoundError:
        raise not_found("webhook", webhook_id) from None
    except WebhookLimitError as error:
        type_ = "resource_limit_exceeded"
        sentence = str(error)
        detail = f"{sentence[:1].upper()}{sentence[1:]}."
        raise Problem(403, type_, detail, type_=type_) from None


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _view(endpoint: Endpoint) -> models.Webhook:
    return models.Webhook(**_members(endpoint))


def _members(endpoint: Endpoint) -> dict[str, Any]:
    delivery = models.DeliveryState(
        offset=endpoint.position,
        failures=endpoint.failures,
        failing_since=optional_timestamp(endpoint.failing_since_ms),
        next_attempt_at=optional_timestamp(endpoint.next_attempt_ms or None)
        if endpoint.is_active
        else None,
        last_error=endpoint.last_error,
    )
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "is_active": endpoint.is_active,
        "created_at": timestamp(endpoint.created_at_ms),
        "created_by": endpoint.created_by,
        "disabled_reason": endpoint.disabled_reason,
        "delivery": delivery,
    }
