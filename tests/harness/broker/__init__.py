"""Real Kafka and ClickHouse servers, proxies before them, and writers of hostile records."""
