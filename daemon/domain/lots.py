"""Lots: the units of one fill with their cost, sold first in, first out."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from daemon.domain.errors import DomainError
from daemon.domain.events import Lot
from daemon.domain.values import Price, round_price


def take(lots: tuple[Lot, ...], quantity: int) -> tuple[tuple[Lot, ...], int]:
    """Sell `quantity` units, oldest lots first: the lots that remain, and the cost of what was sold.

    A lot that is sold in part gives up its cost in proportion, rounded down; the rest stays with the lot, so
    that costs always add up. Raises `DomainError` for more than is held.
    """
    cost = 0
    for index, lot in enumerate(lots):
        if quantity < lot.quantity:
            share = lot.cost_lamports * quantity // lot.quantity
            rest = msgspec.structs.replace(
                lot, quantity=lot.quantity - quantity, cost_lamports=lot.cost_lamports - share
            )
            return (rest, *lots[index + 1 :]), cost + share
        quantity -= lot.quantity
        cost += lot.cost_lamports
        if not quantity:
            return lots[index + 1 :], cost
    raise DomainError(f"{quantity} units more than are held")


def average_price(lots: tuple[Lot, ...]) -> Price:
    """Quantity-weighted executed price."""
    if len(lots) == 1:
        return lots[0].price
    total = sum(lot.quantity for lot in lots)
    return round_price(sum((lot.price * lot.quantity for lot in lots), Decimal(0)) / total)
