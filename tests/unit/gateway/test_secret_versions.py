"""Terms of versions survive another writer that wanted the same number."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from sixgate.gateway.database import Database
from sixgate.gateway.secret_versions import SecretVersions, Terms

ONCE = Terms("vault", "db/password", 1, type="password", reads_max=1, created_by="user:alice")


def test_a_refused_version_leaves_the_terms_of_the_one_that_has_its_number(tmp_path: Path) -> None:
    """A gateway whose reads lag takes a number again; a secret could be read without its limits."""
    with closing(Database(tmp_path / "gateway.db")) as database:
        versions = SecretVersions(database)
        assert versions.put(ONCE) is None
        assert versions.count_read(ONCE)
        free = replace(ONCE, reads_max=None, created_by="user:bob")
        versions.restore(free, versions.put(free))
        assert versions.get("vault", "db/password", 1) == replace(ONCE, reads=1)
        assert not versions.count_read(ONCE)


def test_a_refused_version_leaves_no_terms_behind(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "gateway.db")) as database:
        versions = SecretVersions(database)
        versions.restore(ONCE, versions.put(ONCE))
        assert versions.get("vault", "db/password", 1) == Terms("vault", "db/password", 1)
