"""Composition of the HTTP API over a data folder's node."""

import secrets
import shlex
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

from argon2 import PasswordHasher
from pydantic_settings import BaseSettings

from schemas.registry import ScopedAdminSet
from signer.registered import Registered
from sixgate.api.app import add_mcp, create_app
from sixgate.api.listeners import Address, Listen, Tcp
from sixgate.api.server import serving
from sixgate.api.services import Services
from sixgate.api.submission import resume
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import DESK, GATEWAY, Folder, FolderError
from sixgate.data_folder.key_files import ensure_private_key, load_key_file
from sixgate.desk.desk import LocalDesk
from sixgate.embedded.node import Node
from sixgate.embedded.reads import folded_transactions
from sixgate.embedded.webhooks import running_webhooks
from sixgate.gateway.access_policies import AccessPolicies
from sixgate.gateway.agents import Agents
from sixgate.gateway.api_keys import ApiKeys
from sixgate.gateway.calls import Calls
from sixgate.gateway.chain_names import ChainNames
from sixgate.gateway.database import Database
from sixgate.gateway.idempotency import IdempotencyKeys
from sixgate.gateway.people import People
from sixgate.gateway.secret_versions import SecretVersions
from sixgate.gateway.tokens import Tokens
from sixgate.gateway.vaults import Vaults
from sixgate.settings.api import WAIT_S_MAX, ApiSettings
from sixgate.settings.loading import FROM_ENVIRONMENT


class EmbeddedApiSettings(BaseSettings):
    """Settings of the HTTP API of a data folder; they come from the environment only."""

    model_config = FROM_ENVIRONMENT

    api: ApiSettings = ApiSettings()


@contextmanager
def serving_api(folder: Folder, node: Node, settings: ApiSettings) -> Iterator[Address]:
    """Serve the HTTP API of a folder, with MCP at ``/mcp``, until the block ends.

    Raises ``FolderError`` if it was never set up, and ``SettingsError`` if it cannot listen.
    """
    tls = settings.tls.context("[api]") if settings.tls else None
    tcp = Tcp(host=settings.host, port=settings.port, tls=tls, insecure_dev=settings.insecure_dev)
    with gateway_services(folder, node, wait_s=settings.wait_s_max) as services:
        app = create_app(services)
        add_mcp(app)
        with serving(app, Listen(tcp=(tcp,)), settings.limits) as address:
            yield address


@contextmanager
def gateway_services(
    folder: Folder,
    node: Node,
    hasher: PasswordHasher | None = None,
    *,
    wait_s: float = WAIT_S_MAX,
) -> Iterator[Services]:
    """Lend the services of a folder's gateway; raise ``FolderError`` if it was never set up.

    ``hasher`` hashes API keys; by default with the parameters of RFC 9106. ``wait_s`` is how long
    a reply waits for an outcome.
    """
    backend = node.backend
    registered = backend.read.registered
    scope = _desk_scope(folder, registered)
    gateway_key = load_key_file(folder.key(GATEWAY), GATEWAY)
    token_key = ensure_private_key(folder.key("tokens"))
    with (
        closing(Database(folder.gateway)) as database,
        folded_transactions(folder, backend.read) as transactions,
        running_webhooks(folder, node) as webhooks,
    ):
        idempotency = IdempotencyKeys(database)
        services = Services(
            backend=backend,
            desk=LocalDesk(node, load_key_file(folder.key(DESK), DESK), wall_ms),
            calls=Calls(gateway_key, registered.org, wall_ms, secrets.token_hex),
            database=database,
            people=People(database),
            agents=Agents(database),
            chain_names=ChainNames(database),
            api_keys=ApiKeys(database, secrets.token_hex, hasher),
            tokens=Tokens(database, token_key, registered.org, secrets.token_hex),
            transactions=transactions,
            vaults=Vaults(database),
            secret_versions=SecretVersions(database),
            access_policies=AccessPolicies(database),
            org=registered.org,
            account=scope.accounts[0],
            webhooks=webhooks,
            gateway_key=gateway_key,
            now_ms=wall_ms,
            random_hex=secrets.token_hex,
            new_id=lambda: str(uuid.uuid4()),
            idempotency=idempotency,
            wait_s=wait_s,
        )
        resume(services)
        try:
            yield services
        finally:
            idempotency.flush()


def _desk_scope(folder: Folder, registered: Registered) -> ScopedAdminSet:
    """Return the record of the folder's desk; raise ``FolderError`` if there is none in force."""
    where = f"--data {shlex.quote(str(folder.path))}"
    scope = registered.scoped_admins.get(DESK)
    if scope is None:
        raise FolderError(
            f"{folder.path} has no people who may use the HTTP API: run sixgate people add NAME "
            f"{where}"
        )
    if not scope.active:
        raise FolderError(
            f"the desk of {folder.path}, which signs what people change, is revoked: register it "
            f"again with sixgate admins add {DESK} {where}"
        )
    return scope
