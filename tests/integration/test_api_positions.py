"""Positions as lists show them, on the whole daemon."""

from __future__ import annotations

from tests.support.client import Client
from tests.support.served import trading


async def test_a_list_shows_what_one_position_shows(admin: Client) -> None:
    """A position is the same in every list as alone, its stop included: that of its agent's config of now."""
    agent = await trading(admin, {"stopLoss": {"enabled": True, "percent": "10"}})
    await agent.buy()
    [listed] = (await admin.get("/agent-positions")).body
    assert listed["stopLoss"] == {"percentage": "10", "price": "0.00603", "peakPrice": None}
    await admin.put(f"/agents/{agent.agent_id}/config", {})
    [listed] = (await admin.get("/agent-positions")).body
    assert listed["stopLoss"] == {"percentage": "0", "price": None, "peakPrice": None}
    assert (await admin.get(f"/agent-positions?agentId={agent.agent_id}")).body == [listed]
    assert (await admin.get(f"/agent-positions/{listed['id']}")).body == listed
