"""The DDL files, as text."""

import re

from streams.ledger.derived import expressions
from streams.ledger.migrations import migrations
from streams.ledger.ordering import LEDGER_TOPICS, PARTITION_ROWS


def test_numbers_follow_each_other() -> None:
    assert [migration.number for migration in migrations()] == [1, 2, 3, 4, 5]


def test_every_statement_can_be_repeated() -> None:
    for migration in migrations():
        for statement in migration.statements:
            assert "IF NOT EXISTS" in statement or "DROP VIEW IF EXISTS" in statement, statement


def test_verification_reads_every_stored_column_out_of_the_ddl() -> None:
    ddl = "".join(migration.sql for migration in migrations())
    stored = re.findall(r"^ {4}`?(\w+)`? [^\n]* MATERIALIZED ", ddl, re.MULTILINE)
    assert sorted(expressions().stored) == sorted(stored)
    assert expressions().hash.startswith("SHA256(")


def test_table_partitions_are_cut_where_batches_are() -> None:
    assert f"PARTITION BY intDiv(seq, {PARTITION_ROWS})" in migrations()[0].sql


def test_the_trail_knows_the_stages_in_their_order() -> None:
    (stages,) = re.findall(r"indexOf\(\[(.*?)\]", migrations()[1].sql)
    listed = re.findall(r"'(.*?)'", stages)
    order = [topic.value for topic in LEDGER_TOPICS]
    assert [topic for topic in order if topic in listed] == listed
