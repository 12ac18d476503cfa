"""Tests of which field is found as refused in the errors of many servers, and of the change that codepref tries."""

import json
from typing import Any

import pytest

from codepref.config.endpoint import Endpoint
from codepref.servers.adaptation import Adaptation
from codepref.servers.fields import apply_changes, dropped_names, next_changes
from codepref.servers.refusals import read_error

SENT: dict[str, Any] = {
    "model": "maker/model-7b",
    "messages": [],
    "temperature": 0.7,
    "top_p": 0.9,
    "max_tokens": 64,
    "seed": 5,
    "n": 4,
    "stop": ["\n#"],
    "response_format": {"type": "json_schema"},
}


def openai_error(words: str, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": words, "type": "invalid_request_error", "param": param, "code": "unsupported"}}


def changed(body: Any, status: int = 400, **other: Any) -> tuple[str, Any] | None:
    """Return the first change that an error leads to, as (field, change), or None."""
    error = read_error(json.dumps(body).encode(), status)
    found = next_changes(error, {**SENT, **other}, {}, model="maker/model-7b")
    return None if found is None else (found[0], found[1][found[0]])


@pytest.mark.parametrize(
    ("body", "status", "field", "instead"),
    [
        (
            openai_error(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
                "instead.",
                "max_tokens",
            ),
            400,
            "max_tokens",
            ("max_completion_tokens", 64),
        ),
        (openai_error("Use max_completion_tokens in place of max_tokens"), 400, "max_tokens", "renamed"),
        ({"detail": "Unknown field: max_tokens"}, 422, "max_tokens", "renamed"),
        (
            openai_error("Unsupported value: 'temperature' does not support 0.7 with this model.", "temperature"),
            400,
            "temperature",
            None,
        ),
        (openai_error("temperature is deprecated for this model"), 400, "temperature", None),
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": "top_p: not allowed"}},
            400,
            "top_p",
            None,
        ),
        (openai_error("`temperature` and `top_p` cannot both be specified for this model."), 400, "top_p", None),
        (openai_error("Please use only one of temperature and top_p"), 400, "top_p", None),
        (
            [{"error": {"code": 400, "message": "Unknown name 'seed': Cannot find field.", "status": "INVALID"}}],
            400,
            "seed",
            None,
        ),
        (
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]},
            422,
            "seed",
            None,
        ),
        ({"message": {"detail": [{"loc": ["body", "n"], "msg": "Extra inputs"}]}, "object": "error"}, 422, "n", None),
        (
            {"error": "litellm.UnsupportedParamsError: does not support parameters: ['seed'], for model=x"},
            400,
            "seed",
            None,
        ),
        ({"error": {"message": "litellm.BadRequestError: unsupported parameter seed"}}, 500, "seed", None),
        (openai_error("Only one completion choice is allowed: n must be 1"), 400, "n", None),
        (openai_error("The stop parameter is not supported"), 400, "stop", None),
        (openai_error("This response_format type is unavailable now"), 400, "response_format", None),
        (openai_error("json_schema is not supported by this model, use json_object"), 400, "response_format", None),
        (openai_error("structured outputs are not enabled on this server"), 400, "response_format", None),
        (openai_error("No endpoints found that can handle the requested parameters."), 404, "response_format", None),
        ({"error": "bad request"}, 400, "response_format", None),
        ({"error": json.dumps(openai_error("seed is not supported", "seed"))}, 400, "seed", None),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": '{"detail":"seed: unknown field"}'}}},
            400,
            "seed",
            None,
        ),
        (openai_error("generationConfig.topP is unknown", "generation_config.top_p"), 400, "top_p", None),
    ],
)
def test_a_refused_field_is_found_in_the_words_of_many_servers(
    body: Any, status: int, field: str, instead: Any
) -> None:
    expected = ("max_completion_tokens", 64) if instead == "renamed" else instead
    assert changed(body, status) == (field, expected)


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ("max_tokens is too large: 64. This model supports at most 32 completion tokens.", "max_tokens"),
        ("temperature must be between 0 and 0.5", "temperature"),
        ("This model's maximum context length is 4096 tokens. However, your messages have 5000 tokens.", "messages"),
        ("The prompt was flagged by our moderation", None),
    ],
)
def test_a_value_out_of_range_and_a_bad_prompt_change_no_field(words: str, param: str | None) -> None:
    assert changed(openai_error(words, param)) is None


