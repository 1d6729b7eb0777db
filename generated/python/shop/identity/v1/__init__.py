"""Generated from the contracts of shop.identity.v1. DO NOT EDIT."""

from protomesh.runtime.facade import load

_NAMES = {
    "GetJsonWebKeySetRequest": "shop.identity.v1.identity_service_pb2",
    "GetJsonWebKeySetResponse": "shop.identity.v1.identity_service_pb2",
    "GetMeRequest": "shop.identity.v1.identity_service_pb2",
    "GetMeResponse": "shop.identity.v1.identity_service_pb2",
    "IdentityServiceServicer": "shop.identity.v1.identity_service_pb2_grpc",
    "IdentityServiceStub": "shop.identity.v1.identity_service_pb2_grpc",
    "JsonWebKey": "shop.identity.v1.identity_pb2",
    "LoginRequest": "shop.identity.v1.identity_service_pb2",
    "LoginResponse": "shop.identity.v1.identity_service_pb2",
    "LogoutRequest": "shop.identity.v1.identity_service_pb2",
    "LogoutResponse": "shop.identity.v1.identity_service_pb2",
    "RefreshTokenRequest": "shop.identity.v1.identity_service_pb2",
    "RefreshTokenResponse": "shop.identity.v1.identity_service_pb2",
    "RegisterRequest": "shop.identity.v1.identity_service_pb2",
    "RegisterResponse": "shop.identity.v1.identity_service_pb2",
    "Tokens": "shop.identity.v1.identity_pb2",
    "UpdateMeRequest": "shop.identity.v1.identity_service_pb2",
    "UpdateMeResponse": "shop.identity.v1.identity_service_pb2",
    "User": "shop.identity.v1.identity_pb2",
}
_ERRORS = {
    "EmailTaken": "shop.identity.v1.errors_pb2",
    "EtagMismatch": "shop.identity.v1.errors_pb2",
    "InvalidCredentials": "shop.identity.v1.errors_pb2",
    "RefreshTokenInvalid": "shop.identity.v1.errors_pb2",
    "RefreshTokenReused": "shop.identity.v1.errors_pb2",
    "UserNotFound": "shop.identity.v1.errors_pb2",
}

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


def __getattr__(name):
    return load(globals(), name, _NAMES, _ERRORS)


def __dir__():
    return __all__
