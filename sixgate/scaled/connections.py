"""From settings to Kafka and to the ledger's server."""

from sixgate.scaled.settings import ClickHouseSettings, KafkaSettings, TlsFiles
from streams.kafka.broker import Broker, Tls
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.engines import Server
from streams.ledger.engines import Tls as ServerTls


def broker(settings: KafkaSettings, client: str) -> Broker:
    """Return how to reach Kafka."""
    files = settings.tls
    tls = Tls(files.ca, files.certificate, files.key) if files else None
    return Broker(settings.servers, client, tls)


def clickhouse(settings: ClickHouseSettings) -> ClickHouse:
    """Connect to the ledger's server; raises ``LedgerUnavailable``, ``LedgerDenied``."""
    server = Server(
        settings.host,
        settings.port,
        settings.user,
        settings.password.get_secret_value(),
        _tls(settings.tls),
    )
    return ClickHouse.server(server, settings.database)


def _tls(files: TlsFiles | None) -> ServerTls | None:
    return ServerTls(files.ca, files.certificate, files.key) if files else None
