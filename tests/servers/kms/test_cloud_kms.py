"""Faults and features of single clouds' KMSs, beyond the common contract."""

import hashlib
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from signer.custody.errors import (
    CorruptError,
    CustodyError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
)
from signer.custody.kms.aws import DIGEST_NAME, encryption_context
from signer.custody.kms.azure import AzureKms
from signer.custody.kms.calls import CallLimits
from signer.custody.kms.port import PLAINTEXT_BYTES_MAX, KeyState, KeyStatus, ProtectionLevel
from sixgate.config.kms import AwsSection, AzureSection, KmsSettings
from sixgate.kms.aws_client import aws_client
from sixgate.kms.factory import providers
from tests.harness.broker.listener import Listener
from tests.harness.builders.custody_material import HERE
from tests.harness.kms.aws import AwsStandIn
from tests.harness.kms.azure import AzureStandIn
from tests.harness.kms.faults import Fault
from tests.harness.kms.gcp import GcpStandIn
from tests.harness.kms.rigs import AwsRig, AzureRig, GcpRig

KEY = bytes(range(7, 39))
CONTEXT = HERE.vault_context.aad()
OAEP_256_OF_RSA_2048_BYTES = 190
AN_HOUR_S = 3600


def test_google_answers_with_a_wrong_checksum_are_corrupt(gcp: GcpRig) -> None:
    kms = gcp.kms()
    wrapped = kms.wrap(KEY, CONTEXT)
    with gcp.server.faults.on(Fault.BAD_CHECKSUM):
        with pytest.raises(CorruptError, match="Google Cloud KMS"):
            kms.wrap(KEY, CONTEXT)
        with pytest.raises(CorruptError, match="Google Cloud KMS"):
            kms.unwrap(wrapped, CONTEXT)


def test_a_wrap_whose_checksum_google_did_not_verify_is_corrupt(gcp: GcpRig) -> None:
    with (
        gcp.server.faults.on(Fault.UNVERIFIED),
        pytest.raises(CorruptError, match="Google Cloud KMS"),
    ):
        gcp.kms().wrap(KEY, CONTEXT)


def test_old_blobs_open_after_a_rotation_at_google(gcp: GcpRig, gcp_server: GcpStandIn) -> None:
    kms = gcp.kms()
    old = kms.wrap(KEY, CONTEXT)
    gcp_server.rotate(gcp.key)
    new = kms.wrap(KEY, CONTEXT)
    assert kms.unwrap(old, CONTEXT) == kms.unwrap(new, CONTEXT) == KEY


def test_a_silently_dead_connection_to_google_is_replaced_after_one_call(gcp: GcpRig) -> None:
    """The kernel would retransmit for a quarter of an hour."""
    gcp.call_ms_max = 4_321
    kms = gcp.kms()
    kms.wrap(KEY, CONTEXT)
    port = int(gcp.server.address.rpartition(":")[2])
    assert 4_321 in {
        each.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) for each in connected_to(port)
    }


def connected_to(port: int) -> Iterator[socket.socket]:
    """Yield this process's connections to a loopback port."""
    for file in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(file.name)).st_mode):
                with socket.socket(fileno=os.dup(int(file.name))) as found:
                    if found.getpeername()[1:2] == (port,):
                        yield found


def test_aws_gets_the_vaults_names_for_its_policies(aws: AwsRig, aws_server: AwsStandIn) -> None:
    aws.kms().wrap(KEY, CONTEXT)
    context = aws_server.contexts[-1]
    assert (context["org"], context["vault"], context["layer"], context["v"]) == (
        "acme",
        "main",
        "kek",
        "1",
    )
    assert context[DIGEST_NAME] == hashlib.sha256(CONTEXT).hexdigest()


def test_no_context_field_can_replace_the_contexts_digest() -> None:
    forged = b'{"context-sha256":"00","a":1}'
    assert encryption_context(forged) == {
        "a": "1",
        DIGEST_NAME: hashlib.sha256(forged).hexdigest(),
    }


def test_moto_alone_agrees_on_everything_that_it_enforces(
    aws: AwsRig, aws_server: AwsStandIn
) -> None:
    """This test bypasses our proxy, so keys have no states."""
    port = aws_server.moto.port
    kms, stranger = aws.at(aws.key, port), aws.at(aws.other_key, port)
    wrapped = aws.kms().wrap(KEY, CONTEXT)
    assert kms.unwrap(wrapped, CONTEXT) == KEY
    assert aws.kms().unwrap(kms.wrap(KEY, CONTEXT), CONTEXT) == KEY
    changed = wrapped[:-1] + bytes((wrapped[-1] ^ 1,))
    for blob, context in ((wrapped, CONTEXT + b" "), (changed, CONTEXT), (wrapped[:-1], CONTEXT)):
        with pytest.raises(CorruptError):
            kms.unwrap(blob, context)
    with pytest.raises(CustodyError):
        stranger.unwrap(wrapped, CONTEXT)
    nobody = aws.at(f"{aws.key[:-12]}{'0' * 12}", port)
    for failing in (nobody.check, lambda: nobody.wrap(KEY, CONTEXT)):
        with pytest.raises(KmsKeyNotFoundError):
            failing()