def test_values_that_codepref_sends_by_itself_are_changed_if_they_are_out_of_range() -> None:
    assert changed(openai_error("`temperature` must be strictly positive"), temperature=0.0) == (
        "temperature",
        ("temperature", 0.01),
    )
    assert changed(openai_error("`top_p` must be > 0.0 and < 1.0"), top_p=1.0) == ("top_p", None)


def test_a_failure_of_the_server_that_names_a_field_by_chance_changes_nothing() -> None:
    assert changed({"error": {"message": "worker died while sampling with seed 5 at temperature 0.7"}}, 500) is None


def test_a_model_whose_name_holds_the_name_of_a_field_does_not_mislead() -> None:
    error = read_error(json.dumps(openai_error("top_p is not supported with seed-oss")).encode(), 400)
    found = next_changes(error, SENT, {}, model="seed-oss")
    assert found is not None
    assert found[0] == "top_p"


def test_changes_are_made_in_the_arguments_and_named() -> None:
    changes = {"max_tokens": ("max_completion_tokens", 64), "seed": None, "temperature": ("temperature", 0.01)}
    arguments = apply_changes(SENT, changes)
    assert arguments["max_completion_tokens"] == 64
    assert arguments["temperature"] == 0.01
    assert not {"max_tokens", "seed"} & set(arguments)
    # the limit reaches the server under its new name, so it is not dropped
    assert dropped_names(SENT, changes) == ["seed", "temperature"]


def test_a_change_holds_for_later_calls_only_after_a_call_went_well_with_it() -> None:
    adaptation = Adaptation(Endpoint("w", "w", "http://x"))
    error = read_error(json.dumps(openai_error("seed is not supported")).encode(), 400)
    found = adaptation.next_trial(error, SENT, None, {})
    assert found == ("seed", {"seed": None})
    assert adaptation.changes == {}
    assert "leave out seed" in adaptation.adopt(found[1])
    assert adaptation.changes == {"seed": None}
    assert adaptation.adopt(found[1]) == ""


def test_an_error_that_stays_after_a_change_is_not_tried_again_for_other_requests() -> None:
    adaptation = Adaptation(Endpoint("w", "w", "http://x"))
    error = read_error(b'{"error": "request 17 is bad"}', 400)
    trial: Any = None
    while (found := adaptation.next_trial(error, SENT, trial, trial or {})) is not None:
        trial = found[1]
    assert trial == {"response_format": None, "n": None}
    other = read_error(b'{"error": "request 18 is bad"}', 400)
    assert adaptation.next_trial(other, SENT, None, {}) is None
    assert adaptation.changes == {}


def test_trials_come_to_an_end_whatever_a_server_says() -> None:
    adaptation = Adaptation(Endpoint("w", "w", "http://x"))
    trial: Any = None
    for count in range(20):
        body = openai_error(f"unknown parameters {count}: temperature, seed, max_tokens, top_p, n, stop")
        found = adaptation.next_trial(read_error(json.dumps(body).encode(), 400), SENT, trial, trial or {})
        if found is None:
            break
        trial = found[1]
    assert found is None
    assert trial["max_tokens"] is None


@pytest.mark.parametrize(
    ("settings", "kept"), [({"schema": "yes"}, "response_format"), ({"price_in": 1.0}, "max_tokens")]
)
def test_a_schema_that_is_demanded_and_the_limit_of_a_priced_model_are_never_left_out(
    settings: dict[str, Any], kept: str
) -> None:
    adaptation = Adaptation(Endpoint("w", "w", "http://x", **settings))
    error = read_error(json.dumps(openai_error(f"{kept} is not supported", kept)).encode(), 400)
    trial: Any = None
    while (found := adaptation.next_trial(error, SENT, trial, trial or {})) is not None:
        trial = found[1]
    assert (trial or {}).get(kept, "kept") is not None
