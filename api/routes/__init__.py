"""All routes, by resource."""

from __future__ import annotations

from typing import Final

from api.routes.agents import AGENTS
from api.routes.balances import BALANCES
from api.routes.health import HEALTH
from api.routes.orders import ORDERS
from api.routes.positions import POSITIONS
from api.routes.prices import PRICES
from api.routes.signals import SIGNALS
from api.routes.swaps import SWAPS
from api.routes.transactions import TRANSACTIONS
from api.routing import Route

ROUTES: Final[tuple[Route, ...]] = (
    *AGENTS,
    *SIGNALS,
    *ORDERS,
    *BALANCES,
    *POSITIONS,
    *TRANSACTIONS,
    *SWAPS,
    *PRICES,
    *HEALTH,
)
