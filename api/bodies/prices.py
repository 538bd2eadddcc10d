"""The body of prices."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from api.bodies.base import Body, field_error
from api.bodies.types import Moment, PriceText, SolText, Text100, TradedMint
from daemon.domain.commands import Reading
from daemon.domain.values import TOKEN_DECIMALS_MAX

READINGS_MAX: Final = 1_000


class ReadingBody(Body):
    """One observed price of a token."""

    token_address: TradedMint = Field(description="Mint of the token.")
    price_sol: PriceText = Field(description="SOL for one whole token.")
    source: Text100 = Field(description="Who observed it.")
    at: Moment | None = Field(None, description="When it was observed; by default when it is recorded.")
    low: PriceText | None = Field(None, description="Lowest price since the source's last reading.")
    high: PriceText | None = Field(None, description="Highest price since the source's last reading.")
    liquidity_sol: SolText | None = Field(
        None, description="What the pool holds, both sides together, in SOL; needed for price impact."
    )
    decimals: Annotated[int, Field(ge=0, le=TOKEN_DECIMALS_MAX)] | None = Field(
        None, description="The token's decimals; the first statement fixes them."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low is not None and self.low > self.price_sol:
            raise field_error("low", "must not be above priceSol")
        if self.high is not None and self.high < self.price_sol:
            raise field_error("high", "must not be below priceSol")
        return self

    def reading(self) -> Reading:
        """As it goes onto the tape."""
        return Reading(
            mint=self.token_address,
            price=self.price_sol,
            source=self.source,
            low=self.low,
            high=self.high,
            observed_at=self.at,
            liquidity=self.liquidity_sol,
            decimals=self.decimals,
        )


class PricesBody(Body):
    """Readings in the order in which they were observed."""

    prices: Annotated[list[ReadingBody], Field(min_length=1)]
