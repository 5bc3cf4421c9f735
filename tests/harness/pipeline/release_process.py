"""Real ``sixgate release`` processes, on a broker, with stand-ins of the clouds' KMSs."""

import asyncio
import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from schemas.canonical import canonical_bytes
from schemas.keys.release import AnyDecision, decode_decision
from schemas.topics import Topic
from signer.attestation.release.client.kms import ReleasedKms, Transport
from signer.attestation.release.policy import ReleaseHolder, ReleasePolicy
from signer.attestation.verify.binding import Binding
from signer.attestation.verify.evidence import Evidence
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation
from signer.custody.event_signing import Ed25519Signer
from sixgate.clocks import wall_ms
from sixgate.config.releases import ReleaseAddress
from sixgate.config.sections import TlsFiles
from sixgate.releasing.link import ReleaseLink
from sixgate.simulated_platform.certificates import SimulatedAuthority
from sixgate.simulated_platform.platform import SimulatedChip, SimulatedPlatform
from streams.kafka.broker import Broker
from streams.kafka.provision import TopicPlan
from streams.kafka.topics import Replication
from tests.harness.builders.attestation import authority_keys
from tests.harness.builders.release import (
    ADMIN,
    ORG,
    audience,
    base64url,
    release_policy,
    requester,
    rs256,
    rsa_key,
    signed_policy,
)
from tests.harness.builders.waiting import until
from tests.harness.cli.command_line import Ended
from tests.harness.cli.forked import ForkedCommandLine, fork
from tests.harness.kms.peers import Peers
from tests.harness.pipeline.scaled import listens, on_kafka
from tools.local.certificates import Authority
from tools.local.ports import free_port

START_S_MAX = 60
CALL_MS_MAX = 20_000


