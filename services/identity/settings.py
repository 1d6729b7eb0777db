"""What whoever runs identity may decide."""

from dataclasses import dataclass
from datetime import timedelta

from protomesh.runtime import InvalidSettings, Secret

__all__ = ["Settings"]

# As the contract has it for everybody else.
_SHORTEST_PASSWORD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The environment variables that identity reads: JWT_ISSUER for `jwt_issuer`, and so on.

    Raises:
        InvalidSettings: They can't be used together.
    """

    jwt_issuer: str = "https://shop.local"  # auth.issuer of mesh.yaml
    jwt_audience: str = "shop"  # auth.audience of mesh.yaml
    access_token_lifetime: timedelta = timedelta(minutes=5)
    refresh_token_lifetime: timedelta = timedelta(days=30)
    signing_key_lifetime: timedelta = timedelta(days=1)
    admin_email: str = "admin@shop.local"
    admin_password: Secret | None = None  # one is made up and told in the log if it is not set

    def __post_init__(self) -> None:
        wrong = [
            f"{name.upper()} has to be a second or more"
            for name in ("access_token_lifetime", "refresh_token_lifetime", "signing_key_lifetime")
            if getattr(self, name) < timedelta(seconds=1)
        ]
        if self.admin_password is not None and len(self.admin_password.reveal()) < _SHORTEST_PASSWORD:
            wrong.append(f"ADMIN_PASSWORD has to have {_SHORTEST_PASSWORD} characters or more")
        if wrong:
            raise InvalidSettings("; ".join(wrong))
