"""Rows that no signed head vouches for."""

import pytest

from sixgate.api.operator.connection import connect
from sixgate.data_folder.folder import Folder
from streams.ledger.heads import HeadFile
from tests.harness.cli.clients import submit
from tests.harness.pipeline.embedded import Producer


def test_rows_that_no_head_vouches_for_are_counted_and_compared_with_the_log(
    folder: Folder, trader: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(folder.path) as api:
        submit(api, trader.signed("a"))
        (*_, done) = api.verify(head=None)
        assert done["verified"]["beyond_heads"] == 0
        monkeypatch.setattr(HeadFile, "heads", lambda _: iter(()))
        (*_, done) = api.verify(head=None)
    found = done["verified"]
    assert found["beyond_heads"] == found["beyond_heads_in_log"] == found["rows"] > 0
