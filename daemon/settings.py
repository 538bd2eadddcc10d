"""Settings, read once from the environment (`TAPEFOLD_*`); the command line overrides them.

`read` gives one line for a wrong setting: which, what it was, and what would be right.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "TAPEFOLD_"


class SettingError(Exception):
    """A setting is wrong; the message is one line for the user."""


class Settings(BaseSettings):
    """Everything an operator can set for one process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    home: Path | None = Field(None, description="Folder of all state; default: the user's data folder.")
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(4000, ge=0, le=65_535, description="Port to listen on; 0: any free one.")
    database_url: str | None = Field(
        None, description="An ordinary PostgreSQL ≥ 14 instead of the embedded one."
    )
    log: str = Field("embedded", description="The log's engine: embedded.")
    postgres_bin: Path | None = Field(None, description="Folder with the binaries of a local PostgreSQL.")
    postgres_restarts_per_minute: int = Field(
        5, ge=0, le=100, description="How often a died embedded Postgres is restarted before we give up."
    )
    drain_seconds: float = Field(
        15.0, ge=0, le=600, description="How long a stop may take to finish its work."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else JSON."
    )

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("log")
    @classmethod
    def _engine(cls, value: str) -> str:
        if value != "embedded":
            raise ValueError("must be embedded, the one engine of this version")
        return value


def read(**given: Any) -> Settings:
    """The settings, with what the command line gave over the environment.

    Raises `SettingError` with one line that names the setting and says what would be right.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        origin = f"--{name.replace('_', '-')}" if given.get(name) is not None else PREFIX + name.upper()
        message = str(first["msg"]).removeprefix("Value error, ")
        shown = "" if name == "database_url" else f" (it is {first.get('input')!r})"
        raise SettingError(f"{origin}: {message[0].lower()}{message[1:]}{shown}") from None
