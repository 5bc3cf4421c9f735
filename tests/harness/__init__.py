"""Code that tests share. Start here.

- ``broker``: real Kafka and ClickHouse servers, proxies that drop responses, hostile writers.
- ``pipeline``: organisations and their processes, embedded and on Kafka: start, kill, stop, wait.
- ``cli``: the ``sixgate`` command, in this process, forked, or as a new interpreter.
- ``judge``: recomputes every promise from topics and ledger alone, with independent libraries.
- ``builders``: valid objects of every kind; a test changes one field.
- ``kms``: stand-ins of three clouds' KMSs (``make peers`` runs them).
- ``webhooks``: receivers of webhooks, friendly and hostile, and what delivers to them.
- ``sizes``: numbers of repetitions, small in ``make test`` and large in ``make soak``.

Fixtures: ``folder`` and ``trader`` (embedded), ``scaled`` and ``scaled_with_ledger`` (an
organisation on Kafka, not yet started), ``kafka`` (the worker's broker). A test that kills the
signer::

    def test_a_killed_signer_signs_nothing_twice(scaled: Scaled, trader: Producer) -> None:
        scaled.start_all()
        scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, trader.signed("one"))])
        scaled.kill("signer")
        scaled.start("signer")
        scaled.settle(all_ended)
        check(on_kafka(scaled.broker), settled=True)  # promises 2, 3 and 4

To kill a process at one exact request, see ``broker/kafka_proxy`` and
``tests/faults/test_uncommitted_reads.py``.
"""
