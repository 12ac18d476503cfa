"""Sections of a recipe: keys that several sections share, and prompt templates from text files."""

import dataclasses
import hashlib

import pytest

from codepref.config.endpoint import Endpoint, ServerSettings
from codepref.config.pool import Member
from codepref.config.sections import JudgeSection, Optimization, SftSection, TrainingSection
from codepref.config.templates import PROGRAM_TEMPLATE, SOLUTION_TEMPLATE, TEST_TEMPLATE, check_template
from codepref.errors import UserError
from codepref.starter import SOLUTION_TEMPLATE as STARTER_SOLUTION
from codepref.starter import TEST_TEMPLATE as STARTER_TESTS


def test_the_shared_keys_of_fine_tuning_reach_the_training() -> None:
    section = SftSection(
        data="passing",
        limit=3,
        learning_rate=1e-4,
        epochs=2.0,
        batch_size=8,
        micro_batch_size=4,
        max_length=64,
        warmup_ratio=0.2,
        scheduler="linear",
        lora_rank=2,
        lora_alpha=3,
        quantization="nf4",
        gradient_checkpointing=True,
    )
    training = section.training()
    assert training.method == "sft"
    shared = [item.name for item in dataclasses.fields(Optimization)]
    assert len(shared) == 11
    for name in shared:
        assert getattr(training, name) == getattr(section, name) != getattr(TrainingSection(), name), name


def test_the_server_of_a_judge_reaches_the_calls() -> None:
    judge = JudgeSection(
        model="m",
        base_url="http://x/v1",
        api_key_env="KEY",
        concurrency=2,
        timeout=3.0,
        retries=4,
        price_in=5.0,
        price_out=6.0,
        schema="no",
        send_seed="no",
        extra_body='{"top_k": 7}',
    )
    endpoint = judge.member().endpoint()
    assert type(endpoint) is Endpoint
    assert endpoint == Endpoint("m", "m", "http://x/v1", "KEY", 2, 3.0, 4, 5.0, 6.0, "no", "no", '{"top_k": 7}')
    assert len(dataclasses.fields(ServerSettings)) == 11


def test_a_member_with_a_name_keeps_it_as_the_name_of_its_endpoint() -> None:
    member = Member(name="short", model="a/long-name", base_url="http://x/v1")
    assert (member.label, member.endpoint().name, member.endpoint().model) == ("short", "short", "a/long-name")


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (SOLUTION_TEMPLATE, "1c6fccfa38766855"),
        (PROGRAM_TEMPLATE, "369f5ca007ec9694"),
        (TEST_TEMPLATE, "de1113e158185033"),
        (STARTER_SOLUTION, "a7d32dd0d839273f"),
        (STARTER_TESTS, "60a13410e7c6a2b8"),
    ],
)
def test_prompts_do_not_change_without_notice(text: str, digest: str) -> None:
    """Fail if a prompt was changed, since another prompt changes the answers of models."""
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest
    check_template(text)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("hello", "holds no {prompt}"),
        ("{prompt} {", r"double every other brace"),
        ("{prompt} {other}", r"only {prompt} and {entry_point}"),
        ("{prompt[a]}", r"only {prompt} and {entry_point}"),
        ("{prompt} {entry_point[a]}", r"only {prompt} and {entry_point}"),
        ("{prompt} {0}", r"only {prompt} and {entry_point}"),
    ],
)
def test_a_malformed_template_is_refused(template: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_template(template)
