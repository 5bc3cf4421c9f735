"""Client of AWS KMS, made from settings."""

from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from sixgate.config.kms import AwsSection
from sixgate.errors import SettingsError


def aws_client(section: AwsSection) -> Any:
    """Return a client that does not retry; raises ``SettingsError`` if it cannot be made.

    Only the settings choose the endpoint: AWS's environment variables could name an endpoint
    without TLS, and proxy variables would send keys off this machine that must stay on loopback.
    """
    limits = section.limits()
    session = botocore.session.Session()
    # For every client of the session: credentials may come from another AWS service.
    session.set_default_client_config(
        Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=limits.connect_s_max,
            read_timeout=limits.call_s_max,
        )
    )
    if section.credentials_file is not None:
        session.set_config_variable("credentials_file", str(section.credentials_file))
    try:
        return boto3.session.Session(botocore_session=session).client(
            "kms",
            region_name=section.region_name,
            endpoint_url=section.endpoint,
            verify=str(section.ca) if section.ca else None,
            config=Config(
                max_pool_connections=limits.calls_max,
                ignore_configured_endpoint_urls=True,
                proxies={} if section.on_loopback else None,
            ),
        )
    except (BotoCoreError, ValueError, OSError):
        pass  # reported below, without the library's text
    raise SettingsError(
        "kms.aws: AWS's library rejects the settings: check region, endpoint and "
        "credentials_file, and that AWS_PROFILE names an existing profile"
    )
