"""People sign in to the console, in a real browser and over TLS, at an OpenID provider that runs here."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Page, expect

from background_jobs import OrchestrationService
from background_jobs.core.sign_in import SESSION_LIFETIME, ClaimRules
from background_jobs.local_stack import LocalStack
from background_jobs.progress_api.app import create_app
from background_jobs.progress_api.sign_in.cookies import Cookies
from background_jobs.progress_api.sign_in.provider import Client, Provider
from background_jobs.progress_api.sign_in.routes import SignIn
from background_jobs.progress_api.sign_in.seals import Seals
from background_jobs.settings import ApiSettings, Authorization
from tests.openid_provider import CLIENT_ID, OpenIDProvider, running_provider, serving

PEOPLE: dict[str, dict[str, Any]] = {
    "ana": {"email": "ana@example.com", "email_verified": True, "groups": ["operators"]},
    "ben": {"email": "ben@example.com", "email_verified": True, "groups": ["readers"]},
    "cat": {"email": "cat@example.com", "email_verified": True, "groups": ["canteen"]},
}
OpenPage = Callable[..., Page]


@dataclass
class Team:
    """The console that a team has, the provider that knows its people, and the time."""

    url: str
    provider: OpenIDProvider
    ahead: timedelta = timedelta()

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def rules(self) -> ClaimRules:
        return ClaimRules(environment="local", readers="readers", operators="operators")


def sign_certificate(folder: Path) -> dict[str, str]:
    """Make a certificate of 127.0.0.1, as the options of uvicorn name one: a browser wants TLS for its cookies."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *private))
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    return {"ssl_keyfile": str(folder / "key.pem"), "ssl_certfile": str(folder / "certificate.pem")}


@pytest.fixture
def team(stack: LocalStack, tmp_path: Path) -> Iterator[Team]:
    listener = socket.create_server(("127.0.0.1", 0))
    below = f"https://127.0.0.1:{listener.getsockname()[1]}/web"
    with running_provider(redirect_uri=f"{below}/sign-in/callback", people=dict(PEOPLE)) as provider:
        team = Team(f"{below}/console", provider)
        client = Client(
            issuer=provider.issuer,
            client_id=CLIENT_ID,
            redirect_uri=provider.redirect_uri,
            signed_out_uri=team.url,
        )
        sign_in = SignIn(
            provider=Provider(client),
            rules=team.rules(),
            cookies=Cookies(Seals(lambda: "s" * 64)),
            console_url=team.url,
            clock=team.clock,
        )
        api = ApiSettings(allowed_hosts=("127.0.0.1",), authorization=Authorization.IAM)
        app = create_app(stack.settings, api, sign_in=sign_in)
        with serving(app, listener, **sign_certificate(tmp_path)):
            yield team


@pytest.fixture
def sign_in(team: Team, open_page: OpenPage) -> Callable[..., Page]:
    def sign_in(subject: str, place: str = "", **options: Any) -> Page:
        page = open_page(f"{team.url}{place}", ignore_https_errors=True, **options)
        page.get_by_role("link", name="Sign in").click()
        page.get_by_role("button", name=subject).click()
        return page

    return sign_in


def test_an_operator_signs_in_sees_acts_and_is_named_in_the_history(
    service: OrchestrationService, team: Team, sign_in: Callable[..., Page], gate: Path
) -> None:
    orchestration = service.kick_off_job("gated", [{"until": str(gate)}] * 4, parallelism=2)
    place = f"#/orchestrations/{orchestration.id}"
    page = sign_in("ana", place)
    # the browser is back where it was, and the page follows the stream
    page.wait_for_url(f"{team.url}{place}")
    expect(page.locator(".connection")).to_have_text("Live")
    expect(page.locator("#person")).to_contain_text("ana@example.com")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.locator(".connection")).to_have_text("Ended")
    page.reload()
    expect(page.locator(".overview-facts")).to_contain_text("cancelled by ana@example.com")
    assert page.evaluate("document.cookie") == "", "scripts see no cookie"


