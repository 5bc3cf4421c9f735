"""How long a ClickHouse server may take."""

# A server that hangs is given up after this long; a batch of the largest size takes a second.
ANSWER_S_MAX = 30
CONNECT_S_MAX = 5
