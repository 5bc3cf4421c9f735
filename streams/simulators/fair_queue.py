"""Fair queue: next is the account with the fewest running calls, then the least time used."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Share:
    """The waiting and running calls of one account, and the time it has used."""

    waiting: deque[int] = field(default_factory=deque)
    started_s: dict[int, float] = field(default_factory=dict)
    served_s: float = 0.0
    last_turn: int = -1

    def used_s(self, now_s: float) -> float:
        return self.served_s + sum(now_s - started_s for started_s in self.started_s.values())


class FairQueue:
    """Shares workers between accounts, first by running calls, then by time used.

    Accounts with calls of equal length are served round robin. An account with slow calls never
    gets a second worker while others wait, and waits until they have used as much time, so it
    delays others by at most one of its calls. Calls of one account keep their order. Calls are
    identified by index; time is an input.
    """

    def __init__(self, calls: Iterable[tuple[int, str]]) -> None:
        self._shares: dict[str, _Share] = {}
        self._account_of: dict[int, str] = {}
        self._turn = 0
        self.waiting = 0
        """Number of calls that have not started."""
        for index, account in calls:
            self._shares.setdefault(account, _Share()).waiting.append(index)
            self._account_of[index] = account
            self.waiting += 1
        self._waiting = dict(self._shares)

    def start(self, now_s: float) -> int:
        """Start the next waiting call and return its index."""
        account, share = min(
            self._waiting.items(),
            key=lambda item: (
                len(item[1].started_s),
                item[1].used_s(now_s),
                item[1].last_turn,
            ),
        )
        index = share.waiting.popleft()
        share.started_s[index] = now_s
        share.last_turn = self._turn = self._turn + 1
        self.waiting -= 1
        if not share.waiting:
            del self._waiting[account]
        return index

    def finish(self, index: int, now_s: float) -> None:
        """Charge the account for the time since its call started."""
        share = self._shares[self._account_of[index]]
        share.served_s += now_s - share.started_s.pop(index)

    def put_back(self, index: int) -> None:
        """Return a call to the front of its account's queue, as if it had never started."""
        account = self._account_of[index]
        share = self._shares[account]
        del share.started_s[index]
        share.waiting.appendleft(index)
        self._waiting[account] = share
        self.waiting += 1

    def drain(self) -> list[int]:
        """Remove and return all calls that have not started."""
        indices = [index for share in self._waiting.values() for index in share.waiting]
        self._waiting.clear()
        self.waiting = 0
        return indices
