"""A new data folder is durable before its creation is reported."""

import os
import secrets
from pathlib import Path

import pytest

from sixgate.data_folder.creation import Founding, create


def test_everything_in_a_new_folder_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync = set(), os.fsync

    def watched(handle: int) -> None:
        fsync(handle)
        synced.add(os.fstat(handle).st_ino)

    monkeypatch.setattr(os, "fsync", watched)
    folder = create(tmp_path / "data", Founding("acme"), 1, secrets.token_bytes)
    ours = [tmp_path, folder.path, *folder.path.rglob("*")]
    # SQLite syncs its own file, and not through Python.
    assert [p for p in ours if p.stat().st_ino not in synced and p.suffix != ".db"] == []
