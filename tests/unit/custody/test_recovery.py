"""Recovery replaces a client share only by an admin's order for exactly this version."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.dsse import KEY_REQUEST_TYPE, VAULT_ORDER_TYPE
from schemas.registry.custody import CustodyMode
from signer.custody.errors import (
    CorruptError,
    KmsUnavailableError,
    QuorumError,
    RecoveryRefusedError,
    SharesMismatchError,
)
from signer.custody.opening import open_sealed
from signer.custody.order_validity import AHEAD_MS_MAX, LIFETIME_MS_MAX
from signer.custody.recovery import Approval, Recovered, recover
from signer.custody.sealing import Holders
from tests.harness.builders.custody_material import SECRET, LyingKms, Stream
from tests.harness.builders.custody_providers import (
    MODES,
    RaisingKms,
    cloud,
    clouds,
    in_mode,
    sealed_in,
)
from tests.harness.builders.recovery_orders import (
    ADMIN,
    CLIENT,
    HERE,
    MODE,
    NOBODY,
    NOW_MS,
    approval,
    envelope,
    order,
)


def recovered(given: Approval, mode: CustodyMode = MODE, seed: str = "anew") -> Recovered:
    with clouds() as sound:
        holders, sealed = sound.holders(mode), sealed_in(mode).sealed
        return recover(holders, in_mode(mode), sealed, given, Stream(seed))


def opens(sealed: Any, share: bytes | bytearray | None) -> bytes:
    with clouds() as sound:
        return bytes(open_sealed(sound.holders(MODE), HERE, sealed, share).secret)


def test_the_client_gets_a_new_share_that_opens_the_secret_which_did_not_change() -> None:
    before, found = sealed_in(MODE), recovered(approval(envelope(order())))
    assert found.share_for == CLIENT
    assert found.sealed.ciphertext == before.sealed.ciphertext
    assert opens(found.sealed, found.client_share) == SECRET
    assert SECRET not in bytes(found.client_share)


def test_the_share_that_was_lost_fits_no_share_that_counts_from_then_on() -> None:
    before, found = sealed_in(MODE), recovered(approval(envelope(order())))
    assert before.client_share is not None
    assert opens(before.sealed, before.client_share) == SECRET
    for share, sealed in (
        (before.client_share, found.sealed),
        (found.client_share, before.sealed),
    ):
        with pytest.raises(SharesMismatchError):
            opens(sealed, share)


def test_no_share_of_the_former_split_is_in_the_new_one() -> None:
    before, found = sealed_in(MODE), recovered(approval(envelope(order())))
    unwrapped = [
        {bytes(cloud(one.provider).unwrap(one.blob, HERE.share_aad(one.provider)))
        for one in sealed.wrapped_shares}
        for sealed in (before.sealed, found.sealed)
    ]  # fmt: skip
    assert not unwrapped[0] & unwrapped[1]
    assert bytes(found.client_share) not in unwrapped[0] | unwrapped[1]


def test_a_second_recovery_gives_a_third_share() -> None:
    shares = {bytes(recovered(approval(envelope(order())), seed=s).client_share) for s in "ab"}
    assert len(shares) == 2


@pytest.mark.parametrize("mode", sorted(set(MODES) - {MODE}))
def test_no_other_mode_has_a_recovery(mode: CustodyMode) -> None:
    with pytest.raises(RecoveryRefusedError, match=f"{mode} cannot be recovered"):
        recovered(approval(envelope(order())), mode)


REFUSED: dict[str, Callable[[], Approval]] = {
    "signed by nobody known": lambda: approval(envelope(order(), NOBODY)),
    "no admin at all": lambda: Approval(envelope(order()), (), NOW_MS),
    "another kind of order": lambda: approval(
        ADMIN.sign_envelope(KEY_REQUEST_TYPE, order().encode())
    ),
    "malformed": lambda: approval(ADMIN.sign_envelope(VAULT_ORDER_TYPE, order().encode() + b" ")),
    "another organisation": lambda: approval(envelope(order(org="umbrella"))),
    "another account": lambda: approval(envelope(order(account="payroll"))),
    "another vault": lambda: approval(envelope(order(vault="other"))),
    "another path": lambda: approval(envelope(order(path="keys/cold"))),
    "another version": lambda: approval(envelope(order(version=1))),
    "expired": lambda: approval(envelope(order()), NOW_MS + 600_000),
    "from the future": lambda: approval(envelope(order()), NOW_MS - AHEAD_MS_MAX - 1),
    "for too long": lambda: approval(envelope(order(expires_at_ms=NOW_MS + LIFETIME_MS_MAX + 1))),
}


REASONS = {
    "signed by nobody known": "not signed by an admin",
    "no admin at all": "not signed by an admin",
    "another kind of order": "not signed by an admin",
    "malformed": "malformed",
    "expired": "has expired",
    "from the future": "from the future",
    "for too long": "more than 24 hours",
}


@pytest.mark.parametrize("why", REFUSED)
def test_an_order_that_proves_nothing_recovers_nothing_and_asks_no_provider(why: str) -> None:
    reason = REASONS.get(why, "another secret or version")
    silent = {name: RaisingKms(KmsUnavailableError("asked")) for name in ("gcp", "aws")}
    sealed = sealed_in(MODE).sealed
    with clouds(**silent) as some, pytest.raises(RecoveryRefusedError, match=reason):
        recover(some.holders(MODE), HERE, sealed, REFUSED[why](), Stream())
    assert [each.calls for each in silent.values()] == [0, 0]


@pytest.mark.parametrize("name", ["gcp", "aws"])
def test_a_recovery_needs_both_providers(name: str) -> None:
    failing, given = RaisingKms(KmsUnavailableError("no")), approval(envelope(order()))
    with clouds(**{name: failing}) as some, pytest.raises(QuorumError, match="1 of 2"):
        recover(some.holders(MODE), HERE, sealed_in(MODE).sealed, given, Stream())


def test_a_provider_that_the_settings_do_not_name_is_missed_before_the_other_is_asked() -> None:
    silent, given = RaisingKms(KmsUnavailableError("asked")), approval(envelope(order()))
    with clouds(gcp=silent) as some:
        holders = Holders(some.root, some.holders(MODE).providers[:1])
        with pytest.raises(QuorumError, match="aws"):
            recover(holders, HERE, sealed_in(MODE).sealed, given, Stream())
    assert silent.calls == 0


def test_a_wrong_share_stops_a_recovery() -> None:
    def lies(unwrapped: bytearray) -> bytearray:
        return unwrapped[:-1] + bytes((unwrapped[-1] ^ 1,))

    given = approval(envelope(order()))
    with clouds(aws=LyingKms(cloud("aws"), lies)) as some, pytest.raises(CorruptError):
        recover(some.holders(MODE), HERE, sealed_in(MODE).sealed, given, Stream())
