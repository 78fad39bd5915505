"""The page of the API: it shows each route and each schema, with a mouse, a keyboard, a phone, and read aloud."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from background_jobs.progress_api.document import published_document


@pytest.fixture
def reference(url: str) -> str:
    return f"{url}docs"


def test_every_route_and_schema_is_on_the_page(open_page: Callable[..., Page], reference: str) -> None:
    page = open_page(reference)
    document = published_document()
    names = {
        operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
    }
    schemas = {f"schema-{name}" for name in document["components"]["schemas"]}
    expect(page.locator("article[id]")).to_have_count(len(names | schemas))
    shown = page.locator("article[id]").evaluate_all("articles => articles.map(({ id }) => id)")
    assert set(shown) == names | schemas
    # and what one takes leads to its schema
    page.locator("#kick_off_job").get_by_role("link", name="KickOffBody").click()
    expect(page.locator("#schema-KickOffBody")).to_be_in_viewport()
    expect(page.locator("#schema-KickOffBody")).to_contain_text("parallelism")


def test_an_address_leads_to_a_route(open_page: Callable[..., Page], reference: str) -> None:
    page = open_page(f"{reference}#list_failures")
    expect(page.locator("#list_failures")).to_be_in_viewport()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_nothing_keeps_people_out_of_it_nor_is_it_wider_than_a_phone(
    open_page: Callable[..., Page], reference: str, colours: str
) -> None:
    page = open_page(reference, color_scheme=colours, viewport={"width": 390, "height": 844})
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")
    # Its articles are alike, and there are many: some of each kind stand for all.
    some = ["header", "h1", ".about", ".routes", "#kick_off_job", "#watch_with_token", "#schema-KickOffBody"]
    found = Axe().run(page, context={"include": [[part] for part in some]}).response["violations"]
    assert [violation["id"] for violation in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_an_api_that_does_not_answer_is_told(open_page: Callable[..., Page], reference: str) -> None:
    page = open_page("about:blank")
    page.route("**/openapi.json", lambda route: route.fulfill(status=503, json={}))
    page.goto(reference)
    expect(page.get_by_role("alert")).to_contain_text("cannot be read")
    expect(page.get_by_role("alert")).to_contain_text("503")
