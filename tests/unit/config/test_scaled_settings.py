"""Settings of scaled processes from file and environment."""

import re
from pathlib import Path

import pytest

from sixgate.config.process_settings import Settings, load_settings
from sixgate.config.sections import ClickHouseSettings
from sixgate.config.signer import SharedSettings, SignerSettings, load_signer_settings
from sixgate.errors import SettingsError
from sixgate.services.signer import SignerProcess
from tests.harness.builders.pages import PAGES
from tests.harness.pipeline.embedded import make_folder
from tools.local.certificates import Authority

SECRET = "correct horse"  # noqa: S105 - a test's


PYDANTIC = r"Value error|should|Extra inputs|Field required"


def written(folder: Path, text: str) -> Path:
    file = folder / "ledger.toml"
    file.write_text(text)
    return file


def test_the_defaults_are_loopback() -> None:
    settings = load_settings(None)
    assert settings.clickhouse.server().host == "127.0.0.1"
    with pytest.raises(SettingsError, match=r"\[ledger\]"):
        settings.ledger_section()


def test_the_environment_overrides_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(
        tmp_path,
        '[clickhouse]\nport = 9000\nuser = "a"\n'
        '[ledger]\norg = "acme"\nkey = "k.pem"\nheads = "h.jsonl"\n[gates]\ninstance = "x"\n',
    )
    monkeypatch.setenv("SIXGATE_CLICKHOUSE__USER", "b")
    monkeypatch.setenv("SIXGATE_CLICKHOUSE__PASSWORD", SECRET)
    settings = load_settings(file)
    server = settings.clickhouse.server()
    assert (server.port, server.user, server.password) == (9000, "b", SECRET)
    assert settings.ledger_section().org == "acme"
    assert SECRET not in repr(settings) + str(settings.model_dump(mode="json")) + repr(server)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[clickhouse", "TOML"),
        ('[clickhouse]\npassword = "x"', "password.*SIXGATE_CLICKHOUSE__PASSWORD"),
        ("[clickhouse]\nport = 0", "clickhouse.port"),
        ("[clickhouse]\nportt = 1", "clickhouse.portt"),
        ('[clickhouse]\nhost = "db.example"', "clickhouse .*TLS"),
        ('[kafka]\nservers = "127.0.0.1:1,10.0.0.1:2"', "kafka .*TLS"),
        ('[clickhouse]\ndatabase = "a; DROP"', "clickhouse.database"),
        ('[ledger]\norg = "acme"', "ledger.key"),
        ("[gates]\nhead_wait_s_max = 16", "gates.head_wait_s_max"),
        ("[custody]\nhead_wait_s_max = 0", "custody.head_wait_s_max"),
    ],
)
def test_an_invalid_file_is_described_in_one_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence) as refused:
        load_settings(written(tmp_path, text))
    assert "\n" not in str(refused.value)
    assert not re.search(PYDANTIC, str(refused.value))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml .*No such file"):
        load_settings(tmp_path / "nowhere.toml")


def test_an_invalid_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIXGATE_CLICKHOUSE__PORT", SECRET)
    with pytest.raises(SettingsError, match=r"clickhouse\.port") as refused:
        load_settings(None)
    assert SECRET not in str(refused.value)


def test_other_machines_need_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "identities")
    own = authority.issue("gates")
    files = f'tls = {{ca = "{authority.file}", certificate = "{own}", key = "{own}"}}'
    file = written(
        tmp_path,
        f'[kafka]\nservers = "k.example:1"\n{files}\n[clickhouse]\nhost = "db.example"\n{files}\n',
    )
    settings = load_settings(file)
    tls = settings.clickhouse.server().tls
    assert tls is not None
    ours = str(own)
    assert tls.files() == {
        "ca_cert": str(authority.file),
        "client_cert": ours,
        "client_cert_key": ours,
    }
    assert settings.kafka.broker("tests").tls is not None
    own.unlink()
    with pytest.raises(SettingsError, match=r"own\.pem|together"):
        settings.kafka.broker("tests")


def test_a_password_may_be_in_a_private_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    settings = ClickHouseSettings(password_file=secret)
    secret.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        settings.server()
    secret.chmod(0o600)
    assert settings.server().password == "hunter2"  # noqa: S105 - made here
    assert "hunter2" not in repr(settings)
    secret.unlink()
    with pytest.raises(SettingsError, match="No such file"):
        settings.server()


def test_a_missing_slot_is_refused_before_the_start(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", [])
    settings = Settings(data=folder.path, signer=SignerSettings(slots="0-1"))
    with pytest.raises(SettingsError, match=r"slot 1: 4 partitions.*--slots"):
        SignerProcess(settings)


@pytest.mark.parametrize("slots", ["", "x", "0,", "0,,1", "3-1", "0,3-1", "-1", "99999", "٣"])
def test_malformed_slots_are_refused_in_settings_and_options(tmp_path: Path, slots: str) -> None:
    refused = r"signer\.slots .*0-3 or 0,2"
    with pytest.raises(SettingsError, match=refused):
        load_settings(written(tmp_path, f'[signer]\nslots = "{slots}"\n'))
    with pytest.raises(SettingsError, match=refused):
        load_signer_settings(None, slots)


def test_slots_on_the_command_line_change_nothing_else(tmp_path: Path) -> None:
    file = written(tmp_path, '[signer]\nslots = "0"\nhead_required = false\n')
    assert load_settings(None).signer.head_required
    assert load_settings(None).gates.head_required
    signer = load_signer_settings(file, "1-2").signer
    assert (signer.slot_numbers(), signer.head_required) == ([1, 2], False)
    assert signer.ledger_required


def test_a_signer_accepts_all_sections_of_a_shared_file_and_reads_only_its_own(
    tmp_path: Path,
) -> None:
    assert set(SharedSettings.model_fields) == set(Settings.model_fields)
    secret = f'[signer]\nslots = "3"\n[webhooks]\nany = "{SECRET}"\n'
    settings = load_signer_settings(written(tmp_path, secret), None)
    assert settings.signer.slot_numbers() == [3]
    assert SECRET not in repr(settings) + str(settings.model_dump(mode="json"))
    with pytest.raises(SettingsError, match="gatess"):
        load_signer_settings(written(tmp_path, '[gatess]\ninstance = "x"\n'), None)


DOCUMENTED = [
    (page.name, block)
    for page in PAGES
    for block in re.findall(r"(?s)```toml\n(.*?)```", page.read_text())
]


@pytest.mark.parametrize(("page", "block"), DOCUMENTED)
def test_the_settings_in_the_documentation_are_valid(page: str, block: str, tmp_path: Path) -> None:
    block = block.replace("0x…", f"0x{7:064x}")
    assert load_settings(written(tmp_path, block)), page
