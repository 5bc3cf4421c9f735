"""Mutual TLS between our own processes, and nothing older than TLS 1.3."""

import ssl

from sixgate.settings.sections import TlsFiles


def client_context(files: TlsFiles, what: str) -> ssl.SSLContext:
    """Return a context that shows our certificate; raises ``SettingsError``.

    ``what`` names in the sentence whose settings to mend.
    """
    return _context(files, ssl.Purpose.SERVER_AUTH, f"tls of {what}")


def server_context(files: TlsFiles, section: str) -> ssl.SSLContext:
    """Return a context that wants a client's certificate; raises ``SettingsError``."""
    context = _context(files, ssl.Purpose.CLIENT_AUTH, f"[{section}.tls]")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(files: TlsFiles, purpose: ssl.Purpose, where: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(purpose, cafile=files.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(files.certificate, files.key)
    except OSError:  # also what OpenSSL raises
        raise files.unusable(where) from None
    return context
