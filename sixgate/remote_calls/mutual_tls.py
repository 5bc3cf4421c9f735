"""Contexts for mutual TLS 1.3 between Sixgate's own processes."""

import ssl

from sixgate.config.sections import TlsFiles


def client_context(files: TlsFiles, what: str) -> ssl.SSLContext:
    """Return a context with our client certificate; raises ``SettingsError``.

    ``what`` names the settings in the error message.
    """
    return _context(files, ssl.Purpose.SERVER_AUTH, f"tls of {what}")


def server_context(files: TlsFiles, section: str) -> ssl.SSLContext:
    """Return a context that requires a client certificate; raises ``SettingsError``."""
    context = _context(files, ssl.Purpose.CLIENT_AUTH, f"[{section}.tls]")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(files: TlsFiles, purpose: ssl.Purpose, where: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(purpose, cafile=files.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(files.certificate, files.key)
    except OSError:  # ssl.SSLError is one too
        raise files.unusable_error(where) from None
    return context
