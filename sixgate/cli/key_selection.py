"""Selects keys by path, agent, account and chain, and plans where new ones and shares go."""

from collections.abc import Callable
from pathlib import Path

from schemas.intents.intent_parts import ClientShare
from schemas.keys.client_share import ClientShareContext
from schemas.registry.key_chains import KeyChain
from schemas.registry.networks import key_chain_of
from signer.custody.buffers import wiping
from signer.custody.hpke import seal_for
from signer.custody.process import forbid_inspection
from signer.keys.paths import agent_key_path, chain_at, network_key_path
from signer.keys.vault_paths import default_vault
from sixgate.api import Json
from sixgate.authoring import form_fields
from sixgate.authoring.operator import KeyTarget
from sixgate.cli.client_shares import client_of
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.files import read_hex
from sixgate.cli.session import Session, not_found
from sixgate.cli.terminal import WAITING, progress


def selected_key(here: Session, path: str | None, options: Json) -> KeyTarget:
    """Return the key that path, agent, account and chain select together.

    Without a path it is the chain's key, otherwise the agent's own. A conflict ends the command.
    """
    agent, account, chain = map(options.get, ("agent", "account", "chain"))
    owner = here.owner(agent, account)
    if owner is None:
        fail_usage("no account selected: give --agent or --account")
    network = _network(here, chain) if chain else None
    if path is None and network:
        return KeyTarget(owner, _default(network_key_path(network[0])), network[1])
    if path is None and agent is None:
        fail_usage("no key selected: give a path, --chain or --agent")
    if path and network and network[1] is KeyChain.ETHEREUM:
        fail_usage(
            "a path excludes an EVM --chain: a key is an Ethereum key by default, so omit --chain"
        )
    key_path = path or _default(agent_key_path(str(agent)))
    return KeyTarget(owner, key_path, _chain(key_path, network[1] if network else None))


def newest_version(here: Session, key: KeyTarget) -> Json:
    """Return the newest version of a key; an unknown key ends the command."""
    keys: list[Json] = here.registry["keys"]
    own = [each for each in keys if each["account"] == key.account]
    versions = [each for each in own if each["path"] == key.path]
    if not versions:
        not_found("key", key.path, (each["path"] for each in own))
    return versions[-1]


def key_versions(registry: Json) -> dict[tuple[str, str, int], Json]:
    """Return all versions of keys by account, path and version."""
    return {(key["account"], key["path"], key["version"]): key for key in registry["keys"]}


def _network(here: Session, name: str) -> tuple[str, KeyChain]:
    """Return a network's name and kind of key; every registered chain is an EVM network."""
    registered = here.chains()
    if name in registered:
        return registered[name]["name"], KeyChain.ETHEREUM
    found = key_chain_of(name)
    if found is None or found is KeyChain.ETHEREUM:
        not_found("chain", name, {*registered, *KeyChain})
    return found.value, found


def _default(path: str) -> str:
    """Validate a path built from a name: a name may contain dots, but a path may not."""
    try:
        return str(form_fields.key_path(path))
    except ValueError:
        fail_usage(
            f"{path} is not a valid key path, as it has a dot: give a path, such as keys/hot"
        )


def _chain(path: str, chain: KeyChain | None) -> KeyChain:
    bound = chain_at(path)
    if chain and bound and chain != bound:
        why = f"{path} is reserved for a {bound} key, so it cannot hold a {chain} key"
        fail_usage(f"{why}: choose another path")
    return chain or bound or KeyChain.ETHEREUM


def sealed_share(here: Session, agent: str, key: Json, file: Path) -> Json:
    """Return the client share of a key version, sealed to the signer for one agent."""
    account = key["account"]
    recipient: str | None = here.registry["share_keys"].get(account)
    if recipient is None:
        why = f"the signer has published no share key for {account} yet"
        raise CommandError(ExitCode.NOT_FOUND, f"{why}: retry in a moment")
    terms = {name: key[name] for name in ("account", "vault", "path", "version")}
    context = ClientShareContext(org=here.registry["org"], **terms)
    forbid_inspection()  # before the share is in memory
    with wiping(read_hex(file, "share")) as share:
        box = seal_for(recipient, share, context.to_signer(agent))
    sealed = ClientShare(key_version=key["version"], share_key=recipient, box=f"0x{box.hex()}")
    return sealed.model_dump()


def make_key(
    here: Session,
    target: KeyTarget,
    vault: str | None,
    out: Path | None,
    make: Callable[[KeyTarget], Json],
) -> Json:
    """Make a key in the named vault, or the default one of its path; save its client share.

    Returns the key that is made now, or was by an interrupted command. Ends the command if the
    client share has no destination.
    """
    if vault is not None:
        here.vault(target.account, vault)
    vaults = here.vaults()
    holder = vaults.get(
        (target.account, vault or default_vault(target.account, target.path, vaults))
    )
    client = client_of(here.folder, holder, target.path, out) if holder else None
    planned = target._replace(vault=vault, share_for=client.share_for if client else None)
    if client is None:
        with progress(WAITING):
            return make(planned)
    version = client.make_version(here, lambda: make(planned))["version"]
    return key_versions(here.api.registry())[target.account, target.path, version]
