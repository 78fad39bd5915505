"""The OpenID provider: where to sign in, and what it says of those who did.

Source: OpenID Connect Core 1.0, "Authentication using the Authorization Code Flow", with PKCE (RFC 7636).
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote_plus, urlencode
from urllib.request import Request, urlopen

import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from background_jobs.core.sign_in import SignInAttempt

_SECONDS: Final = 10.0
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Those whose keys are public; with the others, whoever may verify may also sign."""
_SCOPES: Final = ("openid", "email", "profile")
_CLOCKS_DIFFER_BY: Final = 60
"""Seconds by which the provider's clock may be off."""


class ProviderRefused(Exception):
    """The provider said no, or what it said cannot be believed; the message is for the log."""


class ProviderUnreachable(Exception):
    """The provider does not answer, or breaks its answer off."""


class Endpoints(BaseModel):
    """The provider's own description. Source: OpenID Connect Discovery 1.0."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    revocation_endpoint: str | None = None
    scopes_supported: tuple[str, ...] = ()


class Tokens(BaseModel):
    """What the provider gives for a code, or for a refresh token."""

    model_config = ConfigDict(frozen=True)

    id_token: str = ""
    refresh_token: str = ""
    """A new one takes the place of the old one; empty where that one goes on, or where there is none."""


class Client(BaseModel):
    """This API, as the provider knows it."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    client_id: str
    redirect_uri: str
    signed_out_uri: str
    """Where the provider sends a browser after it was signed out there, too."""


