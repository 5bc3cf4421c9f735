"""TLS of the HTTP API: version 1.2 or later, with optional client certificates."""

import ssl
from pathlib import Path
from typing import Self

from pydantic import model_validator

from sixgate.config.section import Section
from sixgate.errors import SettingsError

# TLS 1.2 with forward secrecy and authenticated encryption; TLS 1.3 has no other suites.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class ServerTls(Section):
    """PEM files: certificate, key, and the CA of client certificates.

    With ``client_ca`` a client may show a certificate, with ``client_required`` it must.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None
    client_required: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.client_required and self.client_ca is None:
            raise ValueError("client_required needs client_ca: add it")
        return self

    def context(self, section: str) -> ssl.SSLContext:
        """Return the context; raise ``SettingsError``, which names ``section``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_ca:
                context.load_verify_locations(self.client_ca)
        except OSError:  # ssl.SSLError is one too
            files = ", ".join(str(file) for file in self._files())
            raise SettingsError(
                f"{files} are not PEM files that belong together: correct {section}"
            ) from None
        if self.client_ca:
            required = self.client_required
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        return context

    def _files(self) -> list[Path]:
        return [file for file in (self.certificate, self.key, self.client_ca) if file]
