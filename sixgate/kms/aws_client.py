"""AWS's client of KMS, made from settings."""

from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from sixgate.errors import SettingsError
from sixgate.settings.kms import AwsSection


def aws_client(section: AwsSection) -> Any:
    """Return a client that asks once; raises ``SettingsError`` where it cannot be made.

    Where it asks, the settings alone say: AWS's own variables could name an endpoint without TLS,
    and a proxy's would carry keys off this machine that were to stay on its loopback.
    """
    limits = section.limits()
    session = botocore.session.Session()
    # For every client of the session: credentials may come from another service of AWS's.
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
        pass  # told below, without what the library quotes
    raise SettingsError(
        "kms.aws: AWS's own library refuses what it is told: set region, endpoint and "
        "credentials_file, and see that AWS_PROFILE names a profile that is there"
    )
