"""Composition root of a gateway: the HTTP API over a pipeline, wherever that runs."""

import secrets
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple

from schemas.fields import Name
from sixgate.api.app import add_mcp, create_app
from sixgate.api.listeners import Address, Listen, Tcp
from sixgate.api.server import serving
from sixgate.api.services import Services
from sixgate.api.submission import record_refused, resume
from sixgate.api_error import ApiError
from sixgate.backends.ports import Backend
from sixgate.clocks import wall_ms
from sixgate.config.api import ApiSettings, ChainsSettings, WebhookSettings
from sixgate.data_folder.folder import GATEWAY, Folder
from sixgate.data_folder.key_files import ensure_private_key, load_key_file
from sixgate.desk.desk import Desk
from sixgate.gateway.access_policies import AccessPolicies
from sixgate.gateway.agents import Agents
from sixgate.gateway.api_keys import ApiKeys
from sixgate.gateway.calls import Calls
from sixgate.gateway.chain_names import ChainNames
from sixgate.gateway.database import Database
from sixgate.gateway.folding import folded_transactions
from sixgate.gateway.idempotency import IdempotencyKeys
from sixgate.gateway.logins import Logins
from sixgate.gateway.people import People
from sixgate.gateway.rotations import Rotations
from sixgate.gateway.secret_versions import SecretVersions
from sixgate.gateway.tokens import Tokens
from sixgate.gateway.vaults import Vaults
from sixgate.intents.intake import Intake
from sixgate.oidc.login import oidc_login
from sixgate.webhooks.running import running_webhooks


class Pipeline(NamedTuple):
    """What a gateway works on: the ports, the desk, and the account of agents made by people.

    ``intake`` bounds what is stored for new intents. With ``follow`` reads are prepared in the
    background.
    """

    backend: Backend
    desk: Desk
    account: Name
    intake: Intake
    follow: bool


@contextmanager
def serving_gateway(services: Services, settings: ApiSettings) -> Iterator[Address]:
    """Serve the HTTP API, with MCP at ``/mcp``, until the block ends.

    Raises ``SettingsError`` if it cannot listen.
    """
    tls = settings.tls.context("[api]") if settings.tls else None
    tcp = Tcp(host=settings.host, port=settings.port, tls=tls, insecure_dev=settings.insecure_dev)
    app = create_app(services)
    add_mcp(app)
    with serving(app, Listen(tcp=(tcp,), socket=settings.socket), settings.limits) as address:
        yield address


@contextmanager
def gateway_services(
    folder: Folder,
    pipeline: Pipeline,
    settings: ApiSettings,
    chains: ChainsSettings,
    webhook_settings: WebhookSettings,
) -> Iterator[Services]:
    """Lend the services of a gateway whose files are in a folder; raise ``SettingsError``."""
    backend = pipeline.backend
    org = backend.read.registered.org
    gateway_key = load_key_file(folder.key(GATEWAY), GATEWAY)
    with (
        closing(Database(folder.gateway)) as database,  # makes the folder of all these files
        folded_transactions(folder.reads, backend.read, follow=pipeline.follow) as transactions,
        running_webhooks(folder.webhooks, database, backend.read, webhook_settings) as webhooks,
    ):
        token_key = ensure_private_key(folder.token_key)
        idempotency = IdempotencyKeys(database)
        services = Services(
            backend=backend,
            desk=pipeline.desk,
            calls=Calls(gateway_key, org, wall_ms, secrets.token_hex),
            database=database,
            people=People(database),
            logins=Logins(database, secrets.token_hex),
            agents=Agents(database),
            chain_names=ChainNames(database),
            api_keys=ApiKeys(database, secrets.token_hex),
            tokens=Tokens(database, token_key, org, secrets.token_hex),
            transactions=transactions,
            vaults=Vaults(database),
            secret_versions=SecretVersions(database),
            access_policies=AccessPolicies(database),
            rotations=Rotations(database),
            org=org,
            account=pipeline.account,
            webhooks=webhooks,
            gateway_key=gateway_key,
            now_ms=wall_ms,
            random_hex=secrets.token_hex,
            new_id=lambda: str(uuid.uuid4()),
            idempotency=idempotency,
            intake=pipeline.intake,
            wait_s=settings.wait_s_max,
            oidc=oidc_login(settings.oidc) if settings.oidc else None,
            private_urls=chains.private_urls,
        )
        resume(services)
        try:
            yield services
        finally:
            idempotency.flush()
            with suppress(ApiError):  # a pipeline that halted records nothing more
                record_refused(services)
