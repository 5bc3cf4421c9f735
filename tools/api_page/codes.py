"""Table of the stable codes of problems. A test compares it with the code of the API."""

from collections.abc import Iterator

from schemas.intents.reasons import Reason
from schemas.keys.secret_access import ACCESS_MEANING
from sixgate.api.intent_refusals import ANSWERS

CODES = {
    "validation": "400: members or headers are wrong; `fields` names each and says why",
    "request_malformed": "400: the request is not valid HTTP/1.1, or a part of it cannot be read",
    "client_share_missing": "400: send the header `X-Client-Share` to read this. 403: send it, "
    "because the key that signs needs a client share",
    "key_not_generated": "400: a generated value cannot replace a private key: store one",
    "unauthorized": "401: the token is missing, invalid, expired or revoked, or its API key ended",
    "login_refused": "403: the ID token names no person of yours, or misses a required claim",
    "login_token": "403: a token of a login cannot be refreshed and makes no API key",
    "people_only": "403: agents may not do this",
    "agents_only": "403: only the agent itself may do this",
    "agent_has_own_key": "403: the agent signs its own intents and is administered with the CLI",
    "agent_of_another_gateway": "403: send the request to the agent's gateway",
    "desk_absent": "403: this organisation administers with the CLI",
    "beyond_scope": "403: people may not change this; use the CLI",
    "client_share_wrong": "403: the client share does not open the secret",
    "key_export_forbidden": "403: a signing key never leaves Sixgate",
    "origin_refused": "403: a web page may not call MCP tools",
    "resource_limit_exceeded": "403: the organisation has its maximum of webhooks; `type` is equal",
    "not_found": "404: the resource does not exist, or the caller may not see it",
    "secret_unknown": "404: the vault has no such secret or version",
    "route_unknown": "404: there is no such route",
    "method_not_allowed": "405: the route does not allow this method",
    "request_timeout": "408: the head or the body of the request arrived too slowly",
    "idempotency_conflict": "409: the `Idempotency-Key` belongs to another request",
    "request_in_progress": "409: the first request with this `Idempotency-Key` is undecided",
    "key_ambiguous": "409: two vaults hold a key with this path",
    "chain_exists": "409: the chain is registered already",
    "cmek_disabled": "409: the vault has no customer key",
    "cmek_enabled": "409: the vault has a customer key",
    "cmek_key_wrong": "409: the vault has another customer key",
    "client_share_needed": "409: a rotation cannot read a vault that needs client shares",
    "rotation_running": "409: the vault is being rotated already",
    "custody_already_set": "409: the vault has a custody mode, which cannot change",
    "vault_not_empty": "409: the vault has secrets: choose the custody mode while it is empty",
    "vault_not_described": "409: the vault was not made through the API; use the CLI",
    "system_vault": "409: the vault holds only signing keys: use the routes of signing keys",
    "key_exists": "409: the agent or the treasury has a key for this chain: rotate it",
    "signing_key_exists": "409: a stored value cannot replace a signing key: choose another path",
    "key_vault_needs_share": "409: import this key with the CLI",
    "tier_missing": "409: the organisation has no tier, and therefore no treasury",
    "type_fixed": "409: the path holds a secret of a type that can be read: choose another path",
    "too_many_grants": "409: the agent or person has the maximum number of grants",
    "registry_refused": "409: the registry refused the change",
    "key_refused": "409: the signer refused an order of a key",
    "vault_refused": "409: the signer refused an order of a vault or secret",
    "secret_expired": "410: the secret has expired",
    "version_disabled": "410: the version was disabled",
    "reads_exhausted": "410: the secret was read `max_access_count` times",
    "body_too_large": "413: the body is over the limit",
    "simulation_failed": "422: the transaction reverts in simulation; nothing was signed",
    "quota_exceeded": "429: the agent's intents of a day are over their bytes: wait `Retry-After`",
    "rate_limited": "429: too many requests of one address, agent or person: wait `Retry-After`",
    "head_too_large": "431: the request line and headers are over the limit",
    "internal": "500: a defect; please report it",
    "method_unknown": "501: the server does not know the HTTP method",
    "not_supported": "501: a route of the public description that Sixgate does not have",
    "busy": "503: too many requests, or a server behind it answers slowly: wait `Retry-After`",
    "disk_low": "503: the disk is nearly full, so new work must wait; nothing was stored",
    "issuer_unavailable": "503: the keys of the issuer of ID tokens cannot be read; `Retry-After`",
    "share_key_missing": "503: the signer has not published a key for client shares yet",
    "simulation_unavailable": "503: a required simulation gave no answer; nothing was signed",
    "http_version_unknown": "505: the request is not HTTP/1.1",
}
"""Status and meaning by code. Other codes are internal errors (503): retry."""


def code_rows() -> list[str]:
    """Return the rows of the table of codes: those of this module, then reasons of accesses."""
    accesses = {
        reason.value: f"403: {meaning[:1].lower()}{meaning[1:].rstrip('.')}"
        for reason, meaning in ACCESS_MEANING.items()
    }
    return [
        f"| {meaning.partition(': ')[0]} | `{code}` | {meaning.partition(': ')[2]} |"
        for code, meaning in sorted((CODES | accesses).items(), key=lambda row: row[1][:3])
    ]


def reason_rows() -> list[str]:
    """Return which reasons of refused intents have which status."""
    statuses: dict[int, list[str]] = {}
    for reason, code in _reason_codes():
        statuses.setdefault(ANSWERS[reason].status.value, []).append(f"`{code}`")
    return [f"| {status} | {', '.join(codes)} |" for status, codes in sorted(statuses.items())]


def _reason_codes() -> Iterator[tuple[Reason, str]]:
    for reason, answer in ANSWERS.items():
        yield reason, answer.code or reason.value