@cache
def machine() -> tuple[SimulatedAuthority, SimulatedPlatform]:
    """Return a simulated machine with current certificates."""
    at = datetime.fromtimestamp(wall_ms() // 1000 - 60, UTC)
    authority = SimulatedAuthority.create(authority_keys(), Generation.MILAN, at)
    chip = SimulatedChip.generate(Generation.MILAN, b"\x05" * 64)
    return authority, SimulatedPlatform(authority, chip, SigningKey.VCEK, at)


def attest(binding: Binding, **fields: Any) -> Evidence:
    """Return good current evidence for a binding, with these fields of its report replaced."""
    authority, platform = machine()
    report = platform.sign({"report_data": binding.report_data()} | fields)
    made = datetime.fromtimestamp(wall_ms() // 1000 - 60, UTC)
    return Evidence(report, platform.certificates, authority.revocation_list(made))


def token(provider: str, **changes: Any) -> bytes:
    """Return a valid current token for a provider's release, with these claims replaced."""
    now_s = wall_ms() // 1000
    times = {"iat": now_s - 10, "nbf": now_s - 10, "exp": now_s + 600}
    return rs256(**({"aud": audience(provider)} | times | changes))


def issuer_keys() -> bytes:
    """Return the issuer's key set, in the form that it serves."""
    numbers = rsa_key().public_key().public_numbers()
    text = {
        name: base64url(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()
        for name, value in (("n", numbers.n), ("e", numbers.e))
    }
    return canonical_bytes({"keys": [{"kty": "RSA", "kid": "r1", "alg": "RS256", **text}]})


@dataclass
class Releasing:
    """The key releases of several providers, each a process with its own folder and settings."""

    path: Path
    broker: Broker
    peers: Peers
    tls: bool = False
    doors: dict[str, str] = field(
        default_factory=dict
    )  # names of releases that use another address of Kafka
    holders: dict[str, ReleaseHolder] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.authority = Authority(self.path / "identities")
        (self.path / "keys.json").write_bytes(issuer_keys())

    @property
    def policy_file(self) -> Path:
        return self.path / "policy.json"

    def folder(self, provider: str) -> Path:
        return self.path / provider

    def kms(self, provider: str) -> str:
        """Return the settings of a provider's KMS."""
        sections = self.peers.settings().split("[kms.")
        return next(f"[kms.{one}" for one in sections if one.startswith(f"{provider}]"))

    def settings(self, provider: str, **changes: Any) -> Path:
        """Write a provider's settings, with these of ``[release]`` replaced."""
        port = self.ports.setdefault(provider, free_port())
        released = {
            "org": ORG,
            "provider": provider,
            "audience": audience(provider),
            "policy": str(self.policy_file),
            "token_keys": str(self.path / "keys.json"),
            "admins": [ADMIN.public_key],
            "port": port,
            "insecure_dev": True,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in (released | changes).items()]
        servers = self.doors.get(provider, self.broker.servers)
        text = (
            f'data = "{self.folder(provider)}"\n[kafka]\nservers = "{servers}"\n'
            f'prefix = "{self.broker.names.prefix}"\n'
            "insecure_dev = true\n[release]\n"
            + "\n".join(lines)
            + f"\n{self._tls()}"
            + self.kms(provider)
        )
        file = self.path / f"{provider}.toml"
        file.write_text(text)
        return file

    def _tls(self) -> str:
        if not self.tls:
            return ""
        own = self.authority.issue("release")
        files = {"ca": self.authority.file, "certificate": own, "key": own}
        return "".join(f'tls.{name} = "{file}"\n' for name, file in files.items())

    def set_up(self, *providers: str) -> None:
        """Make the keys of each release, and a policy that names them."""
        for provider in providers:
            made = self.run(provider, "keys")
            assert made.code == 0, made.err
            self.holders[provider] = ReleaseHolder(**made.json)
        self.publish(self.policy())

    def policy(self, **changes: Any) -> ReleasePolicy:
        authority, _ = machine()
        now_ms = wall_ms()
        evidence = release_policy().evidence.model_copy(
            update={"simulated_root": authority.root_digest}
        )
        members = {
            "evidence": evidence,
            "valid_from_ms": now_ms - 60_000,
            "valid_until_ms": now_ms + 3_600_000,
            "holders": tuple(self.holders.values()),
        }
        return release_policy(**(members | changes))

    def publish(self, policy: ReleasePolicy, signer: Ed25519Signer = ADMIN) -> None:
        draft = self.policy_file.with_suffix(".draft")
        draft.write_bytes(signed_policy(policy, signer).encode())
        draft.replace(self.policy_file)

    def run(self, provider: str, *words: str, **changes: Any) -> Ended:
        """Run ``sixgate release`` to its end."""
        return self.command(*words, "--config", str(self.settings(provider, **changes)))

    def command(self, *words: str) -> Ended:
        return ForkedCommandLine(None).run("release", *words)

    def start(self, provider: str, **changes: Any) -> None:
        config = str(self.settings(provider, **changes))
        with (self.path / f"{provider}.log").open("ab") as log:
            process = fork("release", "--config", config, out=log)
        self.processes[provider] = process
        until(lambda: process.poll() is not None or listens(self.ports[provider]), START_S_MAX)
        assert process.poll() is None, self.log(provider)

    def kill(self, provider: str) -> None:
        process = self.processes.pop(provider)
        process.kill()
        process.wait()

    def stop(self, provider: str) -> None:
        process = self.processes.pop(provider)
        process.terminate()
        assert process.wait(START_S_MAX) == 0, self.log(provider)

    def await_end(self, provider: str) -> int:
        """Wait for a process that ends without a signal; return its exit code."""
        return self.processes.pop(provider).wait(START_S_MAX)

    def log(self, provider: str) -> str:
        return (self.path / f"{provider}.log").read_text()[-4_000:]

    def address(self, provider: str, client: str = "signer") -> ReleaseAddress:
        own = self.authority.issue(client) if self.tls else None
        return ReleaseAddress(
            url=f"{'https' if own else 'http'}://127.0.0.1:{self.ports[provider]}",
            token=self.path / "unread",
            tls=own and TlsFiles(ca=self.authority.file, certificate=own, key=own),
            call_ms_max=CALL_MS_MAX,
        )

    @contextmanager
    def link(self, provider: str, client: str = "signer") -> Iterator[ReleaseLink]:
        with closing(ReleaseLink(self.address(provider, client))) as link:
            yield link

    @contextmanager
    def link_of_a_stranger(self, provider: str, folder: Path) -> Iterator[ReleaseLink]:
        """Yield a link with a certificate of the right name, issued by another authority."""
        own = Authority(folder).issue("signer")
        tls = TlsFiles(ca=self.authority.file, certificate=own, key=own)
        address = self.address(provider).model_copy(update={"tls": tls})
        with closing(ReleaseLink(address)) as link:
            yield link

    def released(self, provider: str, link: Transport) -> ReleasedKms:
        """Return the KMS of a signer whose only access is a release."""
        holder = self.holders[provider]
        return ReleasedKms(
            holder, requester(), link, attest, lambda: token(provider), secrets.token_bytes
        )

    def records(self) -> list[AnyDecision]:
        """Return the records of the topic, in order."""
        return list(map(decode_decision, on_kafka(self.broker)(Topic.RELEASES)))

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@contextmanager
def releasing(
    path: Path,
    broker: Broker,
    peers: Peers,
    *,
    tls: bool = False,
    partitions: int | None = 1,
) -> Iterator[Releasing]:
    """Yield releases with the stand-ins of three clouds, not yet started.

    Without ``partitions`` the topics must exist already.
    """
    if partitions is not None:
        asyncio.run(TopicPlan(partitions, Replication(1, 1)).apply(broker))
    path.mkdir(parents=True, exist_ok=True)
    found = Releasing(path, broker, peers, tls)
    try:
        yield found
    finally:
        found.close()


def await_log(here: Releasing, provider: str, words: str) -> None:
    ends_at_s = time.monotonic() + START_S_MAX
    while words not in here.log(provider):
        assert time.monotonic() < ends_at_s, here.log(provider)
        time.sleep(0.1)
