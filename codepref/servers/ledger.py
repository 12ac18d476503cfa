"""The sum of all calls, a model: from the lines of a journal, so that the ledger of ten interrupted runs is one. Pure.

A line is one of
  {"k": key, "e": endpoint, "b": dollars}                      begun; it may cost so much at most
  {"k", "e", "a": {...}, "s": seconds, "c": dollars}           answered; `a` is a Reply
  {"k", "e", "x": reason, "s": seconds, "d": dollars}          failed; it may have cost so much
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from codepref.servers.records import Account

Line = Mapping[str, Any]


@dataclass
class Ledger:
    """Accounts by endpoint name, fed line by line."""

    accounts: dict[str, Account] = field(default_factory=dict)
    under_way: dict[tuple[str, str], float] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Count one line of the journal."""
        account = self.accounts.setdefault(line["e"], Account())
        call = (line["e"], line["k"])
        if "b" in line:
            account.attempts += 1
            self.under_way[call] = line["b"]
            return
        self.under_way.pop(call, None)
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

    def close(self) -> None:
        """Calls that are still under way were cut off with their process: nobody knows whether they were answered."""
        for (endpoint, _), most in self.under_way.items():
            account = self.accounts[endpoint]
            account.unknown += 1
            account.at_most += most
        self.under_way.clear()

    @property
    def dollars(self) -> float:
        """What all answers cost."""
        return sum(account.dollars for account in self.accounts.values())

    @property
    def at_most(self) -> float:
        """Dollars more that calls without an answer may have cost."""
        return sum(account.at_most for account in self.accounts.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: a model's account by its name, the faults in the order of their names."""
        return {
            name: asdict(account) | {"faults": dict(sorted(account.faults.items()))}
            for name, account in sorted(self.accounts.items())
        }


def spending(ledger: Ledger, most: int = 3) -> str:
    """What was used so far, in a few words: the models that cost (or wrote) most first."""
    accounts = sorted(ledger.accounts.items(), key=lambda item: (-item[1].dollars, -item[1].tokens_out, item[0]))
    told = [f"{name} {_tokens(one.tokens_in + one.tokens_out)} tokens{_dollars(one.dollars)}" for name, one in accounts]
    rest = [f"{len(told) - most} models more"] if len(told) > most else []
    sure = _dollars(ledger.dollars).strip()
    total = [f"{sure} in all"] if sure and len(told) > 1 else []
    doubt = [f"at most ${ledger.at_most:,.2f} more for calls without an answer"] if ledger.at_most >= 0.005 else []
    return ", ".join([*told[:most], *rest, *total, *doubt])


def ledger_table(accounts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The accounts of `Ledger.as_dict` as a table, one line a model."""
    rows = [("model", "calls", "answered", "faults", "tokens in", "tokens out", "dollars", "s a call")]
    for name, one in sorted(accounts.items()):
        unknown = {"unknown": one["unknown"]} if one["unknown"] else {}
        faults = ", ".join(f"{kind} {count:,}" for kind, count in {**one["faults"], **unknown}.items()) or "-"
        mean = one["seconds"] / one["attempts"] if one["attempts"] else 0.0
        counts = (f"{one['attempts']:,}", f"{one['answered']:,}", faults)
        spent = (f"{one['tokens_in']:,}", f"{one['tokens_out']:,}", f"{one['dollars']:.4f}", f"{mean:.2f}")
        rows.append((name, *counts, *spent))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _tokens(count: int) -> str:
    return f"{count / 1e6:,.2f}M" if count >= 1e6 else f"{count / 1e3:,.1f}k" if count >= 1000 else str(count)


def _dollars(dollars: float) -> str:
    return f" ${dollars:,.2f}" if dollars >= 0.005 else ""
