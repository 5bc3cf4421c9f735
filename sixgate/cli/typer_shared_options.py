"""Groups of options shared by several commands, passed as one dictionary."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Command: TypeAlias = Callable[..., None]


def with_options(into: str, options: Mapping[str, Any]) -> Callable[[Command], Command]:
    """Add options to a command; it gets those that were given as the dictionary ``into``.

    ``options`` maps names to annotations. Typer reads options from the signature, so they are added
    to the command's signature.
    """

    def decorate(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def wrapped(**values: Any) -> None:
            known = {name: values.pop(name) for name in options}
            given = {name: value for name, value in known.items() if value is not None}
            command(**values, **{into: given})

        kept = [parameter for name, parameter in own.parameters.items() if name != into]
        both = [*kept, *map(_parameter, options, options.values())]
        wrapped.__signature__ = own.replace(parameters=both)  # type: ignore[attr-defined]  # inspect's own protocol
        wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in both}
        return wrapped

    return decorate


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=annotation)
