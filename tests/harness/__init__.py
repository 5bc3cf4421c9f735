"""What tests share, in one package with five parts and the KMS stand-ins.

- ``broker``: real Kafka and ClickHouse servers, proxies that lose answers, and hostile writers.
- ``pipeline``: organisations and their processes, embedded and on Kafka: start, kill, stop, wait.
- ``cli``: the ``sixgate`` command, in this process or in one of its own.
- ``judge``: recomputes every promise from topics and ledger alone, with independent libraries.
- ``builders``: valid objects of every kind, to be changed in one member by a test.
- ``kms``: stand-ins of three clouds' KMSs (``make peers`` runs them).
- ``sizes``: how much a test does, in ``make test`` and in ``make soak``.

A test names its scenario in its own file; nothing here asserts what only one test needs.
"""
