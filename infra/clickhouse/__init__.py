"""DDL files and users of the ledger's ClickHouse server.

A ledger records the digest of every applied DDL file and refuses to start with another text. Never
change a released file, comments included: add a new one (``streams/ledger/migrations.py``).
"""