def test_an_id_names_the_same_key_as_its_arn(aws: AwsRig) -> None:
    wrapped = aws.kms().wrap(KEY, CONTEXT)
    assert aws.at(aws.key.rpartition("/")[2]).unwrap(wrapped, CONTEXT) == KEY


def test_an_aws_key_for_signing_or_public_key_encryption_wraps_nothing(
    aws: AwsRig, aws_server: AwsStandIn
) -> None:
    for usage in ("ENCRYPT_DECRYPT", "SIGN_VERIFY"):
        kms = aws.at(aws_server.add_key(KeySpec="RSA_2048", KeyUsage=usage))
        assert kms.check() == KeyStatus(KeyState.DISABLED, ProtectionLevel.HSM)


def test_no_http_proxy_gets_keys_sent_to_a_local_endpoint(
    aws: AwsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def note(client: socket.socket) -> None:
        with client:
            seen.append(client.recv(65_536))

    with closing(Listener(note)) as proxy:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        kms = aws.kms()
        assert kms.unwrap(kms.wrap(KEY, CONTEXT), CONTEXT) == KEY
    assert seen == []


def test_aws_environment_variables_select_no_endpoint_without_tls(
    aws: AwsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS"):
        monkeypatch.setenv(name, "http://kms.example")
    client = aws_client(AwsSection(key=aws.key))
    assert client.meta.endpoint_url == "https://kms.eu-central-2.amazonaws.com"


def test_azure_never_sees_the_wrapped_secret(azure: AzureRig, azure_server: AzureStandIn) -> None:
    azure.kms().wrap(bytes(PLAINTEXT_BYTES_MAX), CONTEXT)
    assert azure_server.plaintexts_sent == 0


def test_a_value_wrapped_for_azure_fits_its_smallest_key() -> None:
    assert hashlib.sha256().digest_size + PLAINTEXT_BYTES_MAX <= OAEP_256_OF_RSA_2048_BYTES


def test_a_vault_with_an_untrusted_certificate_is_unavailable(azure: AzureRig) -> None:
    section = azure.settings(azure.key, None).azure
    assert section is not None
    strangers = AzureSection(**section.model_dump() | {"ca": None})
    with pytest.raises(KmsUnavailableError):
        providers(KmsSettings(azure=strangers))["azure"]().check()


@pytest.mark.parametrize("dates_s", [{"exp": -AN_HOUR_S}, {"nbf": AN_HOUR_S}], ids=str)
def test_an_azure_key_outside_its_dates_unwraps_but_does_not_wrap(
    azure: AzureRig, azure_server: AzureStandIn, dates_s: dict[str, int]
) -> None:
    kms = azure.kms()
    wrapped = kms.wrap(KEY, CONTEXT)
    now_s = int(time.time())
    azure_server.set_dates(azure.key, nbf=now_s - AN_HOUR_S, exp=now_s + AN_HOUR_S)
    assert kms.unwrap(kms.wrap(KEY, CONTEXT), CONTEXT) == KEY
    azure_server.set_dates(azure.key, **{name: now_s + at for name, at in dates_s.items()})
    assert kms.check().state is KeyState.DISABLED
    with pytest.raises(KmsKeyDisabledError):
        kms.wrap(KEY, CONTEXT)
    assert kms.unwrap(wrapped, CONTEXT) == KEY


def test_azure_key_names_are_case_insensitive(azure: AzureRig, azure_server: AzureStandIn) -> None:
    """A vault's names are case-insensitive; its responses have the original spelling."""
    key = azure_server.add_key("root")
    kms = azure.at(key.replace("/root/", "/Root/"))
    assert kms.unwrap(kms.wrap(KEY, CONTEXT), CONTEXT) == KEY


class RefusingClient:
    """The SDK's client of a vault that refuses with the given body."""

    def __init__(self, body: str) -> None:
        self._answer: Any = SimpleNamespace(reason="", status_code=403, text=lambda: body)

    def get_key(self, *_name: str) -> None:
        raise HttpResponseError(response=self._answer)


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ({"code": "KeyDisabled"}, KmsKeyDisabledError),
        ({"code": "Forbidden", "innererror": {"code": "KeyDisabled"}}, KmsKeyDisabledError),
        ({"code": "KeyExpired"}, KmsKeyDisabledError),
        ({"code": "ForbiddenByRbac"}, KmsDeniedError),
        ({"message": "Operation unwrapKey is not allowed on a disabled key."}, KmsDeniedError),
        ("KeyDisabled", KmsDeniedError),
        (None, KmsDeniedError),
    ],
    ids=str,
)
def test_azure_refusals_are_distinguished_by_their_nested_codes(
    inner: object, kind: type[CustodyError]
) -> None:
    body = json.dumps({"error": {"code": "Forbidden", "message": "", "innererror": inner}})
    with pytest.raises(kind):
        refused_by_azure(body).check()


@pytest.mark.parametrize("body", ["", '{"error": {"code": "Forb', "{}"])
def test_a_truncated_azure_refusal_has_no_code(body: str) -> None:
    with pytest.raises(KmsUnavailableError):
        refused_by_azure(body).check()


def refused_by_azure(body: str) -> AzureKms:
    client: Any = RefusingClient(body)
    name = f"https://acme.vault.azure.net/keys/k/{'0' * 32}"
    return AzureKms(client, client, name, CallLimits(), lambda: 0)
