"""How the mesh's unix sockets are called."""

import grpc

__all__ = ["unix_channel"]


def unix_channel(
    path: str, authority: str = "mesh", credentials: grpc.ChannelCredentials | None = None
) -> grpc.aio.Channel:
    """A channel to a unix socket. It has an authority of its own: a path is none, and servers refuse it."""
    options = [("grpc.default_authority", authority), ("grpc.enable_http_proxy", 0)]
    if credentials is not None:
        return grpc.aio.secure_channel(f"unix:{path}", credentials, options=options)
    return grpc.aio.insecure_channel(f"unix:{path}", options=options)
