"""The command ``sixgate``."""

from sixgate.cli.app import main

__all__ = ["main"]
