import json

import pytest

from phigate.app.problems import internal, problem
from phigate.errors import (
    AuthenticationError,
    BadReplyError,
    InvalidRequestError,
    LedgerStateError,
    NotServedError,
    PhigateError,
    PolicyFileError,
    RefusedError,
    SettingsError,
    TooLargeError,
    TooManyRequestsError,
    UnavailableError,
    VerificationError,
)

CASES: list[tuple[PhigateError, int, str | None]] = [
    (InvalidRequestError("expected x, found y", code="wrong_type", param="/messages"), 400, "wrong_type"),
    (AuthenticationError("no key", code="missing_key"), 401, "missing_key"),
    (RefusedError("policy", code="refused"), 403, "refused"),
    (NotServedError("no such path", code="unknown_path"), 404, "unknown_path"),
    (TooLargeError("too large", code="body_too_large"), 413, "body_too_large"),
    (TooManyRequestsError("wait", code="rate_limit_exceeded", retry_after_s=3), 429, "rate_limit_exceeded"),
    (UnavailableError("down", code="onprem_down", retry_after_s=2), 503, "onprem_down"),
    (BadReplyError("garbage", code="bad_reply"), 502, "bad_reply"),
    (SettingsError("secret path"), 500, "internal_error"),
    (PolicyFileError("bad", file="f", line=1), 500, "internal_error"),
    (LedgerStateError("fork"), 500, "internal_error"),
    (VerificationError("no"), 500, "internal_error"),
]


@pytest.mark.parametrize(("error", "status", "code"), CASES, ids=lambda v: type(v).__name__)
def test_every_error_is_an_openai_error_object(error: PhigateError, status: int, code: str) -> None:
    reply = problem(error)
    shown = json.loads(reply.body)["error"]
    assert reply.status == status
    assert shown["code"] == code
    assert set(shown) == {"message", "type", "param", "code"}


def every_error(root: type[PhigateError] = PhigateError) -> set[type[PhigateError]]:
    below = {found for child in root.__subclasses__() for found in every_error(child)}
    return below or {root}


def test_no_error_class_is_without_a_case() -> None:
    ours = {e for e in every_error() if e.__module__ == "phigate.errors"}
    assert ours == {type(error) for error, _, _ in CASES}


def test_policy_refusals_tell_clients_not_to_retry_and_outages_when_to() -> None:
    assert problem(RefusedError("no", code="refused")).headers["x-should-retry"] == "false"
    down = problem(UnavailableError("down", code="onprem_down", retry_after_s=2))
    assert down.headers["retry-after"] == "2"
    assert "x-should-retry" not in down.headers


def test_faults_of_the_house_say_nothing_of_their_cause() -> None:
    assert b"secret path" not in problem(SettingsError("secret path")).body
    assert internal().status == 500
