"""Tells a certificate that is not believed from a broker that is not there."""

import asyncio
import ssl
from contextlib import closing

from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaDeniedError, KafkaUnreachableError

ANSWER_S_MAX = 2.0


async def diagnose_tls(broker: Broker) -> None:
    """Raise ``KafkaDeniedError`` where it is TLS that keeps a broker from answering.

    aiokafka does not say. Who hangs up without an alert may go away: ``KafkaUnreachableError``.
    Where something else is wrong, nothing is raised.
    """
    if broker.tls is None:
        return
    server = broker.servers.split(",")[0]
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            await _greet(server, broker.tls.context())
    except ssl.SSLCertVerificationError as error:
        raise KafkaDeniedError(
            f"The certificate of {server} is not believed ({error.verify_message}): see that "
            f"{broker.tls.ca} is the authority of the brokers, and the address one they have."
        ) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, EOFError) as error:
        raise KafkaUnreachableError(
            f"{server} hangs up: it is being stopped, or it speaks no TLS, or does not take "
            f"{broker.tls.certificate}."
        ) from error
    except ssl.SSLError as error:
        raise KafkaDeniedError(
            f"{server} does not take our certificate: see that {broker.tls.certificate} is valid "
            "and of an authority that the brokers believe, and that they speak TLS there."
        ) from error
    except OSError:  # also TimeoutError: nobody is there, or it believes us and waits
        return


async def _greet(server: str, context: ssl.SSLContext) -> None:
    """Shake hands and listen: with TLS 1.3 a certificate is refused after the handshake."""
    host, _, port = server.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
    with closing(writer):
        await reader.readexactly(1)
