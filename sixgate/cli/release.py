"""``sixgate release``: runs one provider's key release, makes its keys, signs its policy."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from schemas.dsse import RELEASE_POLICY_TYPE
from signer.attestation.release.policy import ReleasePolicy
from signer.custody.atomic_write import write_atomic
from sixgate.cli.canonical_files import read_canonical
from sixgate.cli.long_running import run_until_stopped
from sixgate.cli.session import fail_usage
from sixgate.cli.terminal import notices, print_json
from sixgate.cli.typer_config import Config, InsecureDev, config_file, use_config, use_insecure_dev
from sixgate.cli.typer_options import DATA_DEFAULT, Data
from sixgate.data_folder.folder import Folder

FIELDS = "docs/key-release.md lists the fields"
app = typer.Typer(
    help="Run one provider's key release until SIGTERM; create its keys, sign its policy.",
    epilog="Examples: sixgate release --config gcp.toml\n\nsixgate release keys --config gcp.toml",
)


@app.callback(invoke_without_command=True)
def release(
    *, context: typer.Context, config: Config = None, insecure_dev: InsecureDev = False
) -> None:
    """Run the key release of the provider in the settings until SIGTERM."""
    use_config(config)
    use_insecure_dev(insecure_dev)
    if context.invoked_subcommand is None:
        _run()


@app.command(epilog="Example: sixgate release keys --config gcp.toml")
def keys(
    *,
    show: Annotated[bool, typer.Option("--show", help="Print the existing keys.")] = False,
    config: Config = None,
) -> None:
    """Create the two keys of a release, wrapped by its root key; print the policy entry for it."""
    from sixgate.releasing.keys import (  # slow: imports a cloud SDK
        ReleaseName,
        create_keys,
        open_keys,
    )
    from sixgate.releasing.process import only_kms
    from sixgate.scaled.settings import load_settings

    use_config(config)
    settings = load_settings(config_file())
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


@app.command(epilog="Example: sixgate release policy policy.json --out release-policy.json")
def policy(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Policy to sign.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File for the signed policy.")],
    data: Data = DATA_DEFAULT,
) -> None:
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
    write_atomic(
        out, admin.sign_envelope(RELEASE_POLICY_TYPE, wanted.encode()).encode(), replace=True
    )
    signed = f"Signed policy {wanted.sequence} ({wanted.digest()}) with {admin.public_key}: {out}."
    notices().print(signed, highlight=False, soft_wrap=True)


def _run() -> None:
    from sixgate.releasing.process import ReleaseProcess  # slow: imports a cloud SDK
    from sixgate.scaled.settings import load_settings

    settings = load_settings(config_file())
    run_until_stopped(ReleaseProcess, settings)
