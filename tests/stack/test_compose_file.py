"""docker-compose.yaml and the Dockerfile, property by property, as a container engine would read them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from linkage.settings import REPOSITORY
from linkage.stack import airflow_env, provision
from linkage.stack.principals import STORES

TEXT = (REPOSITORY / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
ONE_SHOT = {"prepare", "provision", "airflow-bootstrap"}
SERVERS = sorted(SERVICES.keys() - ONE_SHOT)
AIRFLOW = sorted(name for name in SERVICES if name.startswith("airflow-"))
# What the Compose specification allows in a service, of the keys used here or likely to be.
SERVICE_KEYS = {
    *("build", "cap_drop", "command", "depends_on", "entrypoint", "env_file", "environment", "healthcheck", "image"),
    *("networks", "ports", "read_only", "restart", "security_opt", "tmpfs", "user", "volumes"),
}


def asked(text: str) -> set[str]:
    """Variables that must be given."""
    return set(re.findall(r"\$\{(\w+):\?", text))


def test_its_shape_is_that_of_the_compose_specification() -> None:
    assert {key for key in COMPOSE if not key.startswith("x-")} == {"name", "services", "networks", "volumes"}
    for name, service in SERVICES.items():
        assert service.keys() <= SERVICE_KEYS, name
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        named = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert named <= COMPOSE["volumes"].keys()
        for other, condition in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert condition == {"condition": expected}, (name, other)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_image_is_pinned(service: str) -> None:
    """A version and a digest for foreign images; our own carries the project's version."""
    image = SERVICES[service]["image"]
    assert re.fullmatch(r"[\w/]+:\d[\w.\-]*@sha256:[0-9a-f]{64}|linkage:\d+\.\d+\.\d+", image)


def test_the_dockerfiles_base_is_pinned_and_packages_come_by_hash() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases
    assert all(re.fullmatch(r"\S+:3\.11\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base) for base in bases)
    assert "--require-hashes" in DOCKERFILE
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_nothing_runs_as_root_or_gains_rights(service: str) -> None:
    told = SERVICES[service]
    assert int(told["user"].split(":")[0]) > 0
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["read_only"] is True
    assert "privileged" not in told


@pytest.mark.parametrize("service", SERVERS)
def test_every_server_is_asked_how_it_is(service: str) -> None:
    check = SERVICES[service]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


def test_no_secret_has_a_default() -> None:
    """Every variable is required, except which site this is."""
    optional = set(re.findall(r"\$\{(\w+):-", TEXT)) | set(re.findall(r"\$\{(\w+)\}", TEXT))
    assert optional == {"LINKAGE_SITE"}
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|FERNET|JWT|SEAL|ACCESS_KEY|SIGNING|SQL_ALCHEMY_CONN|REGISTER_URL", name):
                assert asked(str(value)), name


def test_one_command_makes_every_secret_that_is_asked_for() -> None:
    made = runpy.run_path(str(REPOSITORY / "deploy" / "make_env.py"))["make"]()
    assert made.keys() == asked(TEXT)
    assert all(len(value) >= 32 for value in made.values())


def test_made_secrets_are_private_and_never_overwritten(tmp_path: Path) -> None:
    main = runpy.run_path(str(REPOSITORY / "deploy" / "make_env.py"))["main"]
    main(tmp_path / ".env")
    written = (tmp_path / ".env").read_text()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    with pytest.raises(SystemExit):
        main(tmp_path / ".env")
    assert (tmp_path / ".env").read_text() == written


@pytest.mark.parametrize("service", AIRFLOW)
def test_airflow_is_set_as_in_the_embedded_stack(service: str) -> None:
    """One file of shared settings, and exactly the per-deployment ones besides."""
    told = SERVICES[service]
    assert told["env_file"] == [str(airflow_env.SHARED_FILE.relative_to(REPOSITORY))]
    own = {name for name in told["environment"] if name.startswith("AIRFLOW_") and not name.startswith("AIRFLOW_UI_")}
    assert own == {*airflow_env.PLACES, *airflow_env.SECRETS}


def test_only_the_ui_is_published_and_only_on_loopback() -> None:
    """N11: stores, keys and databases answer on a network that leads nowhere."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"airflow-api-server": ["127.0.0.1:8080:8080"]}
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    outside = [name for name, service in SERVICES.items() if "outside" in service["networks"]]
    assert outside == [
        "airflow-api-server",
        "watchdog",
    ]  # the watchdog tells people, and holds no credentials of stores
    assert SERVICES["watchdog"]["volumes"] == ["watchdog:/var/lib/linkage/secrets"]


def test_prepare_writes_what_the_servers_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first container's step, run here: identities and key service configuration from the given secrets."""
    for variable in provision.GIVEN:
        monkeypatch.setenv(variable, f"{variable.lower()}-given")
    for folder in ("weed", "bao"):
        (tmp_path / folder).mkdir()
    provision.prepare(tmp_path)
    identities = yaml.safe_load((tmp_path / "weed" / "s3.json").read_text())["identities"]
    assert {one["name"] for one in identities} >= {*STORES, "witness", "stack"}
    assert identities[0]["credentials"] == [
        {"accessKey": "weed_admin_access_key-given", "secretKey": "weed_admin_secret_key-given"}
    ]
    configuration = yaml.safe_load((tmp_path / "bao" / "bao.json").read_text())
    assert configuration["seal"]["static"]["current_key"] == "bao_seal_key-given"
    assert configuration["listener"][0]["tcp"]["address"].endswith(":8200")


def test_the_watchdog_runs_outside_airflow() -> None:
    """D13."""
    command = " ".join(SERVICES["watchdog"]["command"])
    assert "linkage watchdog" in command
    assert "airflow" not in command
