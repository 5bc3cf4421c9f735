"""TLS diagnosis: distinguishes a rejected certificate from an unreachable broker."""

import asyncio
import ssl
from contextlib import closing

from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaDeniedError, KafkaUnreachableError

ANSWER_S_MAX = 2.0


async def diagnose_tls(broker: Broker) -> None:
    """Raise ``KafkaDeniedError`` if the TLS handshake with the broker fails.

    aiokafka does not report the cause. A broker that closes the connection without an alert may be
    shutting down: ``KafkaUnreachableError``. Other causes raise nothing.
    """
    if broker.tls is None:
        return
    server = broker.servers.split(",")[0]
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            await _handshake(server, broker.tls.context())
    except ssl.SSLCertVerificationError as error:
        raise KafkaDeniedError(
            f"The certificate of {server} is not trusted ({error.verify_message}): check that "
            f"{broker.tls.ca} is the CA of the brokers, and that the certificate names the address."
        ) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, EOFError) as error:
        raise KafkaUnreachableError(
            f"{server} closed the connection during the TLS handshake: it may be shutting down, "
            f"not use TLS, or reject {broker.tls.certificate}."
        ) from error
    except ssl.SSLError as error:
        raise KafkaDeniedError(
            f"{server} rejects our certificate: check that {broker.tls.certificate} is valid and "
            "signed by a CA that the brokers trust, and that they use TLS at this address."
        ) from error
    except OSError:  # no broker answers; or TimeoutError: it accepts us and waits for a request
        return


async def _handshake(server: str, context: ssl.SSLContext) -> None:
    """Complete the handshake, then read: TLS 1.3 servers reject a certificate after it."""
    host, _, port = server.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
    with closing(writer):
        await reader.readexactly(1)
