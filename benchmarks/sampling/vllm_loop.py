"""Runs vLLM's offline loop. It is started in vLLM's own environment, which holds no codepref.

Reads one JSON object from stdin, and writes the runs as one line of JSON to stdout.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    """Answer each prompt `n` times in each round, and print the seconds and the numbers of answers and tokens."""
    job = json.load(sys.stdin)
    from vllm import LLM, SamplingParams

    engine = LLM(model=job["model"], dtype="bfloat16")
    settings = SamplingParams(
        n=job["n"], temperature=job["temperature"], top_p=job["top_p"], max_tokens=job["max_new_tokens"]
    )
    prompts = [{"prompt_token_ids": tokens} for tokens in job["prompts"]]
    runs = []
    for _ in range(job["rounds"]):
        begun = time.monotonic()
        answers = [answer for output in engine.generate(prompts, settings) for answer in output.outputs]
        seconds = time.monotonic() - begun
        tokens = sum(len(answer.token_ids) for answer in answers)
        runs.append({"answers": len(answers), "tokens": tokens, "seconds": round(seconds, 3)})
    print(json.dumps(runs))


if __name__ == "__main__":
    main()
