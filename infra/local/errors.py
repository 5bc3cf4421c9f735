class ServerError(Exception):
    """A local server cannot be fetched, started or stopped; one sentence says what to do."""
