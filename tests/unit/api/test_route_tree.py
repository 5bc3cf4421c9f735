"""The tree of routes finds the same route as trying one after the other, by specificity."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match, Route

from sixgate.api.route_tree import RouteTree

PATHS = ["/a", "/a/b", "/a/{x}", "/{x}/b", "/a/{x}/c", "/{x}/{y}/c", "/r/{rest:path}", "/{x}"]
METHODS = ["GET", "POST"]


async def nothing(_request: Any) -> None: ...


def scope_of(path: str, method: str) -> dict[str, Any]:
    return {"type": "http", "path": path, "method": method, "root_path": "", "headers": []}


def specificity(path: str) -> list[int]:
    return [2 if ":path" in part else int("{" in part) for part in path.split("/")]


def first_match(routes: list[Route], scope: dict[str, Any]) -> tuple[Match, str]:
    partial = (Match.NONE, "")
    for route in sorted(routes, key=lambda route: specificity(route.path)):
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return match, route.path
        if match is Match.PARTIAL and partial[0] is Match.NONE:
            partial = (match, route.path)
    return partial


@given(
    st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(METHODS)), unique=True),
    st.lists(st.sampled_from(["", "a", "b", "c", "r", "other"]), min_size=1, max_size=4),
    st.sampled_from(METHODS),
)
def test_the_tree_agrees_with_trying_each_route(
    declared: list[tuple[str, str]], segments: list[str], method: str
) -> None:
    routes = [Route(f"/v1{path}", nothing, methods=[verb]) for path, verb in declared]
    path = "/v1/" + "/".join(segments)
    scope = scope_of(path, method)
    match, found = RouteTree(routes).matches(scope)
    route = found["sixgate.route"]
    # An unknown path is matched, so that no later route can be, and answered with 404.
    chosen = (match, route.path) if route else (Match.NONE, "")
    assert chosen == first_match(routes, scope)


def test_the_tree_leaves_other_paths_to_other_routes() -> None:
    for path in ("/mcp", "/v1", "/", "/v2/a"):
        scope = scope_of(path, "GET")
        assert RouteTree([]).matches(scope) == (Match.NONE, {})


def test_a_final_line_break_is_no_part_of_a_route() -> None:
    tree = RouteTree([Route("/v1/r/{rest:path}", nothing), Route("/v1/a", nothing)])
    for path, found in (("/v1/a", True), ("/v1/a\n", False), ("/v1/r/x\n", False)):
        scope = scope_of(path, "GET")
        assert (tree.matches(scope)[1]["sixgate.route"] is not None) is found
