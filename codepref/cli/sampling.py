"""The command that samples: sample."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from codepref.cli.engine_options import add_engine, read_engine
from codepref.cli.options import Parser, add_decoding, add_model, add_problems, add_scale, read_scale
from codepref.cli.output import log
from codepref.cli.server_options import add_server, read_server, server_lines
from codepref.storage.progress import ProgressLine


def add_sample(parser: Parser) -> None:
    """Add the options of `codepref sample`."""
    add_model(
        parser,
        "folder, hub name, `starter`, or `scripted:FILE` with the answers (docs/reference/files.md); with --base-url: "
        "the server's name for the model",
    )
    add_problems(parser)
    parser.add_argument(
        "--kind", choices=("solutions", "tests"), default="solutions", help="what to ask for (default %(default)s)"
    )
    parser.add_argument("-n", type=int, default=10, help="number of answers per problem (default %(default)s)")
    add_decoding(parser)
    add_server(parser)
    add_engine(parser)
    add_scale(parser, replicas=True)
    parser.add_argument(
        "--out", required=True, help="file of JSON lines to write; an interrupted command continues from OUT.parts"
    )
    parser.set_defaults(command=sample)


def sample(options: Namespace) -> None:
    """Run `codepref sample`."""
    from codepref.api.sampling import sample_to_file
    from codepref.storage.files import read_jsonl

    engine = read_engine(options)
    progress = ProgressLine("sample: answers")
    sample_to_file(
        options.problems,
        options.model,
        options.out,
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
        strict=options.strict,
        progress=progress,
        server=read_server(options, launched=engine is not None),
        engine=engine,
        scale=read_scale(options),
        log=log,
    )
    progress.close()
    answers = cut = without_code = 0
    for _, row in read_jsonl(Path(options.out)):
        answers += 1
        cut += not row["finished"]
        without_code += not row.get("solution", True)
    print(f"{answers:,} answers, {cut:,} cut at {options.max_new_tokens} tokens")
    if options.kind == "solutions":
        print(f"{without_code:,} answers hold no program for their problem")
    for line in server_lines(Path(options.out)):
        print(line)
    print(options.out)
