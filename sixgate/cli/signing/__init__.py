"""``sixgate tx``, ``message``, ``typed-data`` and ``authorization``: single signatures."""
