from pathlib import Path

from infra.kafka.__main__ import acls_yaml, topics_yaml

FILES = Path(__file__).parents[3] / "infra" / "kafka"


def test_the_topics_file_is_what_the_code_declares() -> None:
    assert (FILES / "topics.yaml").read_text() == topics_yaml()


def test_the_rights_file_is_what_the_code_declares() -> None:
    assert (FILES / "acls.yaml").read_text() == acls_yaml()
