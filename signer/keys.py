"""Which keys exist: folded from the signer's answers to operators' requests."""

from dataclasses import dataclass, field

from schemas.canonical import Malformed
from schemas.dsse import KEY_REQUEST_TYPE, Envelope
from schemas.keys import KeyProvisioned, KeyRequest
from signer.registry import Registry
from signer.signatures import SignatureWrong, open_envelope_of_any, verify_event_of_any


class KeyRefused(Exception):  # noqa: N818 - a refusal of a request or an answer
    """A key request or answer that proves nothing; no key came of it."""


@dataclass(frozen=True, slots=True)
class KeyDescriptor:
    """A key that may sign: one account's, at one path, in one version."""

    account: str
    path: str
    version: int
    address: str
    provisioned: KeyProvisioned = field(repr=False, hash=False)


@dataclass(slots=True)
class KeyRegister:
    """The keys of all accounts; a path is taken once per account, an address once at all."""

    by_path: dict[tuple[str, str], KeyDescriptor] = field(default_factory=dict)
    by_address: dict[str, KeyDescriptor] = field(default_factory=dict)
    keks: dict[tuple[str, str], str] = field(default_factory=dict)

    def find(self, account: str, path: str) -> KeyDescriptor | None:
        """Return the key of an account at a path."""
        return self.by_path.get((account, path))

    def apply(self, raw: bytes, registry: Registry) -> KeyDescriptor:
        """Take an answer from the ``vault`` topic.

        Raises ``KeyRefused`` unless a registered signer answered an admin's request for exactly
        this key, and neither its path nor its address is taken. The same answer twice is one.
        """
        try:
            answer = KeyProvisioned.decode(raw)
        except Malformed as error:
            raise KeyRefused(f"the answer is malformed ({error})") from None
        self._check_signer(answer, registry)
        self._check_request(answer, read_request(answer.request, registry))
        return self._add(answer)

    def wrapped_kek(self, account: str, vault: str) -> bytes | None:
        """Return the wrapped key of an account's vault, once it has one."""
        blob = self.keks.get((account, vault))
        return bytes.fromhex(blob[2:]) if blob else None

    def check_free(self, request: KeyRequest) -> None:
        """Raise ``KeyRefused`` if a key already stands where the request wants one."""
        if self.find(request.account, request.path):
            raise KeyRefused(f"{request.account} has a key at {request.path} already")

    def _check_signer(self, answer: KeyProvisioned, registry: Registry) -> None:
        try:
            verify_event_of_any(answer, registry.signer_keys.get(answer.signer, ()))
        except SignatureWrong:
            detail = f"the answer is not signed by any key that {answer.signer} ever had"
            raise KeyRefused(detail) from None

    def _check_request(self, answer: KeyProvisioned, request: KeyRequest) -> None:
        asked = (request.account, request.path, request.chain)
        if asked != (answer.account, answer.path, answer.chain):
            raise KeyRefused("the answer is for another key than the request")

    def _add(self, answer: KeyProvisioned) -> KeyDescriptor:
        slot = (answer.account, answer.path)
        key = KeyDescriptor(*slot, answer.version, answer.address, answer)
        for taken in (self.by_path.get(slot), self.by_address.get(answer.address)):
            if taken and taken != key:
                raise KeyRefused(f"{answer.path} or {answer.address} is taken already")
        self.keks.setdefault((answer.account, answer.vault), answer.wrapped_kek)
        self.by_path[slot] = self.by_address[answer.address] = key
        return key


def read_request(envelope: Envelope, registry: Registry) -> KeyRequest:
    """Return a key request that an admin of the organisation signed for an open account.

    Raises ``KeyRefused``.
    """
    try:
        body = open_envelope_of_any(envelope, KEY_REQUEST_TYPE, registry.admin_keys)
        request = KeyRequest.decode(body)
    except SignatureWrong:
        raise KeyRefused("no admin key of the organisation signed the request") from None
    except Malformed as error:
        raise KeyRefused(f"the request is malformed ({error})") from None
    if request.org != registry.org or request.account not in registry.accounts:
        raise KeyRefused(f"{request.account} is no open account of the organisation")
    return request


def may_use(key_paths: tuple[str, ...], agent: str, path: str) -> bool:
    """Tell whether an agent may sign with the key at a path: its own, or granted by name."""
    return path.startswith(f"agents/{agent}/") or path in key_paths
