"""The registry watch applies what it loads in any order of pages."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence

import pytest

from schemas.record import Record
from schemas.topics import Topic
from signer.core.registry.registry import Registry
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import REGISTRAR, Folder
from sixgate.data_folder.key_files import load_key_file
from sixgate.services.registry_heads import next_head
from streams.kafka.broker import Broker
from streams.kafka.registry_watch import RegistryWatch
from streams.log.sqlite import SqliteLog
from tests.harness.pipeline.embedded import make_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return make_folder(tmp_path_factory.mktemp("watch") / "data", [])


def is_fresh(folder: Folder, pages: Sequence[Sequence[Record]]) -> bool:
    async def given() -> AsyncIterator[Sequence[Record]]:
        for page in pages:
            yield page

    async def load() -> bool:
        watch = RegistryWatch(Broker("127.0.0.1:1", "test"), trust_root(folder), wall_ms, print)
        try:
            await watch.load(given())
            return watch.has_fresh_head()
        finally:
            await watch.__aexit__()  # its consumer was never started and must still be closed

    return asyncio.run(load())


def trust_root(folder: Folder) -> str:
    return folder.trust().trust_root


def test_a_head_counts_whichever_page_of_the_two_topics_comes_first(folder: Folder) -> None:
    inbox = SqliteLog(folder.inbox, folder.trust().partitions)
    records = list(inbox.scan(Topic.REGISTRY, 0))
    inbox.close()
    registry = Registry(trust_root(folder))
    for record in records:
        registry.apply(record.value)
    key = load_key_file(folder.key(REGISTRAR), REGISTRAR)
    head = next_head(key, registry, [], wall_ms())
    middle = len(records) // 2
    heads = [Record(Topic.REGISTRY_HEADS, 0, 0, "", head, 0)]
    for order in itertools.permutations([0, 1, 2]):
        if order.index(0) < order.index(1):  # registry records stay in their order
            pages = [records[:middle], records[middle:], heads]
            assert is_fresh(folder, [pages[number] for number in order]), order
