"""Generated from the contracts of shop.identity.v1. DO NOT EDIT."""

import abc as _abc
import builtins as _builtins
import grpc.aio as _grpc_aio
import protomesh.runtime.context as _protomesh_runtime_context
import protomesh.runtime.errors as _protomesh_runtime_errors
import shop.identity.v1.errors_pb2 as _shop_identity_v1_errors__pb2
import shop.identity.v1.identity_service_pb2 as _shop_identity_v1_identity__service__pb2
from shop.identity.v1.identity_pb2 import JsonWebKey as JsonWebKey
from shop.identity.v1.identity_pb2 import Tokens as Tokens
from shop.identity.v1.identity_pb2 import User as User
from shop.identity.v1.identity_service_pb2 import GetJsonWebKeySetRequest as GetJsonWebKeySetRequest
from shop.identity.v1.identity_service_pb2 import GetJsonWebKeySetResponse as GetJsonWebKeySetResponse
from shop.identity.v1.identity_service_pb2 import GetMeRequest as GetMeRequest
from shop.identity.v1.identity_service_pb2 import GetMeResponse as GetMeResponse
from shop.identity.v1.identity_service_pb2 import LoginRequest as LoginRequest
from shop.identity.v1.identity_service_pb2 import LoginResponse as LoginResponse
from shop.identity.v1.identity_service_pb2 import LogoutRequest as LogoutRequest
from shop.identity.v1.identity_service_pb2 import LogoutResponse as LogoutResponse
from shop.identity.v1.identity_service_pb2 import RefreshTokenRequest as RefreshTokenRequest
from shop.identity.v1.identity_service_pb2 import RefreshTokenResponse as RefreshTokenResponse
from shop.identity.v1.identity_service_pb2 import RegisterRequest as RegisterRequest
from shop.identity.v1.identity_service_pb2 import RegisterResponse as RegisterResponse
from shop.identity.v1.identity_service_pb2 import UpdateMeRequest as UpdateMeRequest
from shop.identity.v1.identity_service_pb2 import UpdateMeResponse as UpdateMeResponse

__all__ = [
    "EmailTaken",
    "EtagMismatch",
    "GetJsonWebKeySetRequest",
    "GetJsonWebKeySetResponse",
    "GetMeRequest",
    "GetMeResponse",
    "IdentityServiceServicer",
    "IdentityServiceStub",
    "InvalidCredentials",
    "JsonWebKey",
    "LoginRequest",
    "LoginResponse",
    "LogoutRequest",
    "LogoutResponse",
    "RefreshTokenInvalid",
    "RefreshTokenRequest",
    "RefreshTokenResponse",
    "RefreshTokenReused",
    "RegisterRequest",
    "RegisterResponse",
    "Tokens",
    "UpdateMeRequest",
    "UpdateMeResponse",
    "User",
    "UserNotFound",
]

