"""Cloud credentials: found without retries and without delaying calls."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request

from signer.custody.errors import KmsDeniedError, KmsUnavailableError
from sixgate.config.kms import GcpSection, KmsSettings
from sixgate.kms.azure_client import azure_clients
from sixgate.kms.factory import providers
from sixgate.kms.gcp_client import gcp_credentials
from tests.harness.kms.aws import AwsStandIn
from tests.harness.kms.http import Handler, Quiet, serve
from tests.harness.kms.rigs import AwsRig, AzureRig

GCP_KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k"


@pytest.fixture
def no_credentials(aws_server: AwsStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = aws_server.credentials_file.read_text()
    aws_server.credentials_file.write_text("")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield
    aws_server.credentials_file.write_text(before)


@contextmanager
def failing_service() -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a service that always fails, and the requests it got."""
    asked: list[str] = []

    class Failing(Handler):
        def do_GET(self) -> None:  # noqa: N802 - the name that the base calls
            asked.append(self.path)
            self.send(500, b"")

        def do_POST(self) -> None:  # noqa: N802
            self.read()
            self.do_GET()

    with Quiet(("127.0.0.1", 0), Failing) as server:
        serve(server)
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.usefixtures("no_credentials")
def test_the_credential_service_of_aws_is_called_once(
    aws: AwsRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("of a workload")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/signer")
    with failing_service() as (address, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", address)
        kms = aws.kms()
        with pytest.raises(KmsUnavailableError):
            kms.check()
    assert len(asked) == 1


@pytest.mark.usefixtures("no_credentials")
def test_without_credentials_aws_denies(aws: AwsRig) -> None:
    with pytest.raises(KmsDeniedError):
        aws.kms().check()


@pytest.mark.parametrize("named", ["in the settings", "in the environment"])
def test_a_google_service_account_needs_no_token_request(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    account = {
        "type": "service_account", "client_email": "signer@acme.iam.gserviceaccount.com",
        "private_key": key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode(),
    }  # fmt: skip
    file = tmp_path / "account.json"
    section = GcpSection(key=GCP_KEY)
    if named == "in the settings":
        section = GcpSection(key=GCP_KEY, credentials_file=file)
    else:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    headers: dict[str, str] = {}
    with failing_service() as (address, asked):
        file.write_text(json.dumps(account | {"token_uri": address}))
        credentials = gcp_credentials(section)
        AuthMetadataPlugin(credentials, Request())  # the form that the SDK's channel takes
        credentials.before_request(Request(), "POST", "https://cloudkms.googleapis.com/", headers)
    assert headers["authorization"].startswith("Bearer ey")
    assert asked == []


def test_azure_denies_a_wrong_token(azure: AzureRig, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("of somebody else")
    section = azure.settings(azure.key, None).azure
    assert section is not None
    other = section.model_copy(update={"token_file": token})
    with pytest.raises(KmsDeniedError):
        providers(KmsSettings(azure=other))["azure"]().check()


def test_a_failing_identity_service_of_a_machine_is_called_once(
    azure: AzureRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default Azure's client retries for over a minute, in the thread of one call."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "managedidentitycredential")
    section = azure.settings(azure.key, None).azure
    assert section is not None
    section = section.model_copy(update={"token_file": None})
    with failing_service() as (address, asked):
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", address)
        keys, _ = azure_clients(section)
        with pytest.raises(ClientAuthenticationError):
            keys.get_key("root")
    assert len(asked) == 1