class Provider:
    """Asks one provider; what it tells of itself, and its keys, are asked for when first needed."""

    def __init__(self, client: Client, read_secret: Callable[[], str] | None = None) -> None:
        self._client = client
        self._read_secret = read_secret

    def authorization_url(self, attempt: SignInAttempt) -> str:
        """Return where the browser signs in. Raises ProviderUnreachable."""
        offline = ("offline_access",) if "offline_access" in self._endpoints.scopes_supported else ()
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "scope": " ".join((*_SCOPES, *offline)),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.code_challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(self._endpoints.authorization_endpoint, query)

    def redeem(self, code: str, attempt: SignInAttempt) -> tuple[Mapping[str, Any], str]:
        """Return the verified claims of who signed in, and a refresh token, which may be empty.

        Raises ProviderRefused or ProviderUnreachable.
        """
        tokens = self._tokens(
            grant_type="authorization_code",
            code=code,
            redirect_uri=self._client.redirect_uri,
            code_verifier=attempt.code_verifier,
        )
        claims = self._verify(tokens.id_token)
        if not hmac.compare_digest(str(claims.get("nonce", "")), attempt.nonce):
            raise ProviderRefused("the ID token is of another attempt to sign in")
        return claims, tokens.refresh_token

    def refresh(self, refresh_token: str, subject: str) -> tuple[Mapping[str, Any], str]:
        """Return the claims of *subject* as they are now, and the refresh token to go on with.

        Raises ProviderRefused or ProviderUnreachable.
        """
        tokens = self._tokens(grant_type="refresh_token", refresh_token=refresh_token)
        if not tokens.id_token:
            raise ProviderRefused("it gives no ID token for a refresh token")
        claims = self._verify(tokens.id_token)
        if claims["sub"] != subject:
            raise ProviderRefused("the refreshed ID token is of somebody else")
        return claims, tokens.refresh_token or refresh_token

    def revoke(self, refresh_token: str) -> None:
        """Tell the provider that a refresh token is not used any more, if it wants to know."""
        if self._endpoints.revocation_endpoint:
            self._post(self._endpoints.revocation_endpoint, {"token": refresh_token})

    def sign_out_url(self) -> str | None:
        """Return where the browser ends its session with the provider; None where it does not say.

        Cognito has names of its own for what OpenID Connect RP-Initiated Logout calls otherwise.
        """
        if self._endpoints.end_session_endpoint is None:
            return None
        query = {
            "client_id": self._client.client_id,
            "post_logout_redirect_uri": self._client.signed_out_uri,
            "logout_uri": self._client.signed_out_uri,
        }
        return _with_query(self._endpoints.end_session_endpoint, query)

    @cached_property
    def _endpoints(self) -> Endpoints:
        url = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            found = Endpoints.model_validate_json(_send(Request(url)))  # noqa: S310 -- the settings take https only
        except (ValidationError, HTTPError) as other:
            raise ProviderUnreachable(f"{url} is no description of a provider") from other
        if found.issuer.rstrip("/") != self._client.issuer.rstrip("/"):
            raise ProviderUnreachable(f"{url} describes another issuer, {found.issuer}")
        return found

    @cached_property
    def _keys(self) -> jwt.PyJWKClient:
        """Return the provider's keys; a key that is not known yet is asked for, so they may change."""
        # Tokens come from the provider itself, so that nobody can make us ask for keys in vain.
        return jwt.PyJWKClient(self._endpoints.jwks_uri, timeout=_SECONDS, cooldown_duration=0)

    def _tokens(self, **form: str) -> Tokens:
        try:
            return Tokens.model_validate_json(self._post(self._endpoints.token_endpoint, form))
        except HTTPError as refused:
            with refused:
                raise ProviderRefused(f"{refused.code} {_error_in(refused.read())}") from refused
        except ValidationError as other:
            raise ProviderRefused("what it answers are no tokens") from other

    def _post(self, url: str, form: dict[str, str]) -> bytes:
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if self._read_secret is None:
            form = {**form, "client_id": self._client.client_id}
        request = Request(url, urlencode(form).encode(), headers)  # noqa: S310 -- the provider names it
        if self._read_secret is not None:
            pair = f"{quote_plus(self._client.client_id)}:{quote_plus(self._read_secret())}"
            basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
            request.add_unredirected_header("authorization", basic)  # where it is redirected to is another's
        return _send(request)

    def _find_key(self, id_token: str) -> jwt.PyJWK:
        """Return the key that *id_token* names; a provider with one key alone need name none.

        Source: OpenID Connect Core 1.0, section 10.1.
        """
        if "kid" in jwt.get_unverified_header(id_token):
            return self._keys.get_signing_key_from_jwt(id_token)
        keys = self._keys.get_jwk_set(refresh=True).keys
        if len(keys) != 1:
            raise ProviderRefused(f"its ID token names none of its {len(keys)} keys")
        return keys[0]

    def _verify(self, id_token: str) -> Mapping[str, Any]:
        """Return the claims of *id_token*, of this provider, for this client, and not expired."""
        try:
            key = self._find_key(id_token)
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=_ALGORITHMS,
                audience=self._client.client_id,
                issuer=self._endpoints.issuer,
                leeway=_CLOCKS_DIFFER_BY,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWKClientConnectionError as absent:
            raise ProviderUnreachable(str(absent)) from absent
        except jwt.PyJWTError as invalid:
            raise ProviderRefused(f"its ID token is not valid: {invalid}") from invalid
        if claims.get("azp", self._client.client_id) != self._client.client_id:
            raise ProviderRefused("its ID token is for another client")
        return claims


def _with_query(endpoint: str, query: dict[str, str]) -> str:
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def _send(request: Request) -> bytes:
    """Return the body of the answer. Raises ProviderUnreachable, or HTTPError for a refusal."""
    try:
        with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 -- addresses of the provider
            body: bytes = answer.read()
    except HTTPError:
        raise
    except (URLError, OSError, HTTPException) as absent:
        raise ProviderUnreachable(f"{request.full_url}: {absent}") from absent
    return body


def _error_in(body: bytes) -> str:
    """Return the provider's own word for a refusal (RFC 6749, 5.2); the rest may have what is secret."""
    try:
        return str(json.loads(body).get("error", ""))[:100]
    except (ValueError, AttributeError):
        return ""
