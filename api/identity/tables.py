"""The tables of schema `identity` that the API reads; the migrations make them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ARRAY, Column, DateTime, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import UUID

METADATA: Final = MetaData(schema="identity")

API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True, comment="SHA-256 of the key, hex"),
    Column("prefix", Text, nullable=False, comment="the key's first characters, to tell keys apart"),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True), nullable=True),
)
