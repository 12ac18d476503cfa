"""The command that samples: sample."""

from __future__ import annotations

from argparse import Namespace

from codepref.cli.options import Parser, add_decoding, add_model, add_problems
from codepref.storage.progress import ProgressLine


def add_sample(parser: Parser) -> None:
    """Add the options of `codepref sample`."""
    add_model(parser, "folder, hub name, `starter`, or `scripted:FILE` with the answers (docs/reference/files.md)")
    add_problems(parser)
    parser.add_argument(
        "--kind", choices=("solutions", "tests"), default="solutions", help="what to ask for (default %(default)s)"
    )
    parser.add_argument("-n", type=int, default=10, help="number of answers per problem (default %(default)s)")
    add_decoding(parser)
    parser.add_argument(
        "--out", required=True, help="file of JSON lines to write; an interrupted command continues from OUT.parts"
    )
    parser.set_defaults(command=sample)


def sample(options: Namespace) -> None:
    """Run `codepref sample`."""
    from codepref import api

    progress = ProgressLine("sample: answers")
    rows = api.sample(
        options.problems,
        options.model,
        kind=options.kind,
        n=options.n,
        temperature=options.temperature,
        top_p=options.top_p,
        max_new_tokens=options.max_new_tokens,
        template=options.template,
        batch_size=options.batch_size,
        seed=options.seed,
        dtype=options.dtype,
        device=options.device,
        out=options.out,
        strict=options.strict,
        progress=progress,
    )
    progress.close()
    cut = sum(not row["finished"] for row in rows)
    print(f"{len(rows):,} answers, {cut:,} cut at {options.max_new_tokens} tokens")
    if options.kind == "solutions":
        print(f"{sum(not row['solution'] for row in rows):,} answers hold no code that defines the entry point")
    print(options.out)
