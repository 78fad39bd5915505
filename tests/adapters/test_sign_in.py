"""People sign in at a provider that runs here: what lets them in, what they may do, and who did what."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.secrets import Secrets
from background_jobs.aws.stores import Stores
from background_jobs.core.sign_in import LONGEST, SESSION_LIFETIME
from background_jobs.progress_api.app import create_app
from background_jobs.progress_api.sign_in.cookies import ATTEMPT, REFRESH, SESSION
from background_jobs.progress_api.sign_in.routes import SignIn
from background_jobs.settings import ApiSettings, Authorization, Settings, SignInSettings
from tests.openid_provider import CLIENT_ID, OpenIDProvider, running_provider

SITE = "https://testserver"
CONSOLE = f"{SITE}/web/console"
OWN = {"origin": SITE, "x-background-jobs-console": "1", "sec-fetch-site": "same-origin"}
ANA: dict[str, Any] = {"email": "ana@example.com", "email_verified": True, "groups": ["operators", "canteen"]}
BEN: dict[str, Any] = {"email": "ben@example.com", "email_verified": True, "groups": ["readers"]}
CAT: dict[str, Any] = {"email": "cat@example.com", "email_verified": True, "groups": ["canteen"]}
KICK_OFF = {"job_name": "halve", "params": [{"n": 2}]}


class Clock:
    """The time of the API, which a test can set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Api:
    """The API with a browser before it, which follows no redirect by itself."""

    browser: TestClient
    provider: OpenIDProvider
    clock: Clock

    def begin(self, place: str = "/") -> str:
        """Begin to sign in, and return the address at the provider."""
        answer = self.browser.get("/web/sign-in", params={"place": place})
        assert answer.status_code == 303
        return answer.headers["location"]

    def allow(self, address: str, subject: str) -> str:
        """Sign in at the provider, and return the address to which it leads back."""
        answer = httpx.get(f"{address}&subject={subject}")
        return answer.headers["location"].removeprefix(SITE)

    def sign_in(self, subject: str, place: str = "/") -> str:
        """Sign in, and return where the browser is then."""
        return self.browser.get(self.allow(self.begin(place), subject)).headers["location"]

    def error(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        answer = self.browser.request(method, path, **options)
        return answer.status_code, answer.json()["error"]


def make_secret(text: str) -> str:
    manager = clients.client_without_types("secretsmanager")
    return str(manager.create_secret(Name=f"test/{len(text)}", SecretString=text)["ARN"])


@pytest.fixture(scope="module")
def shared_provider() -> Iterator[OpenIDProvider]:
    with running_provider(redirect_uri=f"{SITE}/web/sign-in/callback") as provider:
        yield provider


@pytest.fixture
def provider(shared_provider: OpenIDProvider) -> OpenIDProvider:
    shared_provider.begin_anew({"ana": ANA, "ben": BEN, "cat": CAT})
    return shared_provider


def connect(settings: Settings, provider: OpenIDProvider, **more: str) -> Api:
    clock = Clock()
    people = SignInSettings(
        sign_in_issuer=provider.issuer,
        sign_in_client_id=CLIENT_ID,
        sign_in_session_secret=make_secret("s" * 64),
        sign_in_readers="readers",
        sign_in_operators="operators",
        console_url=CONSOLE,
    ).model_copy(update=more)
    secrets = Secrets(clients.client_without_types("secretsmanager"))
    sign_in = SignIn.of(people, settings.environment, secrets, clock=clock)
    api = ApiSettings(allowed_hosts=("testserver",), authorization=Authorization.IAM)
    app = create_app(settings.model_copy(update={"job_names": ("halve",)}), api, sign_in=sign_in)
    browser = TestClient(app, base_url=SITE, follow_redirects=False, raise_server_exceptions=False)
    return Api(browser, provider, clock)


@pytest.fixture
def api(settings: Settings, provider: OpenIDProvider) -> Api:
    return connect(settings, provider)


def test_somebody_who_signs_in_comes_back_to_where_they_were_and_is_known(api: Api) -> None:
    place = "/orchestrations/0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11?status=errored"
    assert api.sign_in("ana", place) == f"{CONSOLE}#{place}"
    caller = api.browser.get("/web/caller").json()
    assert (caller["name"], caller["writable"], caller["signs_in"]) == ("ana@example.com", None, True)
    assert api.browser.get("/web/orchestrations").status_code == 200


def test_cookies_are_out_of_reach_of_scripts_other_hosts_and_plain_http(api: Api) -> None:
    set_by = [api.browser.get("/web/sign-in"), api.browser.get(api.allow(api.begin(), "ana"))]
    cookies = [line for answer in set_by for line in answer.headers.get_list("set-cookie")]
    assert {line.split("=")[0] for line in cookies} == {ATTEMPT, SESSION, REFRESH}
    for line in cookies:
        assert line.startswith("__Host-")
        for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert attribute in line, line
        assert "Domain" not in line
        assert "ana" not in line, "what is in it is sealed"


ASKED = (
    ("GET", "/web/orchestrations"),
    ("GET", "/web/caller"),
    ("GET", "/web/openapi.json"),
    ("GET", "/web/docs"),
    ("GET", "/web/streams?token=x"),
    ("GET", "/web//orchestrations"),
    ("GET", "/web/%2e%2e/orchestrations"),
    ("GET", "/web/web/orchestrations"),
    ("POST", "/web/orchestrations"),
    ("PUT", "/web/schedules/nightly"),
)


def test_who_has_not_signed_in_is_asked_to(api: Api) -> None:
    for method, path in ASKED:
        headers = OWN if method != "GET" else {}
        assert api.error(method, path, headers=headers) == (401, "SignInRequired"), path


def test_the_page_is_there_before_somebody_signs_in_and_nothing_beside_it(api: Api) -> None:
    assert api.browser.get("/web/console").text == api.browser.get("/").text
    assert api.browser.get("/web/console/app.js").status_code == 200
    assert api.error("GET", "/web/console/%2e%2e/orchestrations") == (404, "NotFound")


def test_a_session_counts_for_browsers_only(api: Api) -> None:
    """The other routes are for callers that API Gateway has verified, and a cookie verifies nobody there."""
    api.sign_in("ana")
    assert api.error("GET", "/orchestrations") == (403, "NotAllowed")
    assert api.error("POST", "/orchestrations", json=KICK_OFF, headers=OWN) == (403, "NotAllowed")
    assert api.error("GET", "/streams?token=x")[0] == 401


def test_who_reads_may_change_nothing(api: Api) -> None:
    api.sign_in("ben")
    assert api.browser.get("/web/caller").json()["writable"] == []
    assert api.browser.get("/web/orchestrations").status_code == 200
    assert api.error("POST", "/web/orchestrations", json=KICK_OFF, headers=OWN) == (403, "NotAllowed")


def test_who_is_in_no_group_does_not_come_in(api: Api) -> None:
    assert api.sign_in("cat") == f"{CONSOLE}#/signed-out?why=group"
    assert SESSION not in api.browser.cookies


def test_a_group_for_one_service_allows_this_one(api: Api) -> None:
    api.provider.people["cat"] = CAT | {"groups": ["background-jobs-test.write/default"]}
    api.sign_in("cat")
    assert api.browser.post("/web/orchestrations", json=KICK_OFF, headers=OWN).status_code == 201
    elsewhere = KICK_OFF | {"service": "billing"}
    assert api.error("POST", "/web/orchestrations", json=elsewhere, headers=OWN)[0] == 403


def test_an_operator_of_many_services_stays_one_and_has_cookies_that_browsers_take(api: Api) -> None:
    """Fifty groups were kept by their order, without that of the operators; a browser drops more than 4 KB."""
    services = [f"background-jobs-test.write/{'s' * 36}{number:04}" for number in range(60)]
    api.provider.people["ana"] = ANA | {"groups": [*services, "operators"], "email": "é" * 300}
    api.sign_in("ana")
    assert api.browser.post("/web/orchestrations", json=KICK_OFF, headers=OWN).status_code == 201
    assert max(len(f"{name}={value}") for name, value in api.browser.cookies.items()) < 4_000


def test_the_history_tells_who_kicked_off_and_who_cancelled(
    api: Api, stores: Stores, service: OrchestrationService
) -> None:
    api.sign_in("ana")
    answer = api.browser.post("/web/orchestrations", json=KICK_OFF, headers=OWN)
    orchestration_id = answer.json()["orchestration_id"]
    api.provider.people["ben"] = BEN | {"groups": ["operators"]}
    api.sign_in("ben")
    path = f"/web/orchestrations/{orchestration_id}/cancel"
    assert api.browser.post(path, json={"reason": "wrong month"}, headers=OWN).status_code == 200
    cancelled = stores.event_log.read_cancelled(orchestration_id)
    assert stores.event_log.read_started(orchestration_id).by == "ana@example.com"
    assert cancelled is not None
    assert cancelled.by == "ben@example.com"
    details = [entry.detail for entry in service.orchestration(orchestration_id).event_history().timeline]
    assert details == [
        "1 instance of halve in 1 share, by ana@example.com",
        "wrong month, by ben@example.com",
    ]


def test_an_address_that_nobody_verified_is_no_name(api: Api) -> None:
    """Somebody could write the address of another into their own profile."""
    api.provider.people["ben"] = BEN | {"email": "ana@example.com", "email_verified": False}
    api.sign_in("ben")
    assert api.browser.get("/web/caller").json()["name"] == "ben"


FOREIGN: list[dict[str, str]] = [
    {},
    {"origin": SITE},
    {"x-background-jobs-console": "1"},
    OWN | {"origin": "https://evil.example"},
    OWN | {"origin": "null"},
    OWN | {"sec-fetch-site": "cross-site"},
    OWN | {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("path", ["/web/orchestrations", "/web/sign-out", "/web/caller"])
def test_another_site_changes_nothing_in_the_name_of_who_is_signed_in(api: Api, path: str) -> None:
    api.sign_in("ana")
    for headers in FOREIGN:
        assert api.error("POST", path, json=KICK_OFF, headers=headers) == (403, "ForeignOrigin"), headers
    assert api.browser.get("/web/orchestrations").json()["items"] == []
    assert api.browser.get("/web/caller").status_code == 200


def test_nobody_is_signed_in_as_another_by_a_link(api: Api, settings: Settings) -> None:
    """Login CSRF: somebody begins to sign in, and has another open the address that ends it."""
    link = api.allow(api.begin(), "ben")
    api.browser.cookies.clear()
    assert api.browser.get(link).headers["location"] == f"{CONSOLE}#/signed-out?why=attempt"
    api.begin()
    assert api.browser.get(link).headers["location"] == f"{CONSOLE}#/signed-out?why=attempt"
    assert SESSION not in api.browser.cookies


def test_an_attempt_is_over_after_ten_minutes(api: Api) -> None:
    link = api.allow(api.begin(), "ana")
    api.clock.ahead = timedelta(minutes=11)
    assert api.browser.get(link).headers["location"] == f"{CONSOLE}#/signed-out?why=attempt"


ELSEWHERE = (
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "/@evil",
    "javascript:alert(1)",
    "/a\nb",
)


def test_no_link_leads_to_another_site_after_signing_in(api: Api) -> None:
    for place in ELSEWHERE:
        where = urlsplit(api.sign_in("ana", place))
        assert f"{where.scheme}://{where.netloc}{where.path}" == CONSOLE, place
        assert where.fragment.startswith("/"), place


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (
            '/jobs/order?params={"customer":"a,b"}&tags=month=11',
            "/jobs/order?params=%7B%22customer%22:%22a,b%22%7D&tags=month=11",
        ),
        ("/?search=*(x)'!", "/?search=*(x)'!"),
        ("/?search=" + "x" * 1_400, "/?search=" + "x" * 1_400),
        ("/?search=" + "x" * 5_000, "/"),
    ],
)
def test_any_place_of_the_console_is_come_back_to(api: Api, place: str, where: str) -> None:
    """A link that fills in a form led to the list."""
    assert api.sign_in("ana", place) == f"{CONSOLE}#{where}"


def test_who_says_no_at_the_provider_is_told_so(api: Api) -> None:
    assert api.sign_in("nobody") == f"{CONSOLE}#/signed-out?why=denied"


LIES: list[dict[str, Any]] = [
    {"nonce": "of another attempt"},
    {"nonce": None},
    {"aud": "another client"},
    {"aud": ["console", "another"], "azp": "another"},
    {"iss": "https://evil.example"},
    {"exp": 1_000_000_000},
    {"exp": None},
    {"sub": None},
]


def test_an_id_token_that_is_for_another_lets_nobody_in(api: Api) -> None:
    for lie in LIES:
        api.provider.lies = lie
        assert api.sign_in("ana") == f"{CONSOLE}#/signed-out?why=denied", lie
    assert SESSION not in api.browser.cookies


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_an_id_token_that_anybody_could_have_signed_lets_nobody_in(api: Api, algorithm: str) -> None:
    api.provider.algorithm = algorithm
    assert api.sign_in("ana") == f"{CONSOLE}#/signed-out?why=denied"


def test_the_provider_may_change_its_key(api: Api) -> None:
    api.sign_in("ben")
    api.provider.rotate()
    assert api.sign_in("ana") == f"{CONSOLE}#/"
    assert api.browser.get("/web/caller").json()["name"] == "ana@example.com"


def test_a_provider_with_one_key_need_not_name_it(api: Api) -> None:
    api.provider.names_keys = False
    assert api.sign_in("ana") == f"{CONSOLE}#/"
    api.provider.rotate()
    assert api.sign_in("ben") == f"{CONSOLE}#/"


def test_a_session_expires_and_is_refreshed_with_the_groups_of_now(api: Api) -> None:
    api.sign_in("ana")
    api.clock.ahead = SESSION_LIFETIME
    assert api.error("GET", "/web/orchestrations") == (401, "SignInRequired")
    api.provider.people["ana"] = ANA | {"groups": ["readers"]}
    assert api.browser.post("/web/session", headers=OWN).status_code == 204
    assert api.browser.get("/web/caller").json()["writable"] == []
    assert api.browser.post("/web/session", headers=OWN).status_code == 204
    assert api.provider.refreshed == 1, "another tab refreshed it already"


@pytest.mark.parametrize("groups", [["canteen"], None])
def test_who_has_left_all_groups_is_out_when_the_session_is_refreshed(
    api: Api, groups: list[str] | None
) -> None:
    api.sign_in("ana")
    if groups is None:
        del api.provider.people["ana"]
    else:
        api.provider.people["ana"] = ANA | {"groups": groups}
    api.clock.ahead = SESSION_LIFETIME
    assert api.error("POST", "/web/session", headers=OWN) == (401, "SignInRequired")
    assert api.error("GET", "/web/orchestrations") == (401, "SignInRequired")


def test_after_half_a_day_somebody_signs_in_again(api: Api) -> None:
    api.sign_in("ana")
    api.clock.ahead = LONGEST
    assert api.error("POST", "/web/session", headers=OWN) == (401, "SignInRequired")
    assert api.provider.refreshed == 0


def test_a_refresh_that_nobody_answers_ends_no_session(settings: Settings) -> None:
    with running_provider(redirect_uri=f"{SITE}/web/sign-in/callback", people={"ana": ANA}) as provider:
        api = connect(settings, provider)
        api.sign_in("ana")
    api.clock.ahead = SESSION_LIFETIME
    assert api.error("POST", "/web/session", headers=OWN) == (503, "ProviderUnreachable")
    assert REFRESH in api.browser.cookies


def test_without_a_refresh_token_a_session_lasts_an_hour(api: Api) -> None:
    api.provider.gives_refresh_tokens = False
    api.sign_in("ana")
    api.clock.ahead = timedelta(minutes=59)
    assert api.browser.get("/web/caller").status_code == 200
    api.clock.ahead = timedelta(minutes=60)
    assert api.error("POST", "/web/session", headers=OWN) == (401, "SignInRequired")


def test_signing_out_ends_the_session_here_and_at_the_provider(api: Api) -> None:
    api.sign_in("ana")
    answer = api.browser.post("/web/sign-out", headers=OWN)
    assert answer.json()["continue_at"].startswith(f"{api.provider.issuer}/logout?")
    assert httpx.get(answer.json()["continue_at"]).headers["location"] == CONSOLE
    assert dict(api.browser.cookies) == {}
    assert len(api.provider.revoked) == 1
    assert api.error("GET", "/web/orchestrations") == (401, "SignInRequired")


@pytest.mark.parametrize("name", [SESSION, REFRESH])
def test_a_cookie_that_is_not_ours_is_none(api: Api, name: str) -> None:
    api.sign_in("ana")
    values = dict(api.browser.cookies)
    other = values[REFRESH if name == SESSION else SESSION]
    for value in ("", "x", values[name][:-4] + "AAAA", other):
        api.browser.cookies.clear()
        api.browser.cookies.set(name, value)
        assert api.error("GET", "/web/caller") == (401, "SignInRequired")
        assert api.error("POST", "/web/session", headers=OWN) == (401, "SignInRequired")


def test_a_client_may_have_a_secret(settings: Settings, provider: OpenIDProvider) -> None:
    provider.client_secret = "a secret: with/odd characters"
    with_secret = connect(settings, provider, sign_in_client_secret=make_secret(provider.client_secret))
    assert with_secret.sign_in("ana") == f"{CONSOLE}#/"


def test_a_redirect_of_the_provider_does_not_take_the_secret_along(
    settings: Settings, provider: OpenIDProvider
) -> None:
    provider.client_secret, provider.moved = "a secret", True
    with_secret = connect(settings, provider, sign_in_client_secret=make_secret(provider.client_secret))
    with_secret.sign_in("ana")
    (headers,) = provider.redirected
    assert "authorization" not in headers


def test_everybody_who_signs_in_may_read_where_the_environment_says_so(
    settings: Settings, provider: OpenIDProvider
) -> None:
    api = connect(settings, provider, sign_in_readers="*")
    api.sign_in("cat")
    assert api.browser.get("/web/caller").json()["writable"] == []


def test_while_the_provider_is_gone_the_console_says_so(settings: Settings) -> None:
    with running_provider(redirect_uri=f"{SITE}/web/sign-in/callback", people={"ana": ANA}) as provider:
        api = connect(settings, provider)
    assert api.begin() == f"{CONSOLE}#/signed-out?why=provider"


class BreaksOff(BaseHTTPRequestHandler):
    """Promise more than it sends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "100")
        self.end_headers()
        self.wfile.write(b"{")

    def log_message(self, *_: object) -> None:
        return


def test_while_the_provider_breaks_its_answers_off_the_console_says_so(
    settings: Settings, provider: OpenIDProvider
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BreaksOff) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        api = connect(settings, provider, sign_in_issuer=f"http://127.0.0.1:{server.server_port}")
        assert api.begin() == f"{CONSOLE}#/signed-out?why=provider"
        server.shutdown()


def test_answers_to_people_are_kept_in_no_store(api: Api) -> None:
    api.sign_in("ana")
    assert api.browser.get("/web/orchestrations").headers["cache-control"] == "no-store"
    assert api.browser.get("/web").headers["location"] == CONSOLE
