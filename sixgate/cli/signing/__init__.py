"""``sixgate tx``, ``message``, ``typed-data`` and ``authorization``: one signature at a time."""
