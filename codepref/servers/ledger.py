"""Sums the calls, tokens and costs of each model over all lines of a journal, from all runs that wrote to it. Pure.

A line of the journal has one of three forms:
  {"k": key, "e": endpoint, "b": dollars}                      a call begins and costs at most `b`
  {"k", "e", "a": {...}, "s": seconds, "c": dollars}           a call was answered; `a` is a Reply, `c` its cost
  {"k", "e", "x": reason, "s": seconds, "d": dollars}          a call failed and may have cost up to `d`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from codepref.servers.records import Account

Line = Mapping[str, Any]


@dataclass
class Ledger:
    """The calls and costs of all models.

    Attributes:
    accounts: the account of each endpoint, by its name.
    running: the highest cost of each running call, by (endpoint, key).
    """

    accounts: dict[str, Account] = field(default_factory=dict)
    running: dict[tuple[str, str], float] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Count one line of the journal."""
        account = self.accounts.get(line["e"])
        if account is None:
            account = self.accounts[line["e"]] = Account()
        call = (line["e"], line["k"])
        if "b" in line:
            account.attempts += 1
            self.running[call] = line["b"]
            return
        self.running.pop(call, None)
        account.seconds += line["s"]
        if "x" in line:
            account.faults[line["x"]] = account.faults.get(line["x"], 0) + 1
            account.at_most += line["d"]
            return
        reply = line["a"]
        account.answered += 1
        account.tokens_in += reply["tokens_in"]
        account.tokens_out += reply["tokens_out"]
        account.estimated += bool(reply["estimated"])
        account.dollars += line["c"]
        for name in reply.get("dropped", ()):
            account.dropped[name] = account.dropped.get(name, 0) + 1
        if model := reply.get("model"):
            account.models[model] = account.models.get(model, 0) + 1

    def close(self) -> None:
        """Count the calls that are still running as unknown.

        Their process died. The server may have answered and billed them.
        """
        for (endpoint, _), max_cost in self.running.items():
            account = self.accounts[endpoint]
            account.unknown += 1
            account.at_most += max_cost
        self.running.clear()

    @property
    def dollars(self) -> float:
        """The cost of all answers, in dollars."""
        return sum(account.dollars for account in self.accounts.values())

    @property
    def at_most(self) -> float:
        """The highest possible cost of the calls that ended or died without an answer, in dollars."""
        return sum(account.at_most for account in self.accounts.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the accounts as a JSON object, sorted by name. The faults of an account are sorted by kind."""
        return {
            name: asdict(account) | {"faults": dict(sorted(account.faults.items()))}
            for name, account in sorted(self.accounts.items())
        }


def spending(ledger: Ledger, max_models: int = 3) -> str:
    """Return one line with the tokens and dollars used so far. It names at most `max_models` models.

    The most expensive models come first. Amounts below half a cent are left out.
    """
    accounts = sorted(ledger.accounts.items(), key=lambda item: (-item[1].dollars, -item[1].tokens_out, item[0]))
    models = [
        f"{name} {_tokens(one.tokens_in + one.tokens_out)} tokens{_dollars(one.dollars)}" for name, one in accounts
    ]
    others = [f"{len(models) - max_models} other models"] if len(models) > max_models else []
    sum_of_all = _dollars(ledger.dollars).strip()
    total = [f"{sum_of_all} in total"] if sum_of_all and len(models) > 1 else []
    possible = [f"at most ${ledger.at_most:,.2f} for calls without an answer"] if ledger.at_most >= 0.005 else []
    return ", ".join([*models[:max_models], *others, *total, *possible])


def ledger_table(accounts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the lines of a table of the accounts from `Ledger.as_dict`: a header, and one line for each model."""
    rows = [("model", "calls", "answered", "faults", "tokens in", "tokens out", "dollars", "s/call")]
    for name, account in sorted(accounts.items()):
        unknown = {"unknown": account["unknown"]} if account["unknown"] else {}
        faults = ", ".join(f"{kind} {count:,}" for kind, count in {**account["faults"], **unknown}.items()) or "-"
        mean = account["seconds"] / account["attempts"] if account["attempts"] else 0.0
        counts = (f"{account['attempts']:,}", f"{account['answered']:,}", faults)
        spent = (f"{account['tokens_in']:,}", f"{account['tokens_out']:,}", f"{account['dollars']:.4f}", f"{mean:.2f}")
        rows.append((name, *counts, *spent))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _tokens(count: int) -> str:
    return f"{count / 1e6:,.2f}M" if count >= 1e6 else f"{count / 1e3:,.1f}k" if count >= 1000 else str(count)


def _dollars(dollars: float) -> str:
    return f" ${dollars:,.2f}" if dollars >= 0.005 else ""
