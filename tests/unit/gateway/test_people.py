"""People are found by name, so no two active ones have the same."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sixgate.gateway.database import Database
from sixgate.gateway.people import NameTakenError, People, Person


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    with closing(Database(tmp_path / "gateway" / "gateway.db")) as database:
        yield People(database)


def person(person_id: str, name: str) -> Person:
    return Person(person_id, name, None, "admin", 1, active=True)


@pytest.mark.parametrize("name", ["alice", "1"])
def test_a_name_that_already_finds_an_active_person_is_refused(people: People, name: str) -> None:
    people.add(person("1", "alice"))
    with pytest.raises(NameTakenError, match=f"{name} is the name .* sixgate people deactivate"):
        people.add(person("2", name))
    assert people.all() == [person("1", "alice")]


def test_the_name_of_an_inactive_person_is_free(people: People) -> None:
    people.add(person("1", "alice"))
    people.deactivate("1")
    people.add(person("2", "alice"))
    assert [one.id for one in people.all() if one.active] == ["2"]
