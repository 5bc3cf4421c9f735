class ImageError(Exception):
    """A layer cannot be built, or two differ; one sentence says what and where."""
