"""``sixgate keys``: makes, rotates and imports keys of six chains; only Ethereum keys sign."""

from pathlib import Path

from schemas.registry.custody import AGENT_KEYS
from schemas.registry.key_chains import SIGNING_CHAINS, KeyChain
from schemas.registry.records import AgentSet
from signer.core.access import may_use
from signer.custody.buffers import wiping
from signer.custody.errors import CorruptError, PrivateFileError
from signer.custody.private_file import read_private
from signer.custody.process import forbid_inspection
from sixgate.api import Json
from sixgate.authoring import operator
from sixgate.authoring.key_text import (
    ON_THE_COMMAND_LINE,
    TEXT_BYTES_MAX,
    KeyFormatError,
    looks_like_a_key,
    read_key_text,
)
from sixgate.authoring.operator import KeyTarget
from sixgate.authoring.producer import Directory, key_changes
from sixgate.cli.declare import Option, argument, gathered, group
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.files import read_piped
from sixgate.cli.formats import key_address
from sixgate.cli.key_selection import (
    key_versions,
    make_key,
    newest_version,
    sealed_share,
    selected_key,
)
from sixgate.cli.options import FILE, FILE_OR_INPUT, KEY_PATH, NAME
from sixgate.cli.render import Answer, Field, View, table
from sixgate.cli.session import Session, entry, shows, with_session
from sixgate.cli.terminal import notice, notices, print_json, safe
from sixgate.cli.vault_options import VAULT, share_out

app = group("keys", example="list")
_path = argument("[PATH]", "Path of the key.", type=KEY_PATH)
_options = gathered(
    "options",
    Option("--agent", "Agent of the key. Without PATH: the agent's own key.", type=NAME),
    Option("--account", "Account of the key.", type=NAME),
    Option("--chain NAME", "Chain of the key. Without PATH: the chain's default key."),
)
"""Add the options that select a key, besides its path; those given arrive as ``options``."""
_vault = Option("--vault", "Vault for the key.", type=VAULT, show_default="by the path")


def _address(key: Json, *, target: KeyTarget) -> str:
    notice(f"Address of {target.path} in account {target.account}:")
    return key_address(key)


@app.command(
    "provision",
    example="--agent payroll\n"
    "--chain base --account treasury --agent payroll\n"
    "--chain solana --account treasury",
)
@_path
@_options
@_vault
@share_out
@shows(_address)
def provision(
    here: Session, *, path: str | None, options: Json, vault: str | None, share_out: Path | None
) -> Answer:
    """Generate a key of an agent, of a chain or at a path, and grant it to --agent."""
    target = selected_key(here, path, options)
    before = Directory.of(here.registry)
    key = make_key(
        here, target, vault, share_out, lambda planned: operator.provision(here.admin(), planned)
    )
    _grant(here, options.get("agent"), target, before)
    return Answer(key, target=target)


def _grant(here: Session, agent: str | None, target: KeyTarget, before: Directory) -> None:
    """Let an agent use a new key; report which keys sign differently now."""
    # If the process ends here, the key exists without the grant; add it with `agents update
    # --key-path`.
    if agent is not None:
        record: Json = here.agent(agent)
        granted = record.get("key_paths", [])
        if not may_use(tuple(granted), agent, target.path):
            here.register(entry(AgentSet, **record | {"key_paths": [*granted, target.path]}))
    for change in key_changes(before, target.account, target.path):
        notices().print(safe(change, "yellow"))


def _ability(key: Json) -> str:
    signs = KeyChain(key["chain"]) in SIGNING_CHAINS
    if key["state"] != "active":
        return "signs no more" if signs else "holds an address no more"
    return "signs transactions and messages" if signs else "holds an address only"


def _permitted_agents(key: Json, agents: Json) -> list[str]:
    return [
        name
        for name, agent in sorted(agents.items())
        if agent["account"] == key["account"]
        and may_use(tuple(agent.get("key_paths", ())), name, key["path"])
    ]


_KEYS = table(
    Field("address", key_address),
    Field("account"),
    Field("chain"),
    Field("version", right=True),
    Field("state"),
    details=lambda key: (
        key["path"] if key["vault"] == AGENT_KEYS else f"{key['path']} in {key['vault']}",
        key["can"],
        f"agents: {', '.join(key['agents']) or '-'}",
    ),
)


