"""``sixgate agents`` and ``access``: who may submit intents, use keys and read secrets."""
