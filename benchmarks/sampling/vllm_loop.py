"""Runs vLLM's offline loop. It is started in vLLM's own environment, and needs no codepref.

The first line of stdin is a JSON object with `model`, `options` (options of `vllm serve`), `prompts` (lists of tokens)
and `n`. When the model is loaded, one line is written to stdout. Each further line of stdin is a JSON object for one
round, with the settings of sampling and, as `prompts`, how many of the prompts are answered. The answers of the round
are written to stdout as one line of JSON: a list of [text, number of tokens], with `n` elements for each prompt.
"""

from __future__ import annotations

import json
import os
import shlex
import sys


def main() -> None:
    """Load the model, and answer prompts for each further line of stdin."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # vLLM writes its messages to stdout
    job = json.loads(sys.stdin.readline())
    from vllm import LLM, SamplingParams
    from vllm.engine.arg_utils import EngineArgs
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    words = ["--model", job["model"], *shlex.split(job["options"])]
    arguments = EngineArgs.add_cli_args(FlexibleArgumentParser()).parse_args(words)
    engine = LLM.from_engine_args(EngineArgs.from_cli_args(arguments))
    prompts = [{"prompt_token_ids": tokens} for tokens in job["prompts"]]
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        settings = json.loads(line)
        some = prompts[: settings.pop("prompts")]
        outputs = engine.generate(some, SamplingParams(n=job["n"], **settings), use_tqdm=False)
        answers = [(answer.text, len(answer.token_ids)) for output in outputs for answer in output.outputs]
        print(json.dumps(answers), file=out, flush=True)


if __name__ == "__main__":
    main()
