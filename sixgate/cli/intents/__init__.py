"""``sixgate submit``, ``intents`` and ``signed``: what is asked, and what came of it."""
