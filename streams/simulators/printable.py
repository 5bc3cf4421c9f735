"""Makes untrusted bytes printable for terminals, logs and signed reports."""

CHARACTERS_MAX = 200


def printable(raw: bytes) -> str:
    """Return bytes as printable ASCII, other characters escaped, at most CHARACTERS_MAX.

    This removes terminal escapes and letters that look like others.
    """
    text = raw[:CHARACTERS_MAX].decode("utf-8", errors="backslashreplace")
    shown = "".join(
        character if character.isascii() and character.isprintable() else _escape(character)
        for character in text
    )
    return shown[:CHARACTERS_MAX]


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
