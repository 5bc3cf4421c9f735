"""For which of the signer's keys a value on its way in is sealed: one that is erased in time."""

import time

from sixgate.api import Api, ApiError

WAIT_S_MAX = 15.0
AGAIN_S = 0.1


def current_share_key(api: Api, account: str) -> str:
    """Return the X25519 key that the signer told an account, waiting a moment for the first one.

    Raise ``halted`` where the signer tells none.
    """
    until_s = time.monotonic() + WAIT_S_MAX
    while True:
        told = api.registry()["share_keys"].get(account)
        if told is not None:
            return str(told)
        if time.monotonic() > until_s:
            raise ApiError(
                "halted",
                f"the signer has told {account} no key to seal for in {WAIT_S_MAX:.0f} s: see that "
                "it runs and its root key can be used, then give the order again",
            )
        time.sleep(AGAIN_S)
