"""SoftHSM tokens in a folder: one per principal, as an HSM's administrator would make them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from linkage.stack.principals import Principal

LIBRARY = Path("/usr/lib/softhsm/libsofthsm2.so")
needs_softhsm = pytest.mark.skipif(
    not LIBRARY.exists() or shutil.which("softhsm2-util") is None,
    reason="SoftHSM is not installed here (Debian: apt install softhsm2); the HSM adapter is not tried",
)


def make_tokens(folder: Path, principals: tuple[Principal, ...]) -> tuple[Path, dict[str, str]]:
    """Make a token for each principal; returns SoftHSM's configuration file and the PINs by token label."""
    tokens, conf = folder / "tokens", folder / "softhsm2.conf"
    tokens.mkdir(mode=0o700)
    conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    pins = {principal.name: f"pin-of-{principal.name}" for principal in principals}
    for label, pin in pins.items():
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "so-pin", "--pin", pin],
            env={"SOFTHSM2_CONF": str(conf), "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
        )
    return conf, pins


def pins_of(principal: Principal, pins: dict[str, str]) -> dict[str, str]:
    """The PINs a principal is given: of its own token, and a verifier's of those it verifies (D7)."""
    return {label: pins[label] for label in (principal.name, *principal.verifies)}
