"""AWS KMS: what is only promised is never called done (D8), and no policy reaches further than it should (N11)."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from key_services import in_force
from kms_on_loopback import access_key, material_of, state_of

from linkage import settings
from linkage.custody import keys
from linkage.errors import CheckFailed

pytestmark = pytest.mark.servers

KEK = "dwp.20221031"


@pytest.fixture
def dwp(stack, monkeypatch, tmp_path):
    """DWP's key service at a fresh AWS KMS, with one key in use."""
    with in_force("aws-kms", monkeypatch, tmp_path):
        service = keys.service("dwp")
        service.make_kek(KEK)
        yield service


def raw(principal: str):
    """AWS's own client, to do as that principal what our adapter does not."""
    return boto3.client(
        "kms",
        endpoint_url=settings.load().kms_endpoint,
        region_name="eu-west-2",
        aws_access_key_id=access_key(principal),
        aws_secret_access_key="s",
    )


def key_id(principal: str = "dwp") -> str:
    return raw(principal).describe_key(KeyId="alias/linkage/dwp/20221031")["KeyMetadata"]["KeyId"]


def test_the_material_goes_at_once_and_the_rest_is_called_pending(dwp) -> None:
    """D8: what KMS still shows for seven days is said, and is not what opens anything."""
    dwp.destroy_key(KEK)
    assert (state_of(KEK), material_of(KEK), dwp.key_exists(KEK)) == ("PendingDeletion", None, False)
    assert "pending deletion at AWS KMS until" in str(dwp.remains(KEK))


def test_a_deletion_that_is_only_scheduled_is_no_destruction(dwp) -> None:
    """D8: it can be cancelled for seven days; the key counts as existing until its material is gone."""
    raw("dwp").schedule_key_deletion(KeyId=key_id(), PendingWindowInDays=7)
    assert material_of(KEK) is not None
    assert dwp.key_exists(KEK)
    dwp.destroy_key(KEK)
    assert (material_of(KEK), dwp.key_exists(KEK)) == (None, False)


def test_a_disabled_key_is_not_a_destroyed_one(dwp) -> None:
    """D8: it could be enabled again, so an attempt that fails proves nothing."""
    from moto.kms.models import kms_backends

    wrapped = dwp.wrap(KEK, b"k" * 32, "hld_a")
    kms_backends["123456789012"]["eu-west-2"].keys[key_id()].key_state = "Disabled"
    assert dwp.key_exists(KEK)
    with pytest.raises(CheckFailed, match="not destroyed") as told:
        dwp.unwrap(KEK, wrapped, "hld_a")
    assert not isinstance(told.value, keys.KeyGone)


@pytest.mark.parametrize("after", ["delete_imported_key_material", "tag_resource", "schedule_key_deletion"])
def test_a_destruction_that_died_half_way_is_completed(dwp, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """D7: killed behind any of its requests and run again, the material is gone and the key pending."""
    plain = dwp._client.meta.events

    class Died(BaseException):
        pass

    def die(**_: object) -> None:
        raise Died

    name = "".join(part.title() for part in after.split("_"))
    plain.register(f"after-call.kms.{name}", die)
    with pytest.raises(Died):
        dwp.destroy_key(KEK)
    plain.unregister(f"after-call.kms.{name}", die)
    dwp.destroy_key(KEK)
    assert (state_of(KEK), material_of(KEK), dwp.key_exists(KEK)) == ("PendingDeletion", None, False)


def test_a_destroyed_name_never_leads_to_a_key_again(dwp) -> None:
    dwp.destroy_key(KEK)
    for again in (lambda: dwp.make_kek(KEK), lambda: dwp.wrap(KEK, b"k" * 32, "hld_a")):
        with pytest.raises(keys.KeyGone):
            again()


def test_no_principal_renames_another_stores_key_to_reach_it(dwp) -> None:
    """N3: policies go by a key's name, so the name must not be for the taking."""
    wanted = {"TagKey": "linkage-name", "TagValue": "moj.20221031"}
    with pytest.raises(ClientError, match="AccessDenied"):
        raw("moj").tag_resource(KeyId=key_id(), Tags=[wanted])
    with pytest.raises(ClientError, match="AccessDenied"):
        raw("moj").create_alias(AliasName="alias/linkage/moj/x", TargetKeyId=key_id())
    with pytest.raises(ClientError, match="AccessDenied"):
        raw("moj").create_key(Origin="EXTERNAL", Tags=[{"TagKey": "linkage-name", "TagValue": "dwp.20221101"}])
    with pytest.raises(ClientError, match="AccessDenied"):
        raw("moj").delete_imported_key_material(KeyId=key_id())
