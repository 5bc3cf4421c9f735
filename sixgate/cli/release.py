"""``sixgate release``: runs one provider's key release, makes its keys, signs its policy."""

import secrets
from pathlib import Path

import click

from schemas.dsse import RELEASE_POLICY_TYPE
from signer.attestation.release.policy import ReleasePolicy
from signer.custody.atomic_write import write_atomic
from sixgate.cli.declare import Group, Option, argument, flag
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.files import read_canonical
from sixgate.cli.options import FILE, config_option, data_option, insecure_dev, process_settings
from sixgate.cli.processes import run_until_stopped
from sixgate.cli.terminal import notice, print_json
from sixgate.data_folder.folder import Folder

FIELDS = "docs/key-release.md lists the fields"


@click.group(
    cls=Group, invoke_without_command=True, example="--config gcp.toml\nkeys --config gcp.toml"
)
@config_option
@insecure_dev
def app() -> None:
    """Run one provider's key release until SIGTERM; create its keys, sign its policy."""
    if click.get_current_context().invoked_subcommand is None:
        run_until_stopped("services.release:ReleaseProcess", process_settings())


@app.command("keys", example="--config gcp.toml")
@flag("--show", "Print the existing keys.")
@config_option
def keys(*, show: bool) -> None:
    """Create the two keys of a release, wrapped by its root key; print the policy entry for it."""
    from sixgate.releasing.keys import (  # slow: imports a cloud SDK
        ReleaseName,
        create_keys,
        open_keys,
    )
    from sixgate.services.release import only_kms

    settings = process_settings()
    released, folder = settings.release_section(), Folder(settings.data)
    kms = only_kms(settings.kms)
    release_name = ReleaseName(released.org, released.provider)
    if not show:
        create_keys(folder, release_name, kms, secrets.token_bytes)
    own = open_keys(folder, release_name, kms)
    print_json(
        {
            "provider": release_name.provider,
            "release": release_name.name,
            "kms_key": kms.key_id,
            "sealing_key": f"0x{own.sealing.public_key.hex()}",
            "signing_key": own.signer.public_key,
            "audience": released.audience,
            "vault_keys": False,
        }
    )


@app.command("policy", example="policy.json --out release-policy.json")
@argument("FILE", "Policy to sign.", type=FILE)
@Option("--out FILE", "File for the signed policy.", type=FILE, required=True)
@data_option
@config_option
def policy(*, file: Path, out: Path, data: Path) -> None:
    """Sign a release policy with the admin key of the data folder."""
    folder = Folder(data)
    folder.check_outside(out)
    wanted = read_canonical(file, ReleasePolicy, FIELDS)
    if wanted.org != folder.trust().org:
        fail_usage(
            f"{file} is for organisation {wanted.org}, but the data folder belongs to "
            f"{folder.trust().org}: choose another file or --data"
        )
    admin = folder.admin()
    envelope = admin.sign_envelope(RELEASE_POLICY_TYPE, wanted.encode())
    write_atomic(out, envelope.encode(), replace=True)
    notice(f"Signed policy {wanted.sequence} ({wanted.digest()}) with {admin.public_key}: {out}.")
