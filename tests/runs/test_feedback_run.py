"""Tests of a whole run with a pool, a judge model, SFT, DPO and a graded benchmark, and of its recipes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codepref import load_problems, run
from codepref.errors import UserError
from codepref.judging.artifact import read_judgments
from codepref.pairing.artifact import read_pairs
from codepref.preferences import PREFERENCES
from codepref.runs.inspect import status_lines
from codepref.runs.recipes import load_recipe, parse_recipe

SERVER = Path(__file__).parents[1] / "servers" / "scripted_server.py"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    command = [sys.executable, str(SERVER), "--faults", "0.1", "--judge-faults", "0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    process.kill()
    process.wait()


def write_inputs(folder: Path, server: str) -> Path:
    problems = load_problems("starter:train", limit=24)
    texts = [f"Write the Python function {problem.prompt}" for problem in problems]
    answers = [(problem.gold or "").strip() for problem in problems]
    demonstrations = [{"instruction": text, "response": answer} for text, answer in zip(texts, answers, strict=True)]
    graded = [
        {"instruction": f"Write f, number {n}", "preference": PREFERENCES[n % 5], "gpt-4_response": f"quality={n}"}
        for n in range(10)
    ]
    for name, rows in (("demonstrations", demonstrations), ("codal", graded)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    member = f'base_url = "{server}"\ntimeout = 0.5\n'
    (folder / "feedback.toml").write_text(
        f"""
[problems]
heldout = "starter:heldout"
heldout_limit = 10
[sampling]
solution_template = "Write the Python function {{prompt}}"
[instructions]
source = "{folder}/demonstrations.jsonl"
count = 20
[responses]
per_problem = 3
[judge]
model = "judge"
{member}
[pairing]
rule = "rated"
max_pairs_per_problem = 1
[sft]
data = "{folder}/demonstrations.jsonl"
max_length = 384
[training]
max_length = 384
[evaluation]
samples = 2
k = [1]
max_new_tokens = 60
[grading]
benchmark = "{folder}/codal.jsonl"
max_new_tokens = 40
[[pool]]
model = "writer-a"
{member}
[[pool]]
model = "writer-b"
{member}
[[pool]]
model = "starter"
"""
    )
    return folder / "feedback.toml"


@pytest.mark.slow
def test_a_run_leads_from_instructions_to_grades(server: str, tmp_path: Path) -> None:
    recipe, out = write_inputs(tmp_path, server), tmp_path / "run"
    summary = run(recipe, out)
    judgments = {one.task_id: one for one in read_judgments(out / "judgments.jsonl")}
    assert len(judgments) == 20
    assert {r.model for one in judgments.values() for r in one.responses} == {"writer-a", "writer-b", "starter"}
    for pair in read_pairs(out / "pairs.parquet"):
        one = judgments[pair.task_id]
        ratings = {rating.response_id: rating.value for rating in one.ratings}
        values = [value for value in ratings.values() if value is not None]
        assert (ratings[pair.chosen_id], ratings[pair.rejected_id]) == (max(values), min(values))
        assert pair.prompt[0]["content"] == one.instruction
        assert pair.chosen[0]["content"] == one.responses[pair.chosen_id].text
    assert set(summary["scores"]) == {"base", "sft", "aligned"}
    assert json.loads((out / "checkpoint" / "training.json").read_text())["base"] == "sft"
    assert summary["training"]["first_loss"] == pytest.approx(0.6931, abs=1e-3)
    assert set(summary["grading"]["scores"]) == {"base", "sft", "aligned"}
    assert summary["grading"]["comparison"][-1]["name"] == "mean of preferences"
    page = (out / "report.html").read_text()
    assert "Grades beside reference answers" in page
    assert all("done in" in line for line in status_lines(out)[1:-1])
    assert load_recipe(out / "recipe.toml").pool == load_recipe(recipe).pool


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pool": []}, "the pool is empty"),
        ({"pool": [{"model": "a", "base_url": "x"}]}, "a: base_url must begin with http"),
        ({"instructions": {}}, "set instructions.source"),
        ({"judge": {"model": "judge"}}, "Set judge.base_url"),
        ({"judge": {}}, "needs ratings: set judge.model"),
        ({"pairing": {"rule": "all-tests"}}, "set pairing.rule = 'rated'"),
        ({"responses": {"budget": 0}}, "budget = 0 allows no call"),
        ({"responses": {"budget": 5}}, "budget needs prices"),
        ({"judge": {"model": "rubric"}, "grading": {"benchmark": "x"}}, "grading.benchmark needs a judge model"),
        ({"judge": {"model": "rubric", "preferences": ["beauty"]}}, "holds beauty"),
        ({"training": {"quantization": "nf4"}}, "set training.lora_rank above 0"),
    ],
)
def test_a_wrong_recipe_is_refused_before_any_call(change: dict[str, object], words: str) -> None:
    document: dict[str, object] = {
        "instructions": {"source": "x.jsonl"},
        "judge": {"model": "rubric"},
        "pairing": {"rule": "rated"},
        "pool": [{"model": "a", "base_url": "http://x/v1"}, {"model": "starter"}],
    }
    parse_recipe(document)
    with pytest.raises(UserError, match=words):
        parse_recipe(document | change)


def test_the_recipe_that_ships_has_the_published_settings() -> None:
    from codepref.runs.run import find_recipe

    recipe = load_recipe(find_recipe("codeultrafeedback"))
    assert (len(recipe.pool), recipe.responses.per_problem, recipe.instructions.count) == (14, 4, 10_000)
    assert recipe.judge.preferences == PREFERENCES
    assert (recipe.sft.learning_rate, recipe.sft.epochs, recipe.sft.lora_rank) == (2e-4, 5.0, 64)
    assert (recipe.training.beta, recipe.training.learning_rate, recipe.training.epochs) == (0.1, 5e-5, 3.0)
