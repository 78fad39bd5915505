"""An OpenID provider on this machine: its pages sign anybody in, and it can be told to lie.

It holds clients to the specification: PKCE, one use of each code, exact redirect URIs, and the secret of a
client that has one. Source: OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749, RFC 7009, RFC 7636.
"""

import base64
import hashlib
import html
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from background_jobs.progress_api.header_timeout import HeaderTimeoutProtocol

CLIENT_ID = "console"


@dataclass
class Grant:
    """What somebody allowed at the provider's page."""

    subject: str
    nonce: str
    challenge: str
    redirect_uri: str


@dataclass
class OpenIDProvider:
    """The provider, its people, and what it is to do wrong."""

    redirect_uri: str = ""
    """The only one that the client has registered."""
    client_secret: str = ""
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The claims of each, by subject."""
    gives_refresh_tokens: bool = True
    lies: dict[str, Any] = field(default_factory=dict)
    """Claims that its ID tokens have in place of the true ones; None leaves one out."""
    algorithm: str = "RS256"
    names_keys: bool = True
    issuer: str = ""
    moved: bool = False
    """Whether what is asked for tokens is redirected."""
    redirected: list[dict[str, str]] = field(default_factory=list)
    """The headers of what followed the redirect."""
    revoked: list[str] = field(default_factory=list)
    refreshed: int = 0
    signed_out: int = 0

    def __post_init__(self) -> None:
        self.codes: dict[str, Grant] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.rotate()

    def begin_anew(self, people: dict[str, dict[str, Any]]) -> None:
        """Forget what was, and know *people*."""
        self.people, self.lies, self.algorithm = people, {}, "RS256"
        self.names_keys, self.moved, self.redirected = True, False, []
        self.client_secret, self.gives_refresh_tokens = "", True
        self.revoked, self.refreshed, self.signed_out = [], 0, 0

    def rotate(self) -> None:
        """Sign with a new key from now on, and forget the old one."""
        self.key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self.key_id = secrets.token_hex(4)

    def id_token(self, subject: str, nonce: str | None) -> str:
        """Return the ID token of *subject*."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "sub": subject, "iat": now, "exp": now + 3600}
        claims |= self.people[subject] | ({"nonce": nonce} if nonce else {}) | self.lies
        told = {name: value for name, value in claims.items() if value is not None}
        key: Any = "a secret that the client would have to know" if self.algorithm == "HS256" else self.key
        if self.algorithm == "none":
            key = None
        return jwt.encode(told, key, self.algorithm, headers=self._key_named())

    def _key_named(self) -> dict[str, str]:
        return {"kid": self.key_id} if self.names_keys else {}

    def app(self) -> FastAPI:
        """Return the provider as an application."""
        app = FastAPI()
        app.get("/.well-known/openid-configuration")(self._describe)
        app.get("/keys")(self._keys)
        app.get("/authorize")(self._authorize)
        app.post("/token")(self._token)
        app.get("/moved")(self._follow)
        app.post("/revoke")(self._revoke)
        app.get("/logout")(self._logout)
        return app

    def _describe(self) -> dict[str, Any]:
        names = {
            "authorization": "authorize",
            "token": "token",
            "end_session": "logout",
            "revocation": "revoke",
        }
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            "scopes_supported": ["openid", "email", "profile", "offline_access"],
            **{f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in names.items()},
        }

    def _keys(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "RS256"}]}

    def _authorize(self, request: Request, subject: str = "") -> Response:
        asked = dict(request.query_params)
        wanted: dict[str, str] = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": self.redirect_uri,
        }
        assert {name: asked[name] for name in wanted} == wanted
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        if not subject:
            return HTMLResponse(self._page(asked))
        if subject == "nobody":
            return self._back(error="access_denied", state=asked["state"])
        code = secrets.token_urlsafe(16)
        self.codes[code] = Grant(subject, asked["nonce"], asked["code_challenge"], asked["redirect_uri"])
        return self._back(code=code, state=asked["state"])

    def _back(self, **query: str) -> Response:
        return RedirectResponse(f"{self.redirect_uri}?{urlencode(query)}", 302)

    def _page(self, asked: dict[str, str]) -> str:
        fields = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in asked.items()
        )
        buttons = "".join(
            f'<button name="subject" value="{html.escape(name)}">{html.escape(name)}</button>'
            for name in (*self.people, "nobody")
        )
        return f"<!doctype html><title>Sign in</title><form action=authorize>{fields}{buttons}</form>"

    def _follow(self, request: Request) -> dict[str, Any]:
        self.redirected.append(dict(request.headers))
        return {}

    async def _token(self, request: Request) -> Response:
        if self.moved:
            return RedirectResponse("/moved", 302)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if not self._knows_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        if form["grant_type"] == "refresh_token":
            subject = self.refresh_tokens.pop(form["refresh_token"], None)
            self.refreshed += 1
            return self._tokens(subject, None) if subject in self.people else _refuse()
        grant = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if grant is None or (challenge, form["redirect_uri"]) != (grant.challenge, grant.redirect_uri):
            return _refuse()
        return self._tokens(grant.subject, grant.nonce)

    def _knows_client(self, request: Request, form: dict[str, str]) -> bool:
        if not self.client_secret:
            return form.get("client_id") == CLIENT_ID
        kind, _, pair = request.headers.get("authorization", "").partition(" ")
        known = tuple(map(unquote_plus, base64.b64decode(pair).decode().split(":")))
        return kind == "Basic" and known == (CLIENT_ID, self.client_secret)

    def _tokens(self, subject: str | None, nonce: str | None) -> Response:
        assert subject is not None
        tokens: dict[str, Any] = {
            "access_token": secrets.token_urlsafe(8),
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        tokens["id_token"] = self.id_token(subject, nonce)
        if self.gives_refresh_tokens:
            tokens["refresh_token"] = secrets.token_urlsafe(48)
            self.refresh_tokens[tokens["refresh_token"]] = subject
        return JSONResponse(tokens, headers={"cache-control": "no-store"})

    async def _revoke(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        self.revoked += form["token"]
        return Response()

    def _logout(self, post_logout_redirect_uri: str) -> Response:
        self.signed_out += 1
        return RedirectResponse(post_logout_redirect_uri, 302)


def _refuse() -> Response:
    return JSONResponse({"error": "invalid_grant"}, 400)


@contextmanager
def serving(app: Any, listener: socket.socket, **options: Any) -> Iterator[None]:
    """Serve *app* on *listener*, as the progress API is; *options* are those of uvicorn."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=HeaderTimeoutProtocol,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=1,
            **options,
        )
    )
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def running_provider(**fields: Any) -> Iterator[OpenIDProvider]:
    """Run a provider; *fields* are those of it."""
    provider = OpenIDProvider(**fields)
    listener = socket.create_server(("127.0.0.1", 0))
    provider.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with serving(provider.app(), listener):
        yield provider
