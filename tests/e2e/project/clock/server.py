"""A service that keeps docs/reference/service-protocol.md without any of Protomesh's code."""

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

sys.path.insert(0, str(Path(__file__).parent.parent / "generated" / "python"))

from echo.v1 import echo_service_pb2, echo_service_pb2_grpc


class Clock(echo_service_pb2_grpc.ClockServiceServicer):
    """Tells what the program was told."""

    def GetZone(
        self, request: echo_service_pb2.GetZoneRequest, context: grpc.ServicerContext
    ) -> echo_service_pb2.GetZoneResponse:
        return echo_service_pb2.GetZoneResponse(zone=os.environ["ZONE"], pid=os.getpid())


def certificate() -> grpc.ServerCertificateConfiguration:
    """What to show, as the files have it now; and whom to let in."""
    pair = Path(os.environ["PROTOMESH_TLS_IDENTITY"]).read_bytes()  # one file: they belong together
    authorities = Path(os.environ["PROTOMESH_TLS_AUTHORITIES"]).read_bytes()
    return grpc.ssl_server_certificate_configuration([(pair, pair)], authorities)


def main() -> None:
    """Serves until SIGTERM."""
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    echo_service_pb2_grpc.add_ClockServiceServicer_to_server(Clock(), server)
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    identity = os.environ.get("PROTOMESH_TLS_IDENTITY")
    if identity is None:
        server.add_insecure_port(os.environ["PROTOMESH_LISTEN"])
    else:  # mesh.yaml says mtls
        credentials = grpc.dynamic_ssl_server_credentials(
            certificate(), certificate, require_client_authentication=True
        )
        server.add_secure_port(os.environ["PROTOMESH_LISTEN"], credentials)
    server.start()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    server.stop(10).wait()


if __name__ == "__main__":
    main()
