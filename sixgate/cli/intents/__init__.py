"""``sixgate submit``, ``intents`` and ``signed``: submits intents and shows their outcomes."""
