"""Generates ``docs/api.md`` from the application's OpenAPI: ``python -m tools.api_page``."""

from pathlib import Path
from typing import cast

from sixgate.api import not_supported
from sixgate.api.app import create_app
from sixgate.api.services import Services
from tools.api_page.codes import code_rows, reason_rows
from tools.api_page.routes import (
    model_sections,
    operations,
    reply_models,
    request_models,
    tag_section,
)

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
INTRODUCTION = Path(__file__).parent / "introduction.md"


def api_md() -> str:
    """Return the page: an introduction, then a section for each tag."""
    # No request is served, so there are no services.
    app = create_app(cast(Services, None))
    models = app.openapi()["components"]["schemas"]
    lines, documented = [_introduction()], set[str]()
    tags = operations(app)
    for tag, found in tags.items():
        lines += tag_section(tag, found, models)
        for names, request in (
            (request_models(found, models), True),
            (reply_models(found, models), False),
        ):
            new = [name for name in names if name not in documented]
            documented |= set(new)
            lines += model_sections(new, models, request=request)
    published = {one.path for found in tags.values() for one in found}
    return "\n".join([*lines, *_not_supported(published)]) + "\n"


def _introduction() -> str:
    text = INTRODUCTION.read_text(encoding="utf-8")
    text = text.replace("{codes}", "\n".join(code_rows()))
    return text.replace("{reasons}", "\n".join(reason_rows()))


def _not_supported(published: set[str]) -> list[str]:
    sentence = (
        "These routes of the public description and its client answer 501 `not_supported`, and so "
        "do the routes below them, unless a section above describes them:"
    )
    lines = ["## Not supported", sentence, "", "| routes | why |", "|---|---|"]
    for reason, routes in not_supported.TABLE.items():
        lines.append(f"| {', '.join(_roots(routes, published))} | {reason} |")
    never = " and ".join(f"`{route}`" for route in not_supported.NEVER)
    return [*lines, "", f"{never} answer 403 `key_export_forbidden`."]


def _roots(routes: list[str], published: set[str]) -> list[str]:
    """Return the paths of routes, without those below another one.

    A path that also has a published route is shown with its method.
    """
    named = {path: f"{method} {path}" for method, path in map(str.split, routes)}
    paths = sorted(named)
    roots = [path for path in paths if not any(path.startswith(f"{one}/") for one in paths)]
    return [f"`{named[path] if path in published else path}`" for path in roots]


def main() -> None:
    """Write the page."""
    PAGE.write_text(api_md(), encoding="utf-8")


if __name__ == "__main__":
    main()
