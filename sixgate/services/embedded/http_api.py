"""Composition of the HTTP API over a data folder's node."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic_settings import BaseSettings

from schemas.registry.records import ScopedAdminSet
from signer.core.registry.registered import Registered
from sixgate.api.listeners import Address
from sixgate.api.services import Services
from sixgate.clocks import wall_ms
from sixgate.config.api import ApiSettings, ChainsSettings, WebhookSettings
from sixgate.config.loading import FROM_ENVIRONMENT
from sixgate.data_folder.folder import DESK, Folder
from sixgate.data_folder.key_files import load_key_file
from sixgate.data_folder.signer_files import FolderError
from sixgate.desk.desk import AdminDesk
from sixgate.gateway.composition import Pipeline, gateway_services, serving_gateway
from sixgate.intents.intake import Intake
from sixgate.services.embedded.node import Node


class EmbeddedApiSettings(BaseSettings):
    """Settings of the HTTP API of a data folder; they come from the environment only."""

    model_config = FROM_ENVIRONMENT

    api: ApiSettings = ApiSettings()
    chains: ChainsSettings = ChainsSettings()
    webhooks: WebhookSettings = WebhookSettings()


@contextmanager
def serving_api(folder: Folder, node: Node, settings: EmbeddedApiSettings) -> Iterator[Address]:
    """Serve the HTTP API of a folder until the block ends.

    Raises ``FolderError`` if it was never set up, and ``SettingsError`` if it cannot listen.
    """
    with (
        node_services(folder, node, settings) as services,
        serving_gateway(services, settings.api) as address,
    ):
        yield address


@contextmanager
def node_services(
    folder: Folder,
    node: Node,
    settings: EmbeddedApiSettings,
) -> Iterator[Services]:
    """Lend the services of a folder's gateway; raise ``FolderError`` if it was never set up."""
    scope = _desk_scope(folder, node.registered)
    desk = AdminDesk(node, load_key_file(folder.key(DESK), DESK), wall_ms)
    # The node counts agents with keys of their own, and records them on another topic.
    intake = Intake(node.intake.settings, node.intake.disk)
    pipeline = Pipeline(node.backend, desk, scope.accounts[0], intake, follow=False)
    sections = settings.api, settings.chains, settings.webhooks
    with gateway_services(folder, pipeline, *sections) as services:
        yield services


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
