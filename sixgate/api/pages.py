"""Pages of lists: a cursor is the id of the last item of the page before it."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query

from sixgate.api.problems import invalid

LIMIT_MAX = 1000
LimitQuery = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Maximum number of items.")]
CursorQuery = Annotated[
    str | None, Query(max_length=256, description="`next_cursor` of the page before.")
]


def page_of(ids: Sequence[str], limit: int, cursor: str | None) -> tuple[Sequence[str], str | None]:
    """Return the ids after a cursor and the next cursor; raise a 400 problem for an unknown one."""
    start = 0
    if cursor is not None:
        if cursor not in ids:
            raise invalid({"cursor": "is not a cursor of this list"})
        start = ids.index(cursor) + 1
    page = ids[start : start + limit]
    return page, page[-1] if page and start + limit < len(ids) else None
