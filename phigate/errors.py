"""Every error that phigate raises on purpose, split by who must act.

    PhigateError
    ├── CallerError            the app must change its request
    │   ├── InvalidRequestError        400
    │   ├── AuthenticationError        401
    │   ├── RefusedError               403  policy says no; trying again changes nothing
    │   ├── NotServedError             404  a path or model that is not offered
    │   ├── TooLargeError              413
    │   └── TooManyRequestsError       429  the app's own limit
    ├── OperatorError          the hospital's staff must change a file, a key or a setting
    │   ├── SettingsError              start-up refused
    │   ├── PolicyFileError            a bundle cannot be used
    │   └── LedgerStateError           the ledger cannot be continued as it stands
    ├── PeerError              another machine must recover
    │   ├── UnavailableError           503  nothing was answered; a retry may help
    │   └── BadReplyError              502  an upstream answered something unusable
    └── VerificationError      evidence does not check; nobody may rely on it

Messages are lower case, say what was expected and what was found, and never hold text of a request or reply.
A class exists because somebody catches it or maps it to a status.
"""

from __future__ import annotations


class PhigateError(Exception):
    """Root of the tree. Its message is safe to show to the app and to log."""


class CallerError(PhigateError):
    """The app must change its request. ``code`` is a stable word, ``param`` the JSON Pointer or field at fault."""

    status = 400
    kind = "invalid_request_error"

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class InvalidRequestError(CallerError):
    """The body is not a request that this endpoint understands."""


class AuthenticationError(CallerError):
    """No app key, or one that is not known."""

    status = 401
    kind = "authentication_error"


class RefusedError(CallerError):
    """Policy lets this exchange go nowhere. Trying again changes nothing."""

    status = 403
    kind = "policy_refusal"


class NotServedError(CallerError):
    """A path or a model that this gateway does not offer."""

    status = 404
    kind = "not_found_error"


class TooLargeError(CallerError):
    """The request exceeds a limit on size, depth or parts."""

    status = 413


class TooManyRequestsError(CallerError):
    """The app used up its own share. ``retry_after_s`` seconds later it may have one again."""

    status = 429
    kind = "rate_limit_error"

    def __init__(self, message: str, *, code: str, retry_after_s: int) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class OperatorError(PhigateError):
    """The hospital's staff must change a file, a key or a setting."""


class SettingsError(OperatorError):
    """A setting is missing or wrong; the gateway does not start."""


class PolicyFileError(OperatorError):
    """A policy file cannot be used; the gateway will not load the bundle until it is fixed."""

    def __init__(self, problem: str, *, file: str, line: int, code: str = "PG001") -> None:
        super().__init__(f"{file}:{line}: {problem}")
        self.problem = problem
        self.file = file
        self.line = line
        self.code = code  # of the table in docs/policy.md
        self.more: tuple[PolicyFileError, ...] = ()  # further problems found in the same reading


class LedgerStateError(OperatorError):
    """The ledger does not continue what was signed before; nothing may be appended until somebody decides."""


class PeerError(PhigateError):
    """Another machine must recover. ``code`` is a stable word.

    ``sent`` is what left for an upstream before it failed: size and MAC, (0, b"") when nothing did, None when it is
    not known.
    """

    status = 503

    def __init__(
        self, message: str, *, code: str, retry_after_s: int = 1, sent: tuple[int, bytes] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s
        self.sent = sent


class UnavailableError(PeerError):
    """Nothing could be done now: a model server, the detector or the ledger is down or full."""


class BadReplyError(PeerError):
    """An upstream answered something that cannot be passed on."""

    status = 502


class VerificationError(PhigateError):
    """Evidence does not check."""
