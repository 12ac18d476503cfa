"""The engine that asks OpenAI-compatible servers. A journal keeps each answer that arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from codepref.config.served import ModelServer
from codepref.errors import InfrastructureError
from codepref.records import Message
from codepref.sampling.engines.base import Answer, Ask, Decoding, ask_seed
from codepref.sampling.engines.server_calls import CallPlan
from codepref.servers.artifacts import costs
from codepref.servers.exchange import KEPT, Exchange, Log, check_endpoints
from codepref.servers.journal import JOURNAL, read_journal
from codepref.servers.ledger import Ledger
from codepref.servers.records import Account, Request
from codepref.storage.hashing import content_hash

NO_SEED = "no seed"
NOT_REPRODUCIBLE = "The same call can give other answers, because servers may ignore seeds and batch calls differently"


class ServerEngine:
    """A model on one or several servers.

    model: the model's name, which `server.served_name` replaces if it is set. server: the addresses and the settings of
    the calls. fingerprint: a text that changes with the model's weights, or "" to use the model's name. The fingerprint
    of the engine does not depend on the addresses, so that saved answers stay valid if a server moves. log: called with
    messages for the user. only_listed: refuse a server that lists a few models and not this one.
    Raises UserError for mistakes in the settings. No call is made before the first answer is needed.
    """

    def __init__(
        self,
        model: str,
        server: ModelServer,
        *,
        fingerprint: str = "",
        log: Log = lambda text: None,
        only_listed: bool = True,
    ) -> None:
        self.endpoint, self.server, self._log = server.endpoint(model), server, log
        self._only_listed = only_listed
        self._budget = server.budget if server.budget >= 0 else None
        check_endpoints([self.endpoint], self._budget)
        extra = self.endpoint.extra_fields()
        spec = (fingerprint or self.endpoint.model, server.api, *([extra] if extra else []), *server.stop)
        self.fingerprint = f"server-{content_hash(*spec)}"
        self.ledger = Ledger()
        self._exchange: Exchange | None = None
        self._folder: Path | None = None
        self._on_tokens: Callable[[int], None] = lambda number: None
        self._greedy = False

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """Return the number of characters of the prompt."""
        return sum(len(message["content"]) for message in messages)

    def prepare(self, *, batch_size: int, folder: Path | None, on_tokens: Callable[[int], None]) -> None:
        """Take the folder of the journal and the callback for the tokens. `batch_size` has no effect.

        Without a folder, the journal is kept only while `answers` runs.
        """
        self._folder, self._on_tokens = folder, on_tokens

    def take_decoding(self, decoding: Decoding) -> None:
        """Note whether the answers are greedy, for `summary`."""
        self._greedy = decoding.temperature == 0

    def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield (place in `asks`, answer) as answers arrive. The server is not asked for answers in the journal.

        A request that the server refuses for good, for example because of its prompt, gives answers with `refusal`.
        Raises the errors of `Exchange`, and InfrastructureError if answers are missing after all attempts.
        """
        self.take_decoding(decoding)
        missing: Counter[str] = Counter()
        with ExitStack() as stack:
            folder = self._folder or Path(stack.enter_context(TemporaryDirectory(prefix="codepref-")))
            exchange = stack.enter_context(
                Exchange(
                    [self.endpoint],
                    folder,
                    budget=self._budget,
                    log=self._log,
                    only_listed=self._only_listed,
                    forget=True,
                )
            )
            self.ledger, self._exchange = exchange.ledger, exchange
            plan = self._plan(asks, decoding, seed, exchange)
            for result in exchange.results({self.endpoint.name: plan.requests()}, plan.follow_up):
                if result.reply is not None:
                    self._on_tokens(0 if result.cached else result.reply.tokens_out)
                    yield from plan.answers(result)
                elif result.rejected:
                    yield from ((place, Answer("", False, refusal=result.reason)) for place in plan.unanswered(result))
                else:
                    missing[result.reason] += len(plan.unanswered(result))
        if missing:
            reasons = "; ".join(f"{reason}: {count:,}" for reason, count in sorted(missing.items()))
            raise InfrastructureError(
                f"{sum(missing.values()):,} answers are missing after all attempts ({reasons}). {KEPT}"
            )

    def interrupt(self) -> None:
        """Make a running `answers` raise InfrastructureError. Another thread may call this."""
        if self._exchange is not None:
            self._exchange.interrupt()

    def summary(self) -> dict[str, Any]:
        """Return facts about the answers: the servers, how seeds were sent, and the costs.

        The costs are those of all runs that used the same journal. The facts are complete after the last answer.
        """
        if not self.ledger.accounts and self._folder:  # all answers were there before this process
            self.ledger, _ = read_journal(self._folder / JOURNAL)
        server, account = self.server, self._account()
        return {
            "model": self.endpoint.model,
            "servers": list(server.base_url),
            "api": server.api,
            "seed": self._seed_state(account.answered, account.dropped.get("seed", 0)) if account else NO_SEED,
            "reproducible": False,
            "note": NOT_REPRODUCIBLE,
            "models_named_by_servers": dict(sorted(account.models.items())) if account else {},
            **costs(self.ledger),
        }

    def _account(self) -> Account | None:
        """Return the account of this engine's model, or None if there is none.

        If the journal has only one account, it is taken for the account of this model, whatever its name.
        """
        accounts = self.ledger.accounts
        return accounts.get(self.endpoint.name) or (next(iter(accounts.values())) if len(accounts) == 1 else None)

    def _seed_state(self, answered: int, dropped: int) -> str:
        if self.server.send_seed == "no":
            return f"{NO_SEED}: send_seed is 'no'"
        if self._greedy:
            return f"{NO_SEED}: greedy answers need none"
        if dropped:
            return f"{NO_SEED} in {dropped:,} of {answered:,} calls: the server refuses it"
        return "sent with each call"

    def _plan(self, asks: Sequence[Ask], decoding: Decoding, seed: int, exchange: Exchange) -> CallPlan:
        endpoint, stop = self.endpoint, tuple(self.server.stop)
        greedy, chat = decoding.temperature == 0, self.server.api == "chat"
        settings = (decoding.temperature, 1.0 if greedy else decoding.top_p, decoding.max_new_tokens)

        def group_of(ask: Ask) -> str:
            return content_hash(self.fingerprint, ask.task_id, ask.kind, list(ask.messages), settings, seed)

        def request(ask: Ask, key: str, n: int) -> Request:
            prompt = None if chat else "\n\n".join(message["content"] for message in ask.messages)
            own = None if greedy or self.server.send_seed == "no" else ask_seed(ask, seed)
            messages = ask.messages if chat else ()
            return Request(key, endpoint.name, messages, *settings, own, n=n, stop=stop, prompt=prompt)

        def held(key: str) -> int:
            reply = exchange.answer(key)
            return len(reply.answers()) if reply else 0

        return CallPlan(asks, group_of, request, held, self.server.answers_per_call or endpoint.concurrency)
