"""The calls of the operator API: the only place that names their HTTP methods and paths."""

from typing import Final

from sixgate.api import Api
from sixgate.remote_calls.call_table import Call, CallTable

OPERATOR_CALLS: Final = CallTable[Api](
    Call(Api.status, "GET", "/v1/operator/status"),
    Call(Api.registry, "GET", "/v1/operator/registry"),
    Call(Api.register, "POST", "/v1/operator/registry"),
    Call(Api.order_key, "POST", "/v1/operator/key-orders"),
    Call(Api.order_vault, "POST", "/v1/operator/vault-orders"),
    Call(Api.vault, "GET", "/v1/operator/vault"),
    Call(Api.client_shares, "GET", "/v1/operator/client-shares"),
    Call(Api.vault_events, "GET", "/v1/operator/vault-events"),
    Call(Api.reading_key, "GET", "/v1/operator/reading-key"),
    Call(Api.read_secret, "POST", "/v1/operator/secret-reads"),
    Call(Api.submit, "POST", "/v1/operator/intents"),
    Call(Api.intents, "GET", "/v1/operator/intents"),
    Call(Api.trail, "GET", "/v1/operator/intents/events"),
    Call(Api.budgets, "GET", "/v1/operator/budgets"),
    Call(Api.signed, "GET", "/v1/operator/signed"),
    Call(Api.attestation, "POST", "/v1/operator/attestation"),
    Call(Api.head, "GET", "/v1/operator/ledger/head"),
    Call(Api.verify, "POST", "/v1/operator/ledger/verify"),
    Call(Api.sql, "POST", "/v1/operator/ledger/sql"),
    Call(Api.export, "POST", "/v1/operator/ledger/export"),
)
