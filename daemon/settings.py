"""Settings, read once from the environment (`TAPEFOLD_*`); the command line overrides them.

`read` gives one line for a wrong setting: which, what it was, and what would be right.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

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
    log: str = Field("embedded", description="The log: embedded, or kafka://host:port[,host:port…][/prefix].")
    instance: str = Field(
        default_factory=socket.gethostname,
        pattern=r"[A-Za-z0-9._-]{1,200}",
        description="Name of this process among those of its kind, the same after a restart.",
    )
    postgres_bin: Path | None = Field(None, description="Folder with the binaries of a local PostgreSQL.")
    postgres_restarts_per_minute: int = Field(
        5, ge=0, le=100, description="How often a died embedded Postgres is restarted before we give up."
    )
    drain_seconds: float = Field(
        15.0, ge=0, le=600, description="How long a stop may take to finish its work."
    )
    snapshot_seconds: float = Field(
        300.0,
        ge=0,
        le=86_400,
        description="How often a snapshot is made, if anything changed; 0: never.",
    )
    snapshot_inputs: int = Field(
        100_000, ge=0, description="One is also made after so many inputs or events; 0: never."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else JSON."
    )

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        fault = None if value is None else _url_fault(value)
        if fault is not None:
            raise ValueError(fault)
        return value

    @field_validator("log")
    @classmethod
    def _engine(cls, value: str) -> str:
        if value != "embedded" and not value.startswith("kafka://"):
            raise ValueError("must be embedded or kafka://host:port[,host:port…][/prefix]")
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


_ENCODE: Final = (
    "percent-encode what is special in user and password (@ as %40, : %3A, / %2F, ? %3F, # %23, [ %5B, ] %5D)"
)
_PLACE: Final = re.compile(r"(?:\[[^\[\]]+\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_PORT_MAX: Final = 65_535


def _url_fault(url: str) -> str | None:
    """What is wrong with the form of a URL. Says nothing of its parts: any may be a piece of the password."""
    if not url.startswith(("postgresql://", "postgres://")):
        return "must begin with postgresql://"
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"cannot be read as postgresql://user:password@host:port/database; {_ENCODE}"
    if parts.netloc.count("@") > 1:
        return "has more than one @ before the host: an @ in user or password is written %40"
    if "@" in parts.path or "#" in url:
        return f"cannot be read as postgresql://user:password@host:port/database; {_ENCODE}"
    places = parts.netloc.rpartition("@")[2]
    if places and not all(map(_is_place, places.split(","))):
        return f"needs host:port, or [IPv6]:port, with a port from 1 to {_PORT_MAX}; {_ENCODE}"
    try:
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        return f"needs name=value&name=value after the ?; {_ENCODE}"
    if not all(_is_port(port) for port in given.get("port", "1").split(",")):
        return f"needs a port from 1 to {_PORT_MAX}"
    return None


def _is_place(text: str) -> bool:
    found = _PLACE.fullmatch(text) if text else None
    return found is not None and (found["port"] is None or _is_port(found["port"]))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= _PORT_MAX
