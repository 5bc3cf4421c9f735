"""The ``sixgate`` command, in this process or a separate one."""
