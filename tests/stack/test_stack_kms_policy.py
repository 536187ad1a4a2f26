"""The IAM policies for AWS KMS make the same promises as the key policies of OpenBao; no condition is forgotten."""

from __future__ import annotations

import json

import pytest

from linkage.stack import access, bao, kms_policy
from linkage.stack.principals import STORES, all_principals

BY_NAME = {principal.name: principal for principal in all_principals()}
_VERBS = {"Encrypt": "wrap", "Decrypt": "unwrap", "DescribeKey": "look", "DeleteImportedKeyMaterial": "destroy"}


def granted(name: str) -> access.Cells:
    """What the IAM policy of a principal grants on stores' keys, in the words of the access matrix."""
    cells: access.Cells = {}
    for statement in kms_policy.policy_of(BY_NAME[name])["Statement"]:
        like = statement.get("Condition", {}).get("StringLike", {}).get("aws:ResourceTag/linkage-name", "")
        store = like.removesuffix(".*")
        if store in STORES:
            verbs = {_VERBS[one] for action in statement["Action"] if (one := action.split(":")[1]) in _VERBS}
            cells[name, store] = cells.get((name, store), frozenset()) | verbs
    return {pair: verbs for pair, verbs in cells.items() if verbs}


@pytest.mark.parametrize("name", BY_NAME)
def test_the_iam_policy_grants_what_the_access_matrix_says(name: str) -> None:
    """N3, N11, N13: one matrix, whichever key service."""
    assert granted(name) == {pair: can for pair, can in access.load().keys.items() if pair[0] == name}


@pytest.mark.parametrize("name", BY_NAME)
def test_every_statement_is_bound_to_a_name(name: str) -> None:
    """N3: only an alias, which says its own name, needs no condition; nothing is granted on all keys, and no action is wild."""
    for statement in kms_policy.policy_of(BY_NAME[name])["Statement"]:
        assert not [action for action in statement["Action"] if "*" in action]
        if statement["Action"] == ["kms:CreateAlias"] and ":alias/linkage/" in statement["Resource"]:
            continue
        bound = statement["Condition"]["StringLike"]
        assert {key.split("/")[1] for key in bound} == {"linkage-name"}
        assert not [value for value in bound.values() if value.startswith("*")]


def test_openbao_and_kms_agree_about_the_root_and_snapshots() -> None:
    told = access.load()
    for name, principal in BY_NAME.items():
        paths = json.loads(bao.policy_of(principal))["path"]
        actions = [action for one in kms_policy.policy_of(principal)["Statement"] for action in one["Action"]]
        may = (name, "linkage root") in told.linkage_root
        assert any("hmac/linkage-root" in path for path in paths) == ("kms:GenerateMac" in actions) == may
        assert ("sys/storage/raft/snapshot" in paths) == ((name, "key service") in told.snapshots)
