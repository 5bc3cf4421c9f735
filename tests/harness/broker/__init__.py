"""Real Kafka and ClickHouse servers, proxies for them, and writers of hostile records."""
