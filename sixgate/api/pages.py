"""Pages of lists: a cursor is the id of the last item of the page before it."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from sixgate.api.problems import invalid

Item = TypeVar("Item")
LIMIT_MAX = 1000
UNKNOWN_CURSOR = "is not a cursor of this list: send the next_cursor of the page before"
LimitQuery = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Maximum number of items.")]
CursorQuery = Annotated[
    str | None, Query(max_length=256, description="`next_cursor` of the page before.")
]


def page_of(
    items: Sequence[Item], id_of: Callable[[Item], str], limit: int, cursor: str | None
) -> tuple[Sequence[Item], str | None]:
    """Return the items after a cursor and the next cursor; raise a 400 problem for an unknown one.

    The first request of a list sends no cursor, and the last page has none.
    """
    start = 0
    if cursor is not None:
        ids = [id_of(item) for item in items]
        if cursor not in ids:
            raise invalid({"cursor": UNKNOWN_CURSOR})
        start = ids.index(cursor) + 1
    page = items[start : start + limit]
    return page, id_of(page[-1]) if page and start + limit < len(items) else None