class IdentityServiceStub:
    """Knows the shop's users and gives them the tokens that the mesh verifies. Owns users, their passwords, their sessions
    and the keys that sign tokens.

    A session begins with a login and is kept alive by refresh tokens: each counts once and is answered with the next
    (RFC 9700, section 4.14.2). Access tokens live for minutes and can't be taken back, so that no call has to ask here.
    """
    def __init__(self, channel: _grpc_aio.Channel) -> None: ...
    Register: _grpc_aio.UnaryUnaryMultiCallable[_shop_identity_v1_identity__service__pb2.RegisterRequest, _shop_identity_v1_identity__service__pb2.RegisterResponse]
    """Registers a user, who can log in from then on. Sent again, because the first answer was lost, it returns
    EMAIL_TAKEN: log in. It has no request_id on purpose, since what is remembered of a request must not include a
    password. Returns ALREADY_EXISTS with reason EMAIL_TAKEN if somebody has the e-mail address.
    """
    Login: _grpc_aio.UnaryUnaryMultiCallable[_shop_identity_v1_identity__service__pb2.LoginRequest, _shop_identity_v1_identity__service__pb2.LoginResponse]
    """Begins a session. A repeat begins another one, which does no harm. Takes as long for an e-mail address that nobody
    has as for a wrong password. Returns UNAUTHENTICATED with reason INVALID_CREDENTIALS in both cases.
    """
    RefreshToken: _grpc_aio.UnaryUnaryMultiCallable[_shop_identity_v1_identity__service__pb2.RefreshTokenRequest, _shop_identity_v1_identity__service__pb2.RefreshTokenResponse]
    """Goes on with a session: the refresh token is used up, and the answer has the next one.

    If the answer was lost, send the same token again within ten seconds: as long as the next one has not been used,
    it is replaced by yet another, and counts no more. A token that is used up otherwise was copied by somebody, and
    ends the session. So a caller sends one refresh at a time, and forgets all but the last answer.

    Returns UNAUTHENTICATED with reason REFRESH_TOKEN_INVALID if the token is unknown, too old, or of a session that
    has ended; with reason REFRESH_TOKEN_REUSED if this call has ended the session.
    """
    Logout: _grpc_aio.UnaryUnaryMultiCallable[_shop_identity_v1_identity__service__pb2.LogoutRequest, _shop_identity_v1_identity__service__pb2.LogoutResponse]
    """Ends the session of a refresh token; any token of it will do, also one that is used up. One that is unknown ends
    nothing and is no error: the caller is logged out either way. Access tokens count until they run out.
    """
    GetMe: _grpc_aio.UnaryUnaryMultiCallable[_shop_identity_v1_identity__service__pb2.GetMeRequest, _shop_identity_v1_identity__service__pb2.GetMeResponse]
    """Gets the user who calls. Returns NOT_FOUND with reason USER_NOT_FOUND if the token is older than the user's end."""
    UpdateMe: _grpc_aio.UnaryUnaryMultiCallable[_shop_identity_v1_identity__service__pb2.UpdateMeRequest, _shop_identity_v1_identity__service__pb2.UpdateMeResponse]
    """Changes the fields of the calling user that update_mask names (AIP-134). Returns NOT_FOUND with reason
    USER_NOT_FOUND as GetMe does, ABORTED with reason ETAG_MISMATCH if the user has changed since the etag in the
    request was read, INVALID_ARGUMENT if the mask names a field that can't be changed here.
    """
    GetJsonWebKeySet: _grpc_aio.UnaryUnaryMultiCallable[_shop_identity_v1_identity__service__pb2.GetJsonWebKeySetRequest, _shop_identity_v1_identity__service__pb2.GetJsonWebKeySetResponse]
    """Gets the keys that the shop's tokens can be verified with, for whoever has to verify them outside the mesh. Over
    REST the answer is a JSON Web Key Set (RFC 7517, section 5).
    """

