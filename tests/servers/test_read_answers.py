"""Tests that read the bodies of answers with status 200 in the forms in which servers send them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.servers.answers import read_answer
from codepref.servers.records import Reply, Request
from codepref.servers.refusals import ServerError

REQUEST = Request("k", "w", [{"role": "user", "content": "hi"}], max_tokens=9)


def read(document: Any, request: Request = REQUEST) -> Reply | ServerError:
    return read_answer(json.dumps(document).encode(), request, "m")


def chat(content: Any, finish: Any = "stop", *, beside: dict[str, Any] | None = None, **message: Any) -> dict[str, Any]:
    choice = {"finish_reason": finish, "message": {"content": content, **message}, **(beside or {})}
    return {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("plain", "plain", ""),
        ([{"type": "text", "text": "one part"}], "one part", ""),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab", ""),
        ([{"type": "output_text", "text": "a"}, "b"], "ab", ""),
        ([{"type": "text", "text": {"value": "nested"}}], "nested", ""),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}],
            "a",
            "hm",
        ),
        ([{"type": "reasoning", "text": "hm"}, {"text": "a"}], "a", "hm"),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "a"}], "a", ""),
        ({"type": "text", "text": "a"}, "a", ""),
        ({"parts": [{"text": "hm", "thought": True}, {"text": "a"}]}, "a", "hm"),
        ({"ratings": []}, '{"ratings": []}', ""),
        ("", "", ""),
    ],
)
def test_the_text_of_a_content_in_parts_is_read_and_thoughts_are_kept_apart(
    content: Any, text: str, reasoning: str
) -> None:
    assert read(chat(content)) == Reply(text, "stop", 3, 4, False, reasoning)


@pytest.mark.parametrize(
    ("given_reason", "finish"),
    [
        ("stop", "stop"), ("STOP", "stop"), ("eos_token", "stop"), ("end_turn", "stop"), ("COMPLETE", "stop"),
        ("length", "length"), ("MAX_TOKENS", "length"), ("model_context_window_exceeded", "length"),
        ("content_filter", "content_filter"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter"),
        ("refusal", "content_filter"), ("tool_calls", "tool_calls"), ("something new", "something_new"),
    ],
)  # fmt: skip
def test_reasons_of_an_end_have_one_name_each_and_an_unknown_one_is_no_end(given_reason: str, finish: str) -> None:
    answer = read(chat("text", given_reason))
    assert isinstance(answer, Reply)
    assert answer.finish == finish


@pytest.mark.parametrize(
    "document",
    [
        chat("half", "error"), chat("half", "abort"), chat("half", "insufficient_system_resource"),
        chat("half", "network_error"), chat("half", "cancelled"),
        chat("half", beside={"error": {"code": 502, "message": "gone"}}), chat("half", error={"message": "gone"}),
        chat("half") | {"error": {"message": "gone"}}, chat("half") | {"error": "gone"},
    ],
)  # fmt: skip
def test_an_answer_that_broke_off_is_an_error(document: Any) -> None:
    assert isinstance(read(document), ServerError)


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"error": {"message": "the purse is empty", "code": 402}}, 402),
        ({"error": "the purse is empty"}, 0),
        ({"error": ["the purse is empty"]}, 0),
        ({"errors": [{"message": "the purse is empty"}]}, 0),
        ({"object": "error", "message": "the purse is empty", "code": 400}, 400),
        ({"detail": "the purse is empty"}, 0),
        ({"choices": None, "error": {"message": "the purse is empty", "code": "429"}}, 429),
        ({"choices": [], "message": "the purse is empty"}, 0),
        ([{"error": {"message": "the purse is empty"}}], 0),
        ({"code": 429, "error": "the purse is empty"}, 429),
        ({"success": False, "base_resp": {"status_msg": "the purse is empty"}}, 0),
        ({"choices": [{"error": {"message": "the purse is empty", "code": 503}}]}, 503),
    ],
)
def test_an_error_in_place_of_an_answer_keeps_the_words_of_the_server(document: Any, status: int) -> None:
    answer = read(document)
    assert isinstance(answer, ServerError)
    assert (answer.words, answer.status, answer.in_answer) == ("the purse is empty", status, True)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"7", b"{}", b"<html>", b"\xff", b"{" * 5000, b'{"choices": [3]}']
)
def test_a_body_that_is_no_answer_is_malformed(body: bytes) -> None:
    answer = read_answer(body, REQUEST)
    assert isinstance(answer, ServerError)
    assert answer.words == "malformed"


def test_no_content_at_the_limit_is_an_empty_answer_that_was_cut() -> None:
    answer = read(chat(None, "length", reasoning_content="so many things"))
    assert answer == Reply("", "length", 3, 4, False, "so many things")
    assert read(chat(None, "content_filter")) == Reply("", "content_filter", 3, 4)
    assert read(chat(None, "tool_calls", tool_calls=[{}])) == Reply("", "tool_calls", 3, 4)
    assert read(chat(None, "stop", refusal="I will not")) == Reply("I will not", "content_filter", 3, 4)


def test_no_content_without_a_reason_is_an_error_unless_tokens_were_written() -> None:
    nothing = chat(None) | {"usage": {"prompt_tokens": 3, "completion_tokens": 0}}
    assert isinstance(read(nothing), ServerError)
    assert read(chat(None)) == Reply("", "stop", 3, 4)


def test_an_answer_without_a_reason_is_cut_if_it_has_as_many_tokens_as_the_limit() -> None:
    document = chat("text", None)
    assert read(document) == Reply("text", "stop", 3, 4)
    document["usage"]["completion_tokens"] = 9
    assert read(document) == Reply("text", "length", 3, 9)


def test_events_that_nobody_asked_for_are_joined_and_a_stream_without_an_end_is_broken() -> None:
    def event(text: str, finish: str | None = None) -> str:
        return "data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})

    whole = "\n\n".join([event("pri"), event("nt(1)"), event("", "stop"), "data: [DONE]"]).encode()
    answer = read_answer(whole, REQUEST)
    assert isinstance(answer, Reply)
    assert (answer.text, answer.finish, answer.estimated) == ("print(1)", "stop", True)
    assert isinstance(read_answer("\n\n".join([event("pri"), event("nt(1)")]).encode(), REQUEST), ServerError)


def test_wrapped_answers_texts_to_continue_and_other_names_of_counts_are_read() -> None:
    assert read({"data": chat("text"), "code": 0}) == Reply("text", "stop", 3, 4)
    assert read(
        {"choices": [{"text": "more", "finish_reason": "stop"}], "usage": {"input_tokens": 2, "output_tokens": 1}}
    )
    assert read(chat("text") | {"error": {"code": 0, "message": "success"}}) == Reply("text", "stop", 3, 4)
    assert read(chat("text") | {"error": None}) == Reply("text", "stop", 3, 4)


def test_of_several_answers_those_that_broke_off_are_left_out() -> None:
    document = chat("first")
    document["choices"] += chat("half", "abort")["choices"] + chat("third", "length")["choices"]
    answer = read(document, Request("k", "w", [], n=3))
    assert isinstance(answer, Reply)
    assert answer.answers() == [("first", "stop", ""), ("third", "length", "")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "error", "finish_reason", "usage", "text", "code", "delta"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_document_is_an_answer_or_an_error(document: Any) -> None:
    answer = read(document)
    assert isinstance(answer, ServerError) or isinstance(answer.text, str)
