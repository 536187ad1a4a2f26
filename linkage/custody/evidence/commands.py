"""Evidence on the command line: certificates of destruction and the ledger, each checkable offline (D9, D11)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkage.errors import CheckFailed, Misuse

if TYPE_CHECKING:
    from linkage.custody.evidence.certificate_check import Verdict

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]
PublicKey = Annotated[
    str | None, typer.Option(help="The signer's Ed25519 public key: a PEM file, or base64; else the one it carries")
]
WitnessKey = Annotated[str | None, typer.Option(help="The ledger witness's public key: a PEM file, or base64")]
ExportedLedger = Annotated[
    Path | None, typer.Argument(help="An exported ledger, to work offline; without it the register's own")
]


def certificate_show(
    holding: Annotated[str, typer.Argument(help="Holding or certificate id; or a saved certificate file")],
    html: Annotated[Path | None, typer.Option(help="Also write it as a page to read and to print")] = None,
    public_key: PublicKey = None,
    witness_key: WitnessKey = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the signed document, to save and to check")] = False,
) -> None:
    """Print a holding's certificate and check it. Exit 1 when it does not hold."""
    document = Path(holding).read_text(encoding="utf-8") if Path(holding).is_file() else _issued(holding)
    verdict = _checked(document, public_key, witness_key)
    if html is not None:
        from linkage.custody.evidence.certificate_page import render

        html.write_text(render(document, verdict), encoding="utf-8")
    typer.echo(document if as_json else json.dumps(verdict.told, indent=2))
    _conclude(verdict)


def certificate_verify(
    file: Annotated[Path, typer.Argument(help="A saved certificate (`linkage certificate HOLDING --json`)")],
    public_key: PublicKey = None,
    witness_key: WitnessKey = None,
    as_json: AsJson = False,
) -> None:
    """Check a saved certificate offline: signature, ledger proof, and that the proof is of this destruction.

    Exit 1 when it does not hold. Without the keys, those that it carries are believed.
    """
    try:
        document = file.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        raise Misuse(f"no such certificate file: {file.name}") from None
    verdict = _checked(document, public_key, witness_key)
    if as_json:
        typer.echo(json.dumps(verdict.as_json(), indent=2))
    _conclude(verdict)


def certificate_key(
    holder: Annotated[str, typer.Argument(help="authority, ons, dwp, moj, dfe or mhclg")],
) -> None:
    """Print the public key that the holder's verifier signs certificates with, as PEM, to hand to auditors."""
    from linkage.custody import keys
    from linkage.custody.evidence import public_keys

    verifier = f"verifier-{holder}"
    typer.echo(public_keys.pem(keys.service(verifier).public_key(f"sign-{verifier}")), nl=False)


def ledger_verify(
    file: Annotated[Path, typer.Argument(help="An exported ledger (.gz or not), or a saved proof")],
    checkpoint: Annotated[Path | None, typer.Option(help="The checkpoint as the witness kept it")] = None,
    public_key: PublicKey = None,
    as_json: AsJson = False,
) -> None:
    """Check an exported ledger offline: edits, other order, entries missing or added. Exit 1 when it does not hold.

    Given a proof that `prove` or `consistency` printed, checks that.
    """
    from linkage.custody.evidence import offline as evidence
    from linkage.custody.evidence import public_keys

    told = evidence.verify(file, checkpoint, public_keys.read(public_key))
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    elif told["kind"] == "ledger":
        typer.echo(
            f"{told['entries']} entries; the first {told['checked_to']} are those the witness signed at {told['at']}."
        )
    else:
        typer.echo(f"The {told['kind']} holds, under the witness's checkpoint of {told['entries']} entries.")
    if checkpoint is None:
        typer.echo("Without --checkpoint a shortened ledger that was exported anew cannot be told.", err=True)
    if public_key is None:
        typer.echo("Without --public-key the key inside the evidence is believed.", err=True)


def ledger_export(
    file: Annotated[Path, typer.Argument(help="Where to write it, one entry a line; gzipped when it ends in .gz")],
) -> None:
    """Export the ledger and the checkpoint it was signed under (`FILE.checkpoint.json`)."""
    from linkage.custody.evidence import ledger

    typer.echo(f"{ledger.export(file)} entries written to {file.name}", err=True)


def ledger_prove(
    entry: Annotated[int, typer.Option(help="Number of the entry, from 0")],
    file: ExportedLedger = None,
) -> None:
    """Print the proof, as JSON, that an entry is in the ledger; `linkage ledger verify` checks it offline."""
    from linkage.custody.evidence import ledger
    from linkage.custody.evidence import offline as evidence

    told = evidence.prove(file, entry) if file is not None else ledger.proof(entry)
    typer.echo(json.dumps(told, indent=2))


def ledger_consistency(
    old_checkpoint: Annotated[Path, typer.Argument(help="An earlier checkpoint, as the witness kept it")],
    file: ExportedLedger = None,
    public_key: PublicKey = None,
) -> None:
    """Prove that nothing was changed or removed since an earlier checkpoint. Exit 1 when something was.

    Prints the proof as JSON; `linkage ledger verify` checks it with neither the ledger nor the register.
    """
    from linkage.custody.evidence import checkpoint, ledger, public_keys
    from linkage.custody.evidence import offline as evidence

    key = public_keys.read(public_key)
    earlier = checkpoint.read(old_checkpoint).require_genuine(key)
    told = evidence.extend(earlier, file) if file is not None else ledger.consistency(earlier)
    typer.echo(json.dumps(told, indent=2))
    later = told["later"]["size"]
    if not evidence.only_grew(told, key):
        raise CheckFailed(f"D11: the ledger of {later} entries does NOT continue the one of {earlier.size}")
    typer.echo(f"The ledger only grew, from {earlier.size} to {later} entries.", err=True)


def ledger_key() -> None:
    """Print the public key that the witness signs checkpoints with, as PEM, to hand to auditors."""
    from linkage.custody.evidence import ledger, public_keys

    typer.echo(public_keys.pem(ledger.public_key()), nl=False)


def _issued(name: str) -> str:
    """The signed document of a holding, by its id or its certificate's."""
    from linkage.custody.register import Register

    wanted = name.replace("crt_", "hld_", 1)
    register = Register.open()
    state = register.get(wanted).state
    row = register.certificate(wanted)
    if row is None:
        raise CheckFailed(f"{wanted} has no certificate: it is {state}")
    return row.document


def _checked(document: str, public_key: str | None, witness_key: str | None) -> Verdict:
    from linkage.custody.evidence import certificate_check, public_keys

    return certificate_check.verify(document, public_keys.read(public_key), public_keys.read(witness_key))


def _conclude(verdict: Any) -> None:
    for check in verdict.checks:
        typer.echo(check.said, err=True)
    if not verdict.ok:
        raise typer.Exit(1)
