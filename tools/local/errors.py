class ServerError(Exception):
    """A local server cannot be fetched, started or stopped; the message says what to do."""
