"""Attackers at the SQL prompt, on the real engine."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from schemas.ledger.audit import audited
from schemas.topics import Topic
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerUnavailableError, QueryRefusedError
from streams.ledger.query import Limits, ReadOnlySql
from tests.harness.broker.ledger_servers import as_user, granted_database
from tests.harness.builders.ledger import START_MS, Pipeline, engine, filled

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
VIEWS = (
    "ledger",
    "records",
    "decisions",
    "intents",
    "spend_by_agent_hour",
    "rejections_by_reason",
    "trail",
    "access_log",
)
LIMITS = Limits(rows_max=1000, memory_bytes_max=200_000_000)
HASTY = Limits(rows_max=1000, memory_bytes_max=200_000_000, time_s_max=1)
query_refused = partial(pytest.raises, QueryRefusedError)


@pytest.fixture(scope="module", params=["chdb", "server"])
def engines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ClickHouse, ClickHouse]]:
    """Yield a writer and a reader of the ledger; on a server, the read-only user."""
    if request.param == "chdb":
        with engine(tmp_path_factory.mktemp("ledger")) as fresh:
            yield (clickhouse := fresh()), clickhouse
    else:
        server = request.getfixturevalue("ledger_server")
        with granted_database(server) as admin:
            yield admin, ClickHouse.server(as_user(server, "ledger_reader"))


@pytest.fixture(scope="module")
def clickhouse(engines: tuple[ClickHouse, ClickHouse]) -> ClickHouse:
    admin, reader = engines
    pipeline = Pipeline()
    pipeline.run(200)
    refused = f"0x{'0d' * 32}"
    event = audited("record.refused", "x/0/0", refused, "no", actor="gates", at_ms=START_MS)
    pipeline.append(Topic.AUDIT, "", event.value)
    filled(admin, pipeline.records)
    return reader


@pytest.fixture(scope="module")
def sql(clickhouse: ClickHouse) -> Iterator[ReadOnlySql]:
    made = ReadOnlySql(clickhouse, LIMITS)
    yield made
    made.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM intents LIMIT 2",
        "select count() from ledger; ",
        "SELECT agent, sum(spent_wei) / 1e18 AS eth FROM spend_by_agent_hour GROUP BY agent -- top",
        "WITH x AS (SELECT agent, count() AS c FROM intents GROUP BY agent) SELECT * FROM x",
        "SELECT toStartOfHour(at) AS h, countIf(seq > 1), median(seq) FROM ledger GROUP BY h",
        "SELECT CASE WHEN reason = '' THEN 1 ELSE 2 END AS r, count() FROM intents GROUP BY r",
        "SELECT JSONExtractString(body, 'id'), formatReadableSize(seq) FROM ledger LIMIT 3",
        "SELECT row_number() OVER (PARTITION BY agent ORDER BY submitted_at) FROM intents LIMIT 2",
        "SELECT i.agent FROM intents AS i JOIN decisions AS d ON i.intent = d.intent LIMIT 1",
        "SELECT columns('a.*') APPLY(max) FROM intents",
        "SELECT arrayMap(x -> x + 1, [1, 2]), 1 IN (1, 2), 'a' LIKE 'b', toDate('2020-01-01')",
        "SELECT 1 UNION ALL SELECT 2",
        "SELECT max(submitted_at) - INTERVAL 1 DAY, anyLast(agent), now() FROM intents",
        "SELECT uniqExactIf(agent, chain_id = 8453), sumOrNullIf(value_wei, 0) FROM intents",
    ],
)
def test_an_analysts_query_runs(sql: ReadOnlySql, query: str) -> None:
    assert sql.run(query).rows


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_may_be_named(clickhouse: ClickHouse, sql: ReadOnlySql, view: str) -> None:
    described = clickhouse.rows(f"DESCRIBE TABLE {view}")
    columns = ", ".join(f"`{row[0]}`" for row in described)
    assert len(sql.run(f"SELECT {columns} FROM {view} LIMIT 1").columns) == len(described)  # noqa: S608 - names of our own


def test_hashes_come_as_hex_and_amounts_as_exact_integers(sql: ReadOnlySql) -> None:
    answer = sql.run("SELECT hash, toUInt256('1' || repeat('0', 70)) AS wei FROM ledger LIMIT 1")
    assert answer.columns == ("hash", "wei")
    assert answer.types == ("FixedString(32)", "UInt256")
    ((own, wei),) = answer.rows
    assert (own[:2], len(own), wei) == ("0x", 66, 10**70)


SECRET = "files-outside-are-not-read"  # noqa: S105 - what the attacks below try to read
READS = [
    "SELECT file('{file}')",
    "SELECT FILE('{file}')",
    "SELECT `file`('{file}')",
    "SELECT arrayMap(file, ['{file}'])",
    "SELECT arrayMap(x -> file(x), ['{file}'])",
    "WITH file AS f SELECT f('{file}')",
    "WITH x -> file(x) AS f SELECT f('{file}')",
    "SELECT * FROM file('{file}', 'LineAsString')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM `{file}`",
    "SELECT * FROM default.`{file}`",
    "SELECT 1 IN `{file}`",
    "SELECT columns('body') APPLY(file) FROM ledger",
    "SELECT columns('body') APPLY(x -> file('{file}')) FROM ledger LIMIT 1",
    "SELECT * REPLACE(file('{file}') AS body) FROM ledger LIMIT 1",
    "SELECT 1 FROM ledger WHERE body = file('{file}')",
    "SELECT 1 FROM ledger PREWHERE body = file('{file}')",
    "SELECT 1 FROM ledger ORDER BY file('{file}') LIMIT 1",
    "SELECT sum(seq) FROM ledger GROUP BY file('{file}')",
    "SELECT seq FROM ledger LIMIT 1 BY file('{file}')",
    "SELECT seq FROM ledger QUALIFY file('{file}') = ''",
    "SELECT count() OVER (PARTITION BY file('{file}')) FROM ledger",
    "SELECT count() OVER w FROM ledger WINDOW w AS (ORDER BY file('{file}'))",
    "SELECT 1 AS a ORDER BY a WITH FILL FROM 1 TO 3 INTERPOLATE (b AS file('{file}'))",
    "SELECT 1 FROM ledger AS a JOIN ledger AS b ON a.seq = b.seq AND file('{file}') = ''",
    "SELECT 1 FROM ledger ARRAY JOIN [file('{file}')] AS x",
    "SELECT (SELECT file('{file}'))",
    "SELECT 1 WHERE EXISTS (SELECT file('{file}'))",
    "SELECT 1 UNION ALL SELECT length(file('{file}'))",
    "SELECT 1 INTERSECT SELECT length(file('{file}'))",
    "WITH RECURSIVE r AS (SELECT file('{file}') AS n UNION ALL SELECT n FROM r) SELECT * FROM r",
    "SELECT * FROM view(SELECT file('{file}'))",
    "SELECT sumIf(1, file('{file}') = '')",
    "SELECT if(1, file('{file}'), '')",
    "SELECT CASE WHEN 1 THEN file('{file}') END",
    "SELECT [file('{file}')][1], (file('{file}'),).1",
    "SELECT dictGetString('{file}', 'a', 1)",
    "SELECT * FROM s3('{file}')",
]


@pytest.mark.parametrize("query", READS)
def test_no_file_is_read(sql: ReadOnlySql, tmp_path: Path, query: str) -> None:
    file = tmp_path / "secret.txt"
    file.write_text(SECRET)
    try:
        answer = str(sql.run(query.replace("{file}", str(file))).rows)
    except QueryRefusedError as refused:
        answer = str(refused)
    assert SECRET not in answer


def test_the_engine_itself_would_read_it(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """The attack is real: read-only mode alone does not stop it."""
    file = tmp_path / "secret.txt"
    file.write_text(SECRET)
    read_only = clickhouse.new_connection({"readonly": 1} if clickhouse.in_process else {})
    assert read_only.rows(f"SELECT file('{file}')") == [(SECRET,)]
    read_only.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 INTO OUTFILE '{file}'",
        "SELECT 1 INTO OUTFILE '{file}' TRUNCATE FORMAT CSV",
        "(SELECT 1) INTO OUTFILE '{file}'",
        "INSERT INTO FUNCTION file('{file}', 'CSV', 'a Int8') VALUES (1)",
        "BACKUP TABLE ledger TO File('{file}')",
    ],
)
def test_no_file_is_written(sql: ReadOnlySql, tmp_path: Path, query: str) -> None:
    with query_refused():
        sql.run(query.replace("{file}", str(tmp_path / "out")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1; DROP TABLE ledger",
        "SELECT 1 -- \n; DROP TABLE ledger",
        "SELECT 1 /* ; */ ; DROP TABLE ledger",
        "SELECT 1;\x00DROP TABLE ledger",
        "DROP TABLE ledger",
        "TRUNCATE TABLE ledger",
        "DELETE FROM ledger WHERE 1",
        "ALTER TABLE ledger DELETE WHERE 1",
        "ALTER TABLE ledger UPDATE body = '' WHERE 1",
        "INSERT INTO ledger SELECT * FROM ledger",
        "CREATE TABLE stolen AS ledger",
        "CREATE TEMPORARY TABLE t (a Int8)",
        "CREATE FUNCTION f AS x -> file(x)",
        "DROP VIEW intents",
        "RENAME TABLE ledger TO other",
        "OPTIMIZE TABLE ledger",
        "SYSTEM STOP MERGES",
        "SYSTEM SHUTDOWN",
        "KILL QUERY WHERE 1",
        "DETACH TABLE ledger",
        "ATTACH DATABASE d",
        "EXPLAIN SELECT 1",
        "EXPLAIN AST SELECT 1; DROP TABLE ledger",
        "EXECUTE AS other SELECT 1",
        "SELECT 1 PARALLEL WITH SELECT 2",
    ],
)
def test_nothing_but_a_select_runs(clickhouse: ClickHouse, sql: ReadOnlySql, query: str) -> None:
    before = clickhouse.rows("SELECT count(), max(seq) FROM ledger")
    with query_refused():
        sql.run(query)
    assert clickhouse.rows("SELECT count(), max(seq) FROM ledger") == before


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM system.settings",
        "SELECT * FROM system.parts",
        "SELECT * FROM `system`.`tables`",
        "SELECT * FROM SYSTEM.tables",
        "SELECT 1 IN system.one",
        "SELECT 1 GLOBAL NOT IN system.one",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM INFORMATION_SCHEMA.TABLES",
        "SELECT * FROM merge('system', '.*')",
        "SELECT * FROM numbers(3)",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV')",
        "SELECT * FROM remote('127.0.0.1', system.one)",
        "SELECT * FROM cluster('c', system.one)",
        "SELECT * FROM mysql('h', 'd', 't', 'u', 'p')",
        "SELECT * FROM executable('id', 'CSV', 'a String')",
        "SELECT * FROM loop(ledger)",
        "SELECT * FROM (VALUES (1))",
        "VALUES (1)",
        "SELECT hasColumnInTable('system', 'one', 'dummy')",
        "SELECT joinGet('a', 'b', 1)",
        "SELECT currentUser(), hostName(), serverUUID()",
        "SELECT getSetting('readonly')",
        "SELECT getMacro('x')",
        "SELECT sleep(3)",
        "SELECT aiGenerate('x')",
        "SELECT catboostEvaluate('/m', 1)",
        "SHOW TABLES FROM system",
        "SHOW DATABASES",
        "DESCRIBE TABLE system.one",
        "DESCRIBE TABLE migrations",
        "DESCRIBE (SELECT file('/etc/passwd'))",
        "USE default",
        "SELECT {x:String}",
        "SELECT {x:Identifier} FROM {t:Identifier}",
    ],
)
def test_nothing_outside_the_ledger_is_reached(sql: ReadOnlySql, query: str) -> None:
    with query_refused():
        sql.run(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 SETTINGS max_execution_time = 1000",
        "SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)",
        "SELECT 1 UNION ALL SELECT 2 SETTINGS readonly = 0",
        "SET readonly = 0",
        "SET max_execution_time = 1000",
    ],
)
def test_the_limits_cannot_be_moved(sql: ReadOnlySql, query: str) -> None:
    with query_refused():
        sql.run(query)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT * FROM ledger", "max rows"),
        (
            "SELECT groupArray(body) FROM ledger AS a, ledger AS b, ledger AS c",
            "emory limit|imeout",
        ),
        ("SELECT count() FROM ledger AS a, ledger AS b, ledger AS c, ledger AS d", "Timeout"),
        ("SELECT range(100000000)", "emory limit"),
        ("SELECT repeat('x', 1000000000)", "emory limit|Too large"),
        ("SELECT 1" + " + 1" * 20_000, "longer than|too deep"),
        ("SELECT " + "(" * 5_000 + "1" + ")" * 5_000, "parse depth"),
        ("SELECT '" + "x" * 70_000 + "'", "longer than 65536 bytes"),
        (
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
            "recursive|Timeout|max rows",
        ),
    ],
)
def test_memory_time_rows_are_bounded(clickhouse: ClickHouse, query: str, reason: str) -> None:
    limits = HASTY if "imeout" in reason else LIMITS  # on a busy machine every query is slow
    with closing(ReadOnlySql(clickhouse, limits)) as own, query_refused(match=reason):
        own.run(query)


def test_an_analyst_can_look_around(sql: ReadOnlySql) -> None:
    assert sorted(name for (name,) in sql.run("show tables;").rows) == sorted(VIEWS)
    for table in VIEWS:
        described = [row[0] for row in sql.run(f"DESCRIBE TABLE {table}").rows]
        assert described == [row[0] for row in sql.run(f"show columns from `{table}`").rows]


def test_the_page_has_every_table_and_column(sql: ReadOnlySql) -> None:
    part = PAGE.read_text().split("## Tables and views\n")[1].split("\n## ")[0]
    documented = {
        table: re.findall(r"`(\w+)`", cells)
        for table, cells in re.findall(r"^\| `(\w+)` \|[^|]*\| (.*) \|$", part, re.MULTILINE)
    }
    real = {table: [row[0] for row in sql.run(f"DESCRIBE {table}").rows] for table in VIEWS}
    assert documented == real


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "Empty query"),
        ("-- nothing", "Empty query"),
        ("selct 1", "Syntax error: failed at position 7"),
        ("SELECT 'a", "quoted string is not closed"),
        ("SELECT nope FROM ledger", r"column nope\b.* ledger has seq, prev_hash, "),
        ("SELECT * FROM nope", r"table nope\b.* access_log, decisions, intents"),
        ("SELECT i.nope FROM intents AS i", r"column i\.nope\b.* intents has intent, "),
        ("DESCRIBE nope", r"table nope\b.* access_log, decisions, intents"),
        ("SHOW CREATE TABLE intents", "Only SELECT, SHOW TABLES"),
        ("SELECT {a:String}", "parameter in braces"),
        ("SELECT toUInt8('x')", "Cannot parse"),
    ],
)
def test_a_mistake_is_reported_in_one_sentence(sql: ReadOnlySql, query: str, reason: str) -> None:
    with query_refused(match=reason) as refused:
        sql.run(query)
    said = str(refused.value)
    assert not any(raw in said for raw in ("\n", "DB::Exception", "parseQueryToJSON"))
    assert len(said) < 400


@pytest.mark.parametrize(
    "text", ["a\tb\nc", "it's", "\\", "a\\nb", "é🔑", "{a:String}", "%(x)s", "%s", "$1", '"`']
)
def test_text_reaches_the_parser_as_it_was_typed(clickhouse: ClickHouse, text: str) -> None:
    assert clickhouse.rows("SELECT {q:String}", {"q": text}) == [(text,)]


def test_the_connection_is_read_only_even_without_the_sql_check(sql: ReadOnlySql) -> None:
    connection = sql._connection  # noqa: SLF001 - tests the connection without the SQL check
    for command in ("CREATE TABLE t (a Int8) ENGINE=Log", "DROP TABLE ledger", "SET readonly=0"):
        with pytest.raises(LedgerUnavailableError, match=r"readonly|read-only|privileges"):
            connection.command(command)


def test_several_threads_can_query(clickhouse: ClickHouse) -> None:
    answers: list[int] = []

    def ask() -> None:
        own = ReadOnlySql(clickhouse, LIMITS)
        answers.extend(own.run("SELECT count() FROM intents").rows[0][0] for _ in range(5))
        own.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [200] * 20


@pytest.mark.parametrize(
    "settings", [{}, {"max_result_rows": 1000, "result_overflow_mode": "throw"}]
)
def test_a_response_never_contains_rows_of_a_failed_query(
    clickhouse: ClickHouse, settings: dict[str, int | str]
) -> None:
    """The engine would keep it and prepend it to the connection's next response."""
    endless = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r"
    connection = clickhouse.new_connection(settings)
    for failing in (endless, "SELECT throwIf(number = 900000), number FROM numbers(1000000)"):
        with pytest.raises(LedgerUnavailableError):
            connection.rows(failing)
        assert connection.rows("SELECT 7") == [(7,)]
    connection.close()


def test_the_limits_hold_on_the_connection_that_follows_a_failure(sql: ReadOnlySql) -> None:
    for _ in range(2):
        with query_refused(match="max rows"):
            sql.run("SELECT * FROM ledger")
        with pytest.raises(LedgerUnavailableError, match=r"readonly|privileges"):
            sql._connection.command("DROP TABLE ledger")  # noqa: SLF001 - the inner wall
