"""Tests of what an error of a server concerns, and of the words and delays in it."""

import json
from typing import Any

import pytest

from codepref.servers.refusals import concern_of, read_error

MODEL = "maker/model-7b"


def concern(status: int, body: Any, *, answered: bool = False) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return concern_of(read_error(raw, status), MODEL, answered=answered)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"error": {"message": "Incorrect API key provided"}}, "key"),
        (403, {"error": {"message": "Your key has no access to this project"}}, "key"),
        (403, {"message": "Country, region, or territory not supported"}, "key"),
        (402, {"error": {"message": "Insufficient Balance"}}, "credit"),
        (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, "credit"),
        (400, {"error": {"message": "Your credit balance is too low to access the API."}}, "credit"),
        (
            429,
            {"error": {"message": "You exceeded your current quota", "code": 429, "status": "RESOURCE_EXHAUSTED"}},
            "busy",
        ),
        (429, b"", "busy"),
        (500, b"<html><head><title>502 Bad Gateway</title></head></html>", "busy"),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "busy"),
        (400, {"error": {"message": "ThrottlingException: Too many requests, please wait"}}, "busy"),
        (403, {"error": {"message": "Your input was flagged by moderation", "code": 403}}, "request"),
        (400, {"error": {"code": "content_filter", "message": "triggered the content management policy"}}, "request"),
        (
            400,
            {"error": {"message": "Output data may contain inappropriate content", "code": "data_inspection"}},
            "request",
        ),
        (403, b"<html><title>Attention Required!</title>", "request"),
        (400, {"error": {"message": "maximum context length is 4096 tokens"}}, "request"),
        (413, b"payload too large", "request"),
        (404, {"error": {"message": f"The model `{MODEL}` does not exist", "code": "model_not_found"}}, "model"),
        (404, {"error": {"message": f'model "{MODEL}" not found, try pulling it first'}}, "model"),
        (400, {"error": {"message": f"Invalid model name passed in model={MODEL}"}}, "model"),
        (404, {"detail": "Not Found"}, "address"),
        (404, b"404 page not found", "address"),
        (405, b"", "address"),
        (501, b"Unsupported method ('POST')", "address"),
    ],
)
def test_an_error_concerns_the_key_the_account_the_model_the_address_the_moment_or_one_request(
    status: int, body: Any, expected: str
) -> None:
    assert concern(status, body) == expected


def test_after_an_answer_a_403_and_a_404_no_longer_mean_the_key_or_the_address() -> None:
    assert concern(403, {"message": "no permission"}, answered=True) == "request"
    assert concern(404, {"detail": "Not Found"}, answered=True) == "busy"
    assert concern(401, {"message": "token expired"}, answered=True) == "key"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "too\n many\t requests"}}, "too many requests"),
        ({"error": "plain words"}, "plain words"),
        ({"errors": [{"message": "first"}, {"message": "second"}]}, "first second"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "not permitted", "input": 1}]}, "body.seed: not permitted"),
        ([{"error": {"message": "in a list"}}], "in a list"),
        ({"error": {"message": "outer", "metadata": {"raw": '{"error": "inner"}'}}}, "outer inner"),
        ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "login fail"),
    ],
)
def test_the_words_of_an_error_are_found_in_each_form(body: Any, words: str) -> None:
    assert read_error(json.dumps(body).encode(), 400).words == words


def test_the_words_of_a_page_are_its_title_and_long_words_are_cut() -> None:
    page = b"<!DOCTYPE html><html><head><title>Sign in &amp; pay</title></head><body>long</body></html>"
    assert read_error(page, 403).words == "a page in HTML: Sign in & pay"
    assert len(read_error(b"x" * 5000, 500).words) == 300
    assert read_error(b"", 503).words == "status 503"
    assert read_error(b"\xff\xfe\x00", 500).words
    assert read_error(b"[" * 100_000, 500).words


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"error": {"message": "Please try again in 6.5s."}}, 6.5),
        ({"error": {"message": "Rate limit. Try again in 1m30s"}}, 90),
        ({"error": {"message": "retry after 250 ms"}}, 0.25),
        ({"error": {"details": [{"retryDelay": "34s"}]}}, 34),
        ({"error": {"message": "try again later"}}, None),
    ],
)
def test_a_delay_is_read_from_the_words_and_the_details(body: Any, seconds: float | None) -> None:
    assert read_error(json.dumps(body).encode(), 429).retry_after == seconds


def test_the_status_of_an_error_in_an_answer_comes_from_its_code() -> None:
    assert read_error({"error": {"code": 402, "message": "x"}}).status == 402
    assert read_error({"error": {"code": "rate_limit_exceeded", "message": "x"}}).status == 429
    assert read_error({"error": "x"}).status == 0
