"""Why something was denied, as the API shows it: amounts in SOL, times as times, ids with what they are of.

The journal holds limit and value as the rule wrote them; what is not known here is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from api.answers.amounts import sol
from api.times import MOMENT_MS_MAX, moment_text
from projections.inputs import InputRow

ALREADY_OPEN: Final = "already_open"
_LAMPORTS: Final = re.compile(r"(at (?:least|most) )?(\d+|2\^64-1) lamports?", re.ASCII)
_MOMENT: Final = re.compile(r"\d+ ms", re.ASCII)
_MESSAGES: Final[Mapping[str, str]] = {
    "AGENT_HAS_OPEN_POSITIONS": "the agent has open positions ({value}): close them first",
    "AGENT_QUARANTINED": (
        "deciding this failed, so nothing of it was done; the agent is quarantined: see its quarantineReason"
    ),
    "BALANCE_TOO_LARGE": "the balance would be {value}, and at most {limit} can be held",
    "POSITION_CLOSING": "the position is being closed already: its exit waits for a fresh price",
}


class Shown(NamedTuple):
    """The limit of a rule, and the value that broke it."""

    limit: str | None
    value: str | None


def denial(rule: str | None, limit: str | None, value: str | None, orders: Collection[str] = ()) -> Shown:
    """A denial's limit and value as they are shown; `orders` are the ids that are known as orders'."""
    match rule:
        case "already_open" if limit == "1" and value is not None and " " not in value:
            what = "order" if value in orders else "position"
            return Shown("1 position per token", f"{what} {value}")
        case "signal_expiry":
            return Shown(_as_moment(limit), _as_moment(value))
        case "quantity" if limit is not None and (stated := _LAMPORTS.fullmatch(limit)):
            return Shown(f"{stated[1] or ''}{_as_sol(stated[2])}", _as_sol(value))
        case _:
            return Shown(limit, value)


def message(row: InputRow, shown: Shown) -> str:
    """What is said of a denied command."""
    code = row.code or "DENIED"
    text = _MESSAGES.get(code)
    if text is not None:
        return text.format(limit=shown.limit, value=shown.value)
    told = code.replace("_", " ").capitalize()
    if code.endswith("_NOT_FOUND") or row.rule is None:
        return told
    value = f" {shown.value}" if shown.value is not None else ""
    limit = f", limit {shown.limit}" if shown.limit is not None else ""
    return f"{told}: {row.rule}{value}{limit}"


def _as_sol(text: str | None) -> str | None:
    lamports = _whole(text)
    return text if lamports is None else f"{sol(lamports)} SOL"


def _whole(text: str | None) -> int | None:
    if text == "2^64-1":
        return 2**64 - 1
    return int(text) if text is not None and re.fullmatch(r"-?\d+", text, re.ASCII) else None


def _as_moment(text: str | None) -> str | None:
    if text is None or not _MOMENT.fullmatch(text):
        return text
    return moment_text(min(int(text.removesuffix(" ms")), MOMENT_MS_MAX))
