"""Where one run of a mesh keeps its sockets and files."""

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Every socket and file that the parts of one running mesh name to each other.

    `run` is short, the user's own and gone after `down`: unix socket paths have at most 103 bytes on macOS. It is
    private (0700), unless services run as other users: then these may go through it (0711), and each thing in it is
    somebody's alone. `state` is the project's `.protomesh`: logs and data survive there.
    """

    run: PurePosixPath
    state: PurePosixPath

    @property
    def control_socket(self) -> str:
        """ADS for Envoy, and nothing else."""
        return str(self.run / "xds.sock")

    @property
    def admin_socket(self) -> str:
        """protomesh.admin.v1, for the command."""
        return str(self.run / "admin.sock")

    @property
    def edge_api_socket(self) -> str:
        """Reflection and health as the edge shows them: what is exposed."""
        return str(self.run / "edge-api.sock")

    @property
    def operator_api_socket(self) -> str:
        """Reflection and health as the operator sees them: everything."""
        return str(self.run / "operator-api.sock")

    @property
    def service_api_socket(self) -> str:
        """What the mesh answers to its own services, behind their egress."""
        return str(self.run / "service-api.sock")

    @property
    def operator_socket(self) -> str:
        """Envoy's listener for the operator: every method, INTERNAL ones included. Mode 0600."""
        return str(self.run / "operator.sock")

    @property
    def envoy_admin_socket(self) -> str:
        """Envoy's own administration interface. Mode 0600."""
        return str(self.run / "envoy.sock")

    @property
    def project(self) -> PurePosixPath:
        """The project directory."""
        return self.state.parent

    def egress_socket(self, service: str) -> str:
        """Envoy's listener for the calls that one service makes. Mode 0600, and the service's user owns it."""
        return str(self.run / f"out-{service}.sock")

    def worker_sockets(self, service: str) -> PurePosixPath:
        """The directory of its workers' own sockets. Mode 0700, and the service's user owns it."""
        return self.run / service  # no clash: the names of services have no dot in them, and all others here have

    def worker_socket(self, service: str, generation: int, index: int) -> str:
        """A worker's own socket; a path is never used twice in one run."""
        return str(self.worker_sockets(service) / f"{generation}-{index}.sock")

    @property
    def state_file(self) -> str:
        """PIDs and start times, so that another supervisor or `down` can find the processes."""
        return str(self.run / "state.json")

    def key_set_file(self, issuer: str) -> str:
        """The public keys that tokens of an issuer were verified with last."""
        name = hashlib.sha256(issuer.encode()).hexdigest()[:16]  # an issuer is a URL, and as long as it likes
        return str(self.state / "data" / f"key-set-{name}.json")

    @property
    def development_ca(self) -> str:
        """The certificate of the project's development CA, which callers are told to trust; its key is beside it."""
        return str(self.state / "tls" / "ca.pem")

    @property
    def authorities_file(self) -> str:
        """The CA certificates that workers trust, where the mesh has mutual TLS."""
        return str(self.run / "proxies.ca.pem")  # a service may be called proxies

    def identity_file(self, service: str) -> str:
        """The key and the certificate of a service's workers, one file. Mode 0600, and the service's user owns it."""
        return str(self.run / f"{service}.pem")

    @property
    def logs(self) -> PurePosixPath:
        """One file per service, `mesh.log` of control plane and supervisor, `envoy.log`, `access.log`."""
        return self.state / "logs"

    def data(self, service: str) -> PurePosixPath:
        """The directory that one service keeps its own data in."""
        return self.state / "data" / service
