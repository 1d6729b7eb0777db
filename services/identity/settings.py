"""What whoever runs identity may decide."""

from dataclasses import dataclass
from datetime import timedelta

import protovalidate

from protomesh.runtime import InvalidSettings, Secret
from shop.identity.v1 import RegisterRequest

__all__ = ["Settings"]


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
        # The administrator is registered as everybody is, by the rules of the contract.
        password = self.admin_password.reveal() if self.admin_password is not None else "made up later"
        for violation in protovalidate.collect_violations(RegisterRequest(email=self.admin_email, password=password)):
            path = violation.proto.field
            assert path is not None  # each rule of the request is about one field
            wrong.append(f"ADMIN_{path.elements[0].field_name.upper()} breaks a rule: {violation.proto.message}")
        if wrong:
            raise InvalidSettings("; ".join(wrong))
