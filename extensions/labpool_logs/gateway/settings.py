"""The gateway's settings, all from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labpool.hub_signin import SigninSettings, read_or_create_cookie_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class InvalidGatewaySettings(Exception):
    """The environment doesn't say what the gateway needs to know."""


class GatewaySettings(BaseModel):
    """What the gateway needs to know. Each field's alias is the name of its environment variable."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    log_store: Path = Field(
        alias="LABPOOL_LOG_STORE",
        description="Folder with a folder for each user, with a folder for each project. Default: $LABPOOL_DATA/logs.",
    )
    cookie_key_file: Path = Field(
        alias="LABPOOL_LOGS_KEY_FILE",
        description="File with the key that cookies are signed with; made at first start. "
        "Default: $LABPOOL_DATA/secrets/logs_cookie_key.",
    )
    hub_api_url: str = Field(alias="JUPYTERHUB_API_URL", min_length=1, description="The hub's API, seen from here.")
    hub_api_token: str = Field(
        alias="JUPYTERHUB_API_TOKEN", min_length=1, repr=False, description="This service's token at the hub."
    )
    hub_base_url: str = Field(
        "/", alias="JUPYTERHUB_BASE_URL", pattern="^/(.*/)?$", description="Path of the hub's address. Default: /."
    )
    service_name: str = Field(
        "logs", alias="JUPYTERHUB_SERVICE_NAME", description="This service's name at the hub. Default: logs."
    )
    prefix: str = Field(
        "/logs/",
        alias="JUPYTERHUB_SERVICE_PREFIX",
        pattern="^/(.*/)?$",
        description="Path under which the proxy routes here. Default: /logs/.",
    )
    host: str = Field("127.0.0.1", alias="LABPOOL_LOGS_HOST", description="Address to listen on. Default: 127.0.0.1.")
    port: int = Field(8101, alias="LABPOOL_LOGS_PORT", ge=1, le=65535, description="Port to listen on. Default: 8101.")
    at_once: int = Field(
        8,
        alias="LABPOOL_LOGS_AT_ONCE",
        ge=1,
        le=500,
        description="TensorBoards that run at once, about 90 MB each; the one not used for longest ends for a new one. "
        "1 to 500, default 8.",
    )
    idle_minutes: float = Field(
        10.0,
        alias="LABPOOL_LOGS_IDLE_MINUTES",
        gt=0,
        le=1440,
        description="Minutes without a request after which a TensorBoard ends; the next request starts it again. "
        "Up to 1440, default 10.",
    )
    start_seconds: float = Field(
        30.0,
        alias="LABPOOL_LOGS_START_SECONDS",
        gt=0,
        le=300,
        description="Longest wait for a TensorBoard to answer after its start, in seconds. Up to 300, default 30.",
    )
    check_seconds: float = Field(
        30.0,
        alias="LABPOOL_LOGS_CHECK_SECONDS",
        gt=0,
        le=3600,
        description="Seconds between two looks for idle TensorBoards and for links in their folders. "
        "Up to 3600, default 30.",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> GatewaySettings:
        """Read the settings.

        Raises:
            InvalidGatewaySettings: with one line for each variable that is missing or wrong.
        """
        values = {name: value for name, value in environment.items() if value}
        if data := values.get("LABPOOL_DATA"):
            values.setdefault("LABPOOL_LOG_STORE", str(Path(data, "logs")))
            values.setdefault("LABPOOL_LOGS_KEY_FILE", str(Path(data, "secrets", "logs_cookie_key")))
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
            raise InvalidGatewaySettings(
                "The logs service can't start; set these environment variables:\n" + "\n".join(wrong)
            ) from error

    @property
    def hub_prefix(self) -> str:
        """Path of the hub's own pages."""
        return f"{self.hub_base_url}hub/"

    def signin(self) -> SigninSettings:
        """Return the sign-in's settings; makes the cookie key at the first start."""
        return SigninSettings(
            service_name=self.service_name,
            prefix=self.prefix,
            hub_api_url=self.hub_api_url,
            api_token=self.hub_api_token,
            cookie_key=read_or_create_cookie_key(self.cookie_key_file),
            hub_prefix=self.hub_prefix,
        )