class IdentityServiceServicer(_abc.ABC):
    """Knows the shop's users and gives them the tokens that the mesh verifies. Owns users, their passwords, their sessions
    and the keys that sign tokens.

    A session begins with a login and is kept alive by refresh tokens: each counts once and is answered with the next
    (RFC 9700, section 4.14.2). Access tokens live for minutes and can't be taken back, so that no call has to ask here.
    """
    @_abc.abstractmethod
    async def Register(self, request: _shop_identity_v1_identity__service__pb2.RegisterRequest, context: _protomesh_runtime_context.Context, /) -> _shop_identity_v1_identity__service__pb2.RegisterResponse:
        """Registers a user, who can log in from then on. Sent again, because the first answer was lost, it returns
        EMAIL_TAKEN: log in. It has no request_id on purpose, since what is remembered of a request must not include a
        password. Returns ALREADY_EXISTS with reason EMAIL_TAKEN if somebody has the e-mail address.
        """
    @_abc.abstractmethod
    async def Login(self, request: _shop_identity_v1_identity__service__pb2.LoginRequest, context: _protomesh_runtime_context.Context, /) -> _shop_identity_v1_identity__service__pb2.LoginResponse:
        """Begins a session. A repeat begins another one, which does no harm. Takes as long for an e-mail address that nobody
        has as for a wrong password. Returns UNAUTHENTICATED with reason INVALID_CREDENTIALS in both cases.
        """
    @_abc.abstractmethod
    async def RefreshToken(self, request: _shop_identity_v1_identity__service__pb2.RefreshTokenRequest, context: _protomesh_runtime_context.Context, /) -> _shop_identity_v1_identity__service__pb2.RefreshTokenResponse:
        """Goes on with a session: the refresh token is used up, and the answer has the next one.

        If the answer was lost, send the same token again within ten seconds: as long as the next one has not been used,
        it is replaced by yet another, and counts no more. A token that is used up otherwise was copied by somebody, and
        ends the session. So a caller sends one refresh at a time, and forgets all but the last answer.

        Returns UNAUTHENTICATED with reason REFRESH_TOKEN_INVALID if the token is unknown, too old, or of a session that
        has ended; with reason REFRESH_TOKEN_REUSED if this call has ended the session.
        """
    @_abc.abstractmethod
    async def Logout(self, request: _shop_identity_v1_identity__service__pb2.LogoutRequest, context: _protomesh_runtime_context.Context, /) -> _shop_identity_v1_identity__service__pb2.LogoutResponse:
        """Ends the session of a refresh token; any token of it will do, also one that is used up. One that is unknown ends
        nothing and is no error: the caller is logged out either way. Access tokens count until they run out.
        """
    @_abc.abstractmethod
    async def GetMe(self, request: _shop_identity_v1_identity__service__pb2.GetMeRequest, context: _protomesh_runtime_context.Context, /) -> _shop_identity_v1_identity__service__pb2.GetMeResponse:
        """Gets the user who calls. Returns NOT_FOUND with reason USER_NOT_FOUND if the token is older than the user's end."""
    @_abc.abstractmethod
    async def UpdateMe(self, request: _shop_identity_v1_identity__service__pb2.UpdateMeRequest, context: _protomesh_runtime_context.Context, /) -> _shop_identity_v1_identity__service__pb2.UpdateMeResponse:
        """Changes the fields of the calling user that update_mask names (AIP-134). Returns NOT_FOUND with reason
        USER_NOT_FOUND as GetMe does, ABORTED with reason ETAG_MISMATCH if the user has changed since the etag in the
        request was read, INVALID_ARGUMENT if the mask names a field that can't be changed here.
        """
    @_abc.abstractmethod
    async def GetJsonWebKeySet(self, request: _shop_identity_v1_identity__service__pb2.GetJsonWebKeySetRequest, context: _protomesh_runtime_context.Context, /) -> _shop_identity_v1_identity__service__pb2.GetJsonWebKeySetResponse:
        """Gets the keys that the shop's tokens can be verified with, for whoever has to verify them outside the mesh. Over
        REST the answer is a JSON Web Key Set (RFC 7517, section 5).
        """

class EmailTaken(_protomesh_runtime_errors.DeclaredError):
    """Somebody registered with this e-mail address before. Whoever that was can log in."""
    def __init__(self, *, email: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_identity_v1_errors__pb2.EmailTaken: ...
    @_builtins.property
    def email(self) -> _builtins.str:
        """As it is kept: in lower case."""

class InvalidCredentials(_protomesh_runtime_errors.DeclaredError):
    """Nobody is registered with this e-mail address, or the password is another. Which of the two is not told."""
    def __init__(self) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_identity_v1_errors__pb2.InvalidCredentials: ...

class RefreshTokenInvalid(_protomesh_runtime_errors.DeclaredError):
    """The refresh token is unknown, has expired, or belongs to a session that has ended. Log in again."""
    def __init__(self) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_identity_v1_errors__pb2.RefreshTokenInvalid: ...

class RefreshTokenReused(_protomesh_runtime_errors.DeclaredError):
    """The refresh token was used before, so somebody else may have it. The session has ended for everybody who has a
    token of it. Log in again.
    """
    def __init__(self) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_identity_v1_errors__pb2.RefreshTokenReused: ...

class UserNotFound(_protomesh_runtime_errors.DeclaredError):
    """The caller's token is good and its user is gone."""
    def __init__(self, *, user_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_identity_v1_errors__pb2.UserNotFound: ...
    @_builtins.property
    def user_id(self) -> _builtins.str: ...

class EtagMismatch(_protomesh_runtime_errors.DeclaredError):
    """The user has changed since the caller read it. Read it again, then decide."""
    def __init__(self, *, user_id: _builtins.str = ..., current_etag: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_identity_v1_errors__pb2.EtagMismatch: ...
    @_builtins.property
    def user_id(self) -> _builtins.str: ...
    @_builtins.property
    def current_etag(self) -> _builtins.str:
        """What the user's etag is now."""
