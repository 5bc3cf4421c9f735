"""Real Kafka and ClickHouse servers on loopback, without Docker, for developers and tests."""