def test_a_reader_is_offered_no_change_and_refused_one(
    service: OrchestrationService, sign_in: Callable[..., Page], gate: Path
) -> None:
    orchestration = service.kick_off_job("gated", [{"until": str(gate)}] * 4, parallelism=2)
    page = sign_in("ben", f"#/orchestrations/{orchestration.id}")
    expect(page.locator("#person")).to_contain_text("Read only")
    expect(page.locator(".connection")).to_have_text("Live")
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_hidden()
    status = page.evaluate(
        """async (path) => (await fetch(path, {
            method: "POST", headers: {"content-type": "application/json", "x-background-jobs-console": "1"}, body: "{}",
        })).status""",
        f"orchestrations/{orchestration.id}/cancel",
    )
    assert status == 403
    assert orchestration.summary().cancelled_at is None


def test_who_is_in_no_group_is_told_what_to_do(sign_in: Callable[..., Page]) -> None:
    page = sign_in("cat")
    expect(page.get_by_role("alert")).to_contain_text("you are in no group that may look at this environment")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_a_session_goes_on_by_itself_until_the_provider_ends_it(
    team: Team, sign_in: Callable[..., Page]
) -> None:
    page = sign_in("ana")
    expect(page.locator("#person")).to_contain_text("ana@example.com")
    team.ahead = SESSION_LIFETIME
    with page.expect_response(lambda answer: answer.url.endswith("/session") and answer.status == 204):
        pass
    with page.expect_response(lambda answer: "/orchestrations" in answer.url and answer.status == 200):
        pass
    # when the provider knows her no more
    team.provider.people.clear()
    team.ahead *= 2
    expect(page.get_by_role("alert")).to_contain_text("Sign in to go on")


def test_signing_out_leaves_nothing_behind(team: Team, sign_in: Callable[..., Page]) -> None:
    page = sign_in("ana")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("alert")).to_contain_text("Sign in to go on")
    assert page.context.cookies() == []
    assert (team.provider.signed_out, len(team.provider.revoked)) == (1, 1)


FORGED = """async (address) => {
  const simple = {method: "POST", mode: "no-cors", credentials: "include", body: "{}"};
  await fetch(address, simple).catch(() => 0);
  await fetch(address, {...simple, mode: "cors", headers: {"x-background-jobs-console": "1"}}).catch(() => 0);
  const form = document.createElement("form");
  Object.assign(form, {method: "post", action: address, enctype: "text/plain"});
  document.body.append(form);
  form.submit();
}"""


def test_a_page_of_another_origin_changes_nothing_though_the_browser_sends_the_cookies(
    service: OrchestrationService, team: Team, sign_in: Callable[..., Page], gate: Path
) -> None:
    """Another port is the same site for a browser, so that SameSite alone would let it through."""
    orchestration = service.kick_off_job("gated", [{"until": str(gate)}] * 4, parallelism=2)
    page = sign_in("ana")
    expect(page.locator("#person")).to_contain_text("ana@example.com")
    evil = page.context.new_page()
    evil.route("https://127.0.0.1:9/", lambda route: route.fulfill(content_type="text/html", body="evil"))
    evil.goto("https://127.0.0.1:9/")
    address = f"{team.url.removesuffix('console')}orchestrations/{orchestration.id}/cancel"
    with evil.expect_request(address) as request:
        evil.evaluate(FORGED, address)
    assert "__Host-background-jobs-session" in request.value.all_headers()["cookie"]
    expect(evil.locator("body")).to_contain_text("ForeignOrigin")
    assert orchestration.summary().cancelled_at is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_people_sign_in(team: Team, open_page: OpenPage, scheme: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme, "ignore_https_errors": True}
    page = open_page(team.url, **phone)
    page.get_by_role("link", name="Sign in").wait_for()
    assert_accessible(page)
    page.goto(f"{team.url}#/signed-out?why=group")
    page.get_by_text("in no group").wait_for()
    assert_accessible(page)
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("button", name="ben").click()
    page.get_by_text("Read only").wait_for()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def assert_accessible(page: Page) -> None:
    results = Axe().run(page)
    page.evaluate("violations.length = 0")  # axe-core itself tries what the policy stops
    assert results.violations_count == 0, results.generate_report()
