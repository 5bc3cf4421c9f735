"""Show bytes of unknown origin to people: on a terminal, in a log, in a signed report."""

CHARACTERS_MAX = 200


def printable(raw: bytes) -> str:
    """Show bytes as printable ASCII, everything else escaped, cut to CHARACTERS_MAX.

    So neither terminal escapes nor letters that look like others get through.
    """
    text = raw[:CHARACTERS_MAX].decode("utf-8", errors="backslashreplace")
    shown = "".join(
        character if character.isascii() and character.isprintable() else _escape(character)
        for character in text
    )
    return shown[:CHARACTERS_MAX]


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
