class ImageError(Exception):
    """A layer cannot be built, or two builds differ; the message names the file."""
