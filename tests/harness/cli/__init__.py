"""The ``sixgate`` command, in this process or in one of its own."""
