"""The stage `problems`, and the stages that sample answers: `sample-solutions`, `sample-tests` and `respond`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codepref.runs.directory import Result
from codepref.runs.stages.feedback import ask_recipe_pool
from codepref.runs.work import Work
from codepref.sampling.answers import load_tests
from codepref.sampling.engines import Decoding
from codepref.sampling.sample import sample_to_file
from codepref.servers.artifacts import summary_file
from codepref.storage.files import content_hash, read_json, read_jsonl, write_json


def stage_problems(work: Work) -> Result:
    """Write contamination.json, which lists the training problems that contain a held-out problem and were left out.

    If rows of problems were left out because something is wrong with them, write left_out.json with their number and
    the first messages. Returns the numbers of training, held-out and left-out problems.
    """
    write_json(work.out / "contamination.json", [asdict(one) for one in work.contaminated])
    dropped = Counter(f"holds a held-out problem (its {one.kind})" for one in work.contaminated)
    if work.left_out:
        write_json(work.out / "left_out.json", {key: rows.as_dict() for key, rows in work.left_out.items()})
    if work.not_chosen:
        dropped[f"not chosen by choice.where = {list(work.recipe.choice.where)}"] = work.not_chosen
    dropped.update({f"bad row of {key} (see left_out.json)": rows.rows for key, rows in work.left_out.items()})
    return {"train": len(work.train), "heldout": len(work.heldout), "dropped": dict(sorted(dropped.items()))}


def stage_solutions(work: Work) -> Result:
    """Sample solutions of the training problems into samples/solutions.jsonl. `Work.sampler` gives the model."""
    counts: Counter[str] = Counter()
    distinct: set[str] = set()
    for row in _sample(work, "solutions", work.recipe.sampling.solutions):
        counts["answers"] += 1
        counts["without code"] += not row["solution"]
        counts["cut"] += not row["finished"]
        if row["solution"]:
            distinct.add(content_hash(row["task_id"], row["solution"]))
    facts = _facts(work, "solutions")
    dropped = {
        "no code in the answer": counts["without code"],
        "cut at max_new_tokens (kept when code is whole)": counts["cut"],
        "the server refuses the prompt": facts.get("server", {}).get("refused", 0),
    }
    return {"sampled": counts["answers"], "distinct": len(distinct), "dropped": _positive(dropped)} | facts


def stage_tests(work: Work) -> Result:
    """Sample test completions into samples/tests.jsonl, and count the tests that are extracted from them."""
    completions = sum(1 for _ in _sample(work, "tests", work.recipe.sampling.tests))
    loaded = load_tests(tests_file(work), work.train, per_completion=work.recipe.sampling.tests_per_completion)
    kept = [test for tests in loaded.tests.values() for test in tests]
    return {
        "completions": completions,
        "extracted": sum(test.count for test in kept),
        "distinct": len(kept),
        "dropped": _positive(loaded.dropped),
    } | _facts(work, "tests")


def stage_respond(work: Work) -> Result:
    """Have the pool answer the instructions, and write responses.jsonl."""
    return ask_recipe_pool(
        work.tasks, work.recipe, work.out, work.seed("respond"), work.progress_for("respond: answers")
    )


def _sample(work: Work, kind: str, n: int) -> Iterator[dict[str, Any]]:
    """Sample answers of one kind into their file, and return an iterator over its rows."""
    settings = work.recipe.sampling
    out = work.folder / "samples" / f"{kind}.jsonl"
    sample_to_file(
        work.train,
        work.sampler(),
        out,
        kind=kind,
        n=n,
        decoding=Decoding(settings.temperature, settings.top_p, settings.max_new_tokens),
        template=settings.solution_template if kind == "solutions" else settings.test_template,
        seed=work.seed(f"sample-{kind}"),
        batch_size=settings.batch_size,
        dtype=work.recipe.model.dtype,
        device=work.recipe.model.device,
        progress=work.progress_for(f"sample {kind}: answers"),
        scale=work.recipe.scale,
        log=work.log,
    )
    return (row for _, row in read_jsonl(out))


def _facts(work: Work, kind: str) -> dict[str, Any]:
    """Return what is known about how the answers of this kind were computed.

    Answers of this process give {"engine": ...}, and answers of a server can give {"server": ...}. Otherwise return {}.
    """
    file = summary_file(work.folder / "samples" / f"{kind}.jsonl")
    facts = read_json(file) if file.exists() else {}
    if "engine" in facts:
        return {"engine": facts["engine"]}
    return {"server": facts} if set(facts) - {"answers", "refused"} else {}


def tests_file(work: Work) -> Path:
    """Return the path of the file that holds a round's test completions."""
    return work.folder / "samples" / "tests.jsonl"


def _positive(counts: Any) -> dict[str, int]:
    return {reason: count for reason, count in counts.items() if count}