@app.command("list", example="--json")
@shows(_KEYS)
def list_(here: Session) -> list[Json]:
    """List all key versions with address, abilities, and the agents that may use them."""
    agents = here.registry["agents"]
    return [
        key | {"can": _ability(key), "agents": _permitted_agents(key, agents)}
        for key in here.registry["keys"]
    ]


@app.command("rotate", example="--agent payroll")
@_path
@_options
@share_out
@shows(_address)
def rotate(here: Session, *, path: str | None, options: Json, share_out: Path | None) -> Answer:
    """Generate a new version of a key, with a new address. The old version can no longer sign.

    Move the old address's funds first: afterwards this is impossible.
    """
    target = selected_key(here, path, options)
    last = newest_version(here, target)
    key = make_key(
        here,
        target,
        last["vault"],
        share_out,
        lambda planned: operator.rotate(here.admin(), planned, last["version"]),
    )
    before = key["account"], key["path"], key["version"] - 1
    if old := key_versions(here.registry).get(before):
        notice(f"{key_address(old)} is rotated and can no longer sign.")
    return Answer(key, target=target)


def _deactivated(key: Json, *, target: KeyTarget) -> list[View]:
    notice(f"{key_address(key)} at {target.path} is deactivated.")
    return []


@app.command("deactivate", example="keys/base-signer --account treasury")
@_path
@_options
@shows(_deactivated)
def deactivate(here: Session, *, path: str | None, options: Json) -> Answer:
    """Revoke a key: it can no longer sign. `keys rotate` makes a new version at its path."""
    target = selected_key(here, path, options)
    key = operator.deactivate(here.admin(), target, newest_version(here, target)["version"])
    return Answer(key, target=target)


@app.command(
    "import",
    example="hot.hex wallets/hot --account treasury\n"
    "vault read … | sixgate keys import - --chain base --account treasury",
)
@argument("FILE|-", "64 hex digits; - reads standard input.", "file", type=FILE_OR_INPUT)
@_path
@_options
@_vault
@share_out
@shows(_address)
def import_(
    here: Session,
    *,
    file: Path,
    path: str | None,
    options: Json,
    vault: str | None,
    share_out: Path | None,
) -> Answer:
    """Import a private key, sealed to the signer before it leaves this command."""
    forbid_inspection()  # before the key is in memory
    with wiping(_secret(file)) as secret:
        target = selected_key(here, path, options)
        before = Directory.of(here.registry)
        key = make_key(
            here, target, vault, share_out, lambda planned: _import_key(here, planned, secret, file)
        )
        _grant(here, options.get("agent"), target, before)
    notice("Any copy of this key can sign without Sixgate's rules: destroy all copies.")
    return Answer(key, target=target)


@app.command("seal-share", example="wallets/cold --agent payroll --share cold.share")
@_path
@_options
@Option("--share FILE", "Client share of the key.", type=FILE, required=True)
@with_session
def seal_share(here: Session, *, path: str | None, options: Json, share: Path) -> None:
    """Seal the client share to the signer's share key. Only this agent's intents can use it.

    It stays valid for one day after the signer announces the next share key.
    """
    agent = options.get("agent") or fail_usage("no agent selected: give --agent")
    key = newest_version(here, selected_key(here, path, options))
    print_json(sealed_share(here, agent, key, share))


def _import_key(here: Session, target: KeyTarget, secret: bytearray, file: Path) -> Json:
    try:
        return operator.import_key(here.admin(), target, secret)
    except CorruptError:
        fail_usage(
            f"{file} does not contain a valid {target.chain} key: check the file and --chain"
        )


def _secret(file: Path) -> bytearray:
    piped = str(file) == "-"
    if not piped and not file.exists():
        fail_usage(_no_file(file))
    try:
        return read_key_text(
            read_piped("key", TEXT_BYTES_MAX) if piped else read_private(file, TEXT_BYTES_MAX)
        )
    except (PrivateFileError, KeyFormatError) as error:
        fail_usage(f"{'standard input' if piped else file} {error}")


def _no_file(file: Path) -> str:
    if looks_like_a_key(str(file)):
        return f"FILE {ON_THE_COMMAND_LINE}; put another key into a private file, or pipe it in"
    return f"{file} cannot be opened (No such file or directory): check the path"
