"""What scopes and groups allow."""

import pytest

from background_jobs.core.access import Access, access_of

NOTHING: frozenset[str] = frozenset()
BILLING = frozenset({"billing"})


@pytest.mark.parametrize(
    ("granted", "access"),
    [
        ("background-jobs-prod/read", Access(None, NOTHING)),
        ("background-jobs-prod/write", Access(None, None)),
        ("background-jobs-prod.read/billing", Access(BILLING, NOTHING)),
        ("background-jobs-prod.write/billing", Access(BILLING, BILLING)),
    ],
)
def test_a_scope_allows_to_read_or_write_all_services_or_one(granted: str, access: Access) -> None:
    assert access_of([granted], "prod") == access


def test_what_is_granted_adds_up() -> None:
    access = access_of(["background-jobs-prod/read", "background-jobs-prod.write/billing"], "prod")
    assert (access.may_read("reports"), access.may_write("reports"), access.may_write("billing")) == (
        True,
        False,
        True,
    )


@pytest.mark.parametrize("other", ["bill", "billing-2", "Billing", "billing.read", "", "*"])
def test_a_service_of_a_similar_name_is_another_one(other: str) -> None:
    access = access_of(["background-jobs-prod.write/billing"], "prod")
    assert not access.may_read(other)
    assert not access.may_write(other)


@pytest.mark.parametrize(
    "granted",
    [
        # what every token for single services has beside their scopes
        "background-jobs-prod/services",
        # of other environments, one of which is named like what follows a dot
        "background-jobs-dev/write",
        "background-jobs-prod-read/billing",
        "background-jobs-prod.read",
        # in another spelling
        "background-jobs-PROD/write",
        "Background-jobs-prod.read/billing",
        "x/background-jobs-prod/write",
        "background-jobs-prod/write/billing",
        "background-jobs-prod/billing.write",
        "",
    ],
)
def test_all_other_names_allow_nothing(granted: str) -> None:
    assert access_of([granted], "prod").is_empty
