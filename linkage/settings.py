"""Where this deployment's stores are and which site it is: `LINKAGE_*` variables over the embedded stack's file."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parents[1]
Site = Literal["authority", "ons", "dwp", "moj", "dfe", "mhclg", "all"]


class Settings(BaseSettings):
    """The settings of one deployment; docs/settings.md is their table."""

    model_config = SettingsConfigDict(env_prefix="LINKAGE_", extra="ignore")

    home: Path = Field(REPOSITORY / ".sandbox", description="Where the embedded stack keeps its state")
    site: Site = Field("all", description="Which holder's DAGs this deployment loads; `all` is the sandbox")
    clock: Literal["real", "sandbox"] = Field(
        "real", description="`sandbox` follows the simulated clock; refused elsewhere"
    )
    policy_dir: Path = Field(REPOSITORY / "policy", description="The programme files")
    programme: str = Field("troubled_families_2015_2020", description="The evaluation programme this deployment serves")
    authority: str = Field(
        "", description="Which authority of the programme this deployment serves, by name; empty: the programme's own"
    )
    register_url: str = Field("", description="SQLAlchemy URL of the holdings register; SQLite under home when empty")
    s3_endpoint: str = Field("", description="Object store endpoint; empty means AWS")
    s3_region: str = Field("eu-west-2", description="Object store region")
    s3_replicas: str = Field(
        "",
        description="Further object stores that hold a copy of everything, `name=endpoint` separated by commas; the same "
        "buckets and credentials as the first",
    )
    s3_timeout_seconds: float = Field(60, gt=0, description="How long one answer of an object store may take")
    exchange_endpoint: str = Field(
        "",
        description="Object store with the inboxes and the directory that several organisations share; empty: the same "
        "as LINKAGE_S3_ENDPOINT",
    )
    trust_file: Path | None = Field(
        None,
        description="The other organisations' signing keys (TOML), as handed over in person; set, this deployment calls no "
        "key service but its own and seals for others by the directory",
    )
    keys: Literal["openbao", "aws-kms", "pkcs11"] = Field(
        "openbao", description="Key service: `openbao` (or Vault), `aws-kms`, or `pkcs11` (an HSM)"
    )
    keys_url: str = Field("http://127.0.0.1:8200", description="OpenBao or Vault address")
    kms_endpoint: str = Field("", description="AWS KMS endpoint; empty means AWS's own")
    kms_region: str = Field("eu-west-2", description="AWS KMS region")
    pkcs11_module: str = Field("", description="Path of the HSM's PKCS#11 library")
    secrets_dir: Path | None = Field(None, description="One `<principal>.json` of mode 600 each; default home/secrets")
    outbox_dir: Path | None = Field(
        None, description="One folder per feed where partners fetch errors.csv; default home/outbox"
    )
    landing_dir: Path | None = Field(
        None, description="One folder per feed where partners deliver; default home/landing"
    )
    bucket_feeds: str = Field(
        "",
        description="Feeds, separated by commas, whose partners deliver to the bucket `authority-landing` and fetch errors.csv "
        "from `authority-outbox`, each under its own prefix; the others use the folders",
    )
    weed_master_url: str = Field(
        "",
        description="SeaweedFS masters for the vacuum after destruction, those of replicas too, separated by commas; "
        "empty when not SeaweedFS",
    )
    derived_paths: str = Field(
        "",
        description="Files and folders where personal data must never come, separated by colons: logs of all services",
    )
    derived_database_url: str = Field(
        "", description="SQLAlchemy URL of Airflow's database, which is searched for identifiers but never written"
    )
    alert_email_to: str = Field("", description="Addresses that alerts go to, separated by commas; none when empty")
    alert_email_from: str = Field("linkage@localhost", description="Sender of alerts by e-mail")
    alert_smtp_url: str = Field(
        "", description="Mail server for alerts: `smtp://`, `smtp+starttls://` or `smtps://`, host, port"
    )
    alert_webhook_url: str = Field("", description="Where alerts are posted as JSON; nowhere when empty")
    alerts_dir: Path | None = Field(
        None, description="Where alerts are kept until every channel has taken them; default home/alerts"
    )
    sandbox_seed: int = Field(20221003, description="Seed of the synthetic population (sandbox only)")
    sandbox_families: int = Field(300, description="Families in the synthetic population (sandbox only)")

    @property
    def secrets(self) -> Path:
        """Folder of the principals' credentials."""
        return self.secrets_dir or self.home / "secrets"

    @property
    def outbox(self) -> Path:
        """Folder of the answers to partners: faults of their last delivery, without a value."""
        return self.outbox_dir or self.home / "outbox"

    @property
    def landing(self) -> Path:
        """Folder of the partners' landing areas."""
        return self.landing_dir or self.home / "landing"

    @property
    def by_bucket(self) -> frozenset[str]:
        """The feeds whose partners deliver to the landing bucket."""
        return frozenset(filter(None, (feed.strip() for feed in self.bucket_feeds.split(","))))

    @property
    def alerts(self) -> Path:
        """Folder of the alerts of the day and of those that nobody could be told yet."""
        return self.alerts_dir or self.home / "alerts"

    @property
    def register(self) -> str:
        """URL of the register in force."""
        return self.register_url or f"sqlite:///{self.home / 'register.sqlite'}"


def load() -> Settings:
    """The settings in force: environment first, then `<home>/stack.env` as written by the embedded stack.

    Kept as long as neither changes: the clock asks at every turn, and building them costs milliseconds. For the same reason
    only names are looked through, and links in the home's path are followed when something changed.
    """
    home = Path(os.environ.get("LINKAGE_HOME") or REPOSITORY / ".sandbox").absolute()
    told = frozenset((name, os.environ[name]) for name in os.environ if name[:8].upper() == "LINKAGE_")
    try:
        state = (home / "stack.env").stat()
    except FileNotFoundError:
        return _load(home, told, None)
    return _load(home, told, (state.st_mtime_ns, state.st_dev, state.st_ino))


@lru_cache(maxsize=32)
def _load(home: Path, _environment: frozenset[tuple[str, str]], stack_env: tuple[int, ...] | None) -> Settings:
    home = home.resolve()
    return Settings(_env_file=home / "stack.env" if stack_env else None, home=home)  # type: ignore[call-arg]
