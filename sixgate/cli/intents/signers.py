"""Agents' signing identities from the key files of a data folder."""

from functools import cache

from signer.signatures import Ed25519Signer
from sixgate.authoring.intent_form import IntentFormError
from sixgate.authoring.intent_lines import Signers
from sixgate.authoring.producer import Directory
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.key_files import load_key_file


def signers_of(folder: Folder, directory: Directory) -> Signers:
    """Return a function that loads an agent's key file, each file once.

    It raises ``IntentFormError`` if the file is missing.
    """

    @cache
    def signer(agent: str) -> Ed25519Signer:
        path = folder.agent_key(agent)
        if agent in directory.accounts and not path.exists():
            why = f"the key of {agent} is not in this folder: sign elsewhere and submit envelopes"
            raise IntentFormError([("agent", why)])
        return load_key_file(path, agent)

    return signer
