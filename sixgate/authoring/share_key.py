"""Looks up the signer's current share key, to which imported keys and secrets are sealed."""

import time

from sixgate.api import Api, ApiError

WAIT_S_MAX = 15.0
POLL_S = 0.1


def current_share_key(api: Api, account: str) -> str:
    """Return the share key (X25519) announced to an account; wait for the first one.

    Raises ``halted`` after ``WAIT_S_MAX``.
    """
    until_s = time.monotonic() + WAIT_S_MAX
    while True:
        share_key = api.registry()["share_keys"].get(account)
        if share_key is not None:
            return str(share_key)
        if time.monotonic() > until_s:
            raise ApiError(
                "halted",
                f"the signer has announced no share key to {account} for {WAIT_S_MAX:.0f} s: check "
                "that it is running and can use its root key, then repeat the order",
            )
        time.sleep(POLL_S)
