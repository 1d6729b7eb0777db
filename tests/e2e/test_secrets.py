"""Every secret that a mesh can have, and where it comes out: in the files that are there to hold it, nowhere else."""

import base64
import json
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from protomesh.proxy.statistics import ask
from protomesh.runtime.errors import reason_of
from protomesh.testing.nats import NatsServer, nats_program
from protomesh.testing.postgresql import PostgreSQL
from shop.identity.v1 import GetMeRequest, GetMeResponse, InvalidCredentials, LoginRequest, LoginResponse
from tests.e2e import ways
from tests.e2e.canary import canary, files_with, leaks, scalar
from tests.e2e.mesh import Mesh, copy_shop, eventually, free_port, mesh_of
from tests.e2e.reach import layout
from tests.pki import Pki

MESH = """\
name: shop
mtls: true
gateways:
  - listen: "127.0.0.1:${PORT}"
  - {listen: "127.0.0.1:${TLS_PORT}", tls: {cert: edge.pem, key: edge.key}}
  - {listen: "127.0.0.1:${DEV_PORT}", tls: dev}
auth: {issuer: "https://shop.local", audience: shop, jwks: {service: identity}}
events: {transport: nats, url: "${NATS_URL}"}
services:
  identity:
    run: services.identity.app:app
    serves: [shop.identity.v1.IdentityService]
    env: {ADMIN_PASSWORD: "${ADMIN_PASSWORD}"}
    env_file: .env
  notifications:
    run: services.notifications.app:app
    serves: [shop.notifications.v1.NotificationsService]
    subscribes: [shop.orders.v1.OrderConfirmed, shop.orders.v1.OrderCancelled]
"""
WAYS = {  # not all that there are: the contract counts logins
    name: way for name, way in ways.UNARY.items() if name in {"gRPC", "gRPC-Web text, HTTP/1.1", "REST, HTTP/2"}
}
COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("logs", "--lines", "100000"),
    ("logs", "access", "--lines", "100000"),
    ("explain", "GetMe"),
    ("explain", "Login"),
    ("render", "envoy"),
    ("proto",),
    ("check",),
    ("check", "--security"),
)
ADMINISTRATION = ("/config_dump?include_eds", "/certs", "/clusters", "/listeners", "/stats", "/server_info", "/runtime")


@dataclass
class Watched:
    """A mesh, the secrets that are known of it, and what it has printed."""

    mesh: Mesh
    postgresql: PostgreSQL
    database: str
    canaries: dict[str, bytes] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)

    def secret(self, name: str) -> str:
        """A new one."""
        text = canary()
        self.canaries[name] = text.encode()
        return text

    def run(self, *arguments: str) -> int:
        """Runs the command and keeps what it says; its exit status."""
        done = self.mesh.protomesh(*arguments)
        self.printed.append(done.stdout + done.stderr)
        return done.returncode

    def logs(self) -> bytes:
        """All that was logged."""
        return b"".join(path.read_bytes() for path in sorted((self.mesh.root / ".protomesh/logs").iterdir()))

    def told(self) -> set[str]:
        """Names of secrets that it has printed."""
        return leaks(self.canaries, "\n".join(self.printed).encode())


@pytest.fixture
def watched(tmp_path: Path, postgresql_server: PostgreSQL) -> Iterator[Watched]:
    """Identity on a PostgreSQL with a password, notifications on a broker with one, TLS of both kinds; not started."""
    root = tmp_path / "shop"
    copy_shop(root)
    (root / "mesh.yaml").write_text(MESH)
    database = f"canaries_{uuid.uuid4().hex[:8]}"
    (tmp_path / "nats").mkdir()
    with mesh_of(root) as mesh:
        watched = Watched(mesh, postgresql_server, database)
        password = watched.secret("password of the database")
        postgresql_server.query("postgres", f"CREATE ROLE {database} LOGIN PASSWORD '{password}'")
        postgresql_server.create(database)
        postgresql_server.query("postgres", f"ALTER DATABASE {database} OWNER TO {database}")
        place = postgresql_server.url(database).query["host"]
        environment = root / ".env"
        environment.write_text(
            f"PROTOMESH_DATABASE_URL=postgresql://{database}:{password}@/{database}?host={place}\n"
            f"PROVIDER_KEY={watched.secret('variable of env_file')}\n"
        )
        environment.chmod(0o600)
        keys = Pki(root).issue("edge", names=["localhost"]).key
        keys.chmod(0o600)
        watched.canaries["key of a gateway"] = scalar(keys.read_bytes())
        broker = NatsServer(nats_program(), tmp_path / "nats", password=watched.secret("password of the broker"))
        broker.start()
        mesh.env |= {
            "TLS_PORT": str(free_port()),
            "DEV_PORT": str(free_port()),
            "NATS_URL": broker.url,
            "ADMIN_PASSWORD": watched.secret("variable of env"),
        }
        try:
            yield watched
        finally:
            mesh.protomesh("down")
            broker.stop()
            postgresql_server.drop(database)
            postgresql_server.query("postgres", f"DROP ROLE {database}")


async def test_no_secret_comes_out(watched: Watched) -> None:
    """Calls that are answered, refused and failed, by each protocol; what may hold a secret is its owner's only."""
    mesh = watched.mesh
    assert watched.run("up") == 0, watched.printed
    where = layout(mesh)
    kept = {Path(where.identity_file(service)): service for service in ("identity", "notifications")}
    for file, service in kept.items():
        watched.canaries[f"key of {service}"] = scalar(file.read_bytes())
    authority = Path(where.development_ca).with_suffix(".key")
    watched.canaries["key of the development CA"] = scalar(authority.read_bytes())

    async with httpx.AsyncClient(base_url=f"http://{mesh.gateway}", timeout=20) as edge:
        await _session(watched, edge)
        for name, way in WAYS.items():
            await _refused(watched, name, way)
        await _curious(watched, edge)
        await _failing_database(watched, edge)
        public = canary()  # for once where everybody may look
        assert (await edge.get(f"/v1/{public}")).status_code == 404
        control = {"a path": public.encode()}
        eventually(lambda: leaks(control, watched.logs()) == {"a path"}, "the access log has it")
    (signing,) = watched.postgresql.query(watched.database, "SELECT private_key FROM signing_keys")
    watched.canaries["key that signs tokens"] = scalar(signing[0].encode())

    for command in COMMANDS:
        assert watched.run(*command) == 0, watched.printed[-1]
    assert public in "\n".join(watched.printed)  # `logs`: so it is read as it should be
    assert watched.told() == set()

    administration = [await ask(where.envoy_admin_socket, "GET", path, limit=20) for path in ADMINISTRATION]
    assert {status for status, _ in administration} == {200}
    dump = "\n".join(text for _, text in administration).encode()
    assert dump.count(b"[redacted]") >= 3  # two gateways, and Envoy's own inside
    assert leaks(watched.canaries, dump) == set()

    processes = mesh.processes()
    assert len(processes) >= 4
    arguments = [" ".join(process.cmdline()) for process in processes]
    assert leaks(watched.canaries, "\n".join(arguments).encode()) == set()
    environments = "\n".join(value for process in processes for value in process.environ().values()).encode()
    assert leaks(watched.canaries, environments) >= {"password of the database", "password of the broker"}

    assert files_with(watched.canaries, mesh.root, mesh.run) == {
        mesh.root / ".env": (0o600, {"password of the database", "variable of env_file"}),
        mesh.root / "edge.key": (0o600, {"key of a gateway"}),
        authority: (0o600, {"key of the development CA"}),
        **{file: (0o600, {f"key of {service}"}) for file, service in kept.items()},
    }
    assert b"$argon2" not in watched.logs()
    assert stat.S_IMODE(Path(where.envoy_admin_socket).stat().st_mode) == 0o600


async def _session(watched: Watched, edge: httpx.AsyncClient) -> None:
    """Somebody registers and logs in by each protocol; what they get, and what they have used, is secret from then."""
    who = {"email": "canary@example.com", "password": watched.secret("password of a user")}
    assert (await edge.post("/v1/users:register", json=who)).status_code == 200
    for name, way in WAYS.items():
        tokens = (await ways.unary(way, watched.mesh, _login(who))).tokens
        watched.canaries[f"access token by {name}"] = tokens.access_token.encode()
        watched.canaries[f"refresh token by {name}"] = tokens.refresh_token.encode()
        metadata = (("authorization", f"Bearer {tokens.access_token}"),)
        assert (await ways.unary(way, watched.mesh, _get_me(*metadata))).user.email == who["email"]
    used = tokens.refresh_token
    for name in ("the next", "the last"):
        refreshed = (await edge.post("/v1/users:refreshToken", json={"refresh_token": used})).json()["tokens"]
        watched.canaries[f"access token, {name}"] = refreshed["accessToken"].encode()
        watched.canaries[f"refresh token, {name}"] = refreshed["refreshToken"].encode()
        used = refreshed["refreshToken"]
    again = await edge.post("/v1/users:refreshToken", json={"refresh_token": tokens.refresh_token})
    assert again.status_code == 401


async def _refused(watched: Watched, name: str, way: ways.Way) -> None:
    """A token that is none, credentials of another kind, a cookie and a key; and a password that is wrong."""
    basic = base64.b64encode(f"user:{watched.secret(f'basic, by {name}')}".encode()).decode()
    for metadata in (
        ("authorization", f"Bearer {watched.secret(f'token, by {name}')}"),
        ("authorization", f"Basic {basic}"),
        ("cookie", f"session={watched.secret(f'cookie, by {name}')}"),
        ("x-api-key", watched.secret(f"key, by {name}")),
    ):
        assert (await ways.failure(way, watched.mesh, _get_me(metadata))).status.code == 16
    wrong = {"email": "canary@example.com", "password": watched.secret(f"wrong password, by {name}")}
    refused = await ways.failure(way, watched.mesh, _login(wrong))
    assert refused.info.reason == reason_of(InvalidCredentials.__name__)


async def _curious(watched: Watched, edge: httpx.AsyncClient) -> None:
    """Secrets where they do not belong: in a query, in a message that is none, in a body that is too large."""
    query = {"access_token": watched.secret("token in a query"), "password": watched.secret("password in a query")}
    assert (await edge.get("/v1/users/me", params=query)).status_code == 400
    assert (await edge.post("/v1/users:login", params=query, json={})).status_code == 400
    referer = {"referer": f"http://{watched.mesh.gateway}/?token={watched.secret('token in a referer')}"}
    assert (await edge.get("/v1/users/me", headers=referer)).status_code == 401
    url = f"http://user:{watched.secret('password in a URL')}@{watched.mesh.gateway}/v1/users/me"
    assert (await edge.get(url)).status_code == 401
    bodies = (
        f'{{"email": 7, "password": "{watched.secret("password beside nonsense")}"}}',
        f'{{"password": {{"{watched.secret("password as a name")}": true}}}}',
        f'{{"password": "{watched.secret("password without an end")}',
        json.dumps({"email": "no address", "password": watched.secret("password beside a broken rule")}),
        json.dumps({"email": "a@example.com", "password": watched.secret("password too long") + "x" * 500}),
        json.dumps({"email": "a@example.com", "password": watched.secret("password too large") + "x" * 5000}),
    )
    statuses = [
        (await edge.post("/v1/users:login", content=body, headers={"content-type": "application/json"})).status_code
        for body in bodies
    ]
    assert statuses == [400, 400, 400, 400, 400, 413]


async def _failing_database(watched: Watched, edge: httpx.AsyncClient) -> None:
    """A database that refuses what it is given, with a text that says what that was: the service logs a traceback."""

    async def _changed(name: str) -> httpx.Response:
        token = watched.canaries["access token, the last"].decode()
        return await edge.patch(
            "/v1/users/me?update_mask=display_name",
            json={"display_name": name},
            headers={"authorization": f"Bearer {token}"},
        )

    refuse = "ALTER TABLE users ADD CONSTRAINT refused CHECK (display_name NOT LIKE 'canary%') NOT VALID"
    watched.postgresql.query(watched.database, refuse)
    assert (await _changed(watched.secret("value that a database refuses"))).status_code == 500
    watched.postgresql.query(watched.database, "ALTER TABLE users RENAME password_hash TO somewhere_else")
    somebody = {"email": "b@example.com", "password": watched.secret("password that can't be kept")}
    assert (await edge.post("/v1/users:register", json=somebody)).status_code == 500
    assert b"refused" in watched.logs()
    assert b"somewhere_else" not in watched.logs()


def _login(who: dict[str, str]) -> ways.Call:
    return ways.Call(
        method="shop.identity.v1.IdentityService/Login",
        request=LoginRequest(**who),
        response=LoginResponse,
        verb="POST",
        url="/v1/users:login",
        body=who,
    )


def _get_me(*metadata: tuple[str, str]) -> ways.Call:
    return ways.Call(
        method="shop.identity.v1.IdentityService/GetMe",
        request=GetMeRequest(),
        response=GetMeResponse,
        verb="GET",
        url="/v1/users/me",
        metadata=metadata,
    )


def test_a_start_that_fails_tells_no_password(watched: Watched) -> None:
    """Neither the one that is wrong nor any other: not on the terminal, not in a log."""
    mesh = watched.mesh
    mesh.env["NATS_URL"] = f"nats://mesh:{watched.secret('wrong password of the broker')}@{mesh.env['NATS_URL'][-15:]}"
    right = watched.canaries["password of the database"].decode()
    environment = mesh.root / ".env"
    environment.write_text(environment.read_text().replace(right, watched.secret("wrong password of the database")))
    assert watched.run("up") != 0
    assert "password authentication failed" in watched.printed[-1]
    assert watched.run("db", "upgrade", "identity") != 0
    assert "password authentication failed" in watched.printed[-1]
    environment.write_text(environment.read_text() + f"export KEY of ours={watched.secret('malformed line')}\n")
    assert watched.run("db", "upgrade", "identity") != 0
    assert ".env:3" in watched.printed[-1]
    (mesh.root / "edge.key").write_text(f"-----BEGIN PRIVATE KEY-----\n{watched.secret('damaged key')}\n")
    assert watched.run("up") != 0
    assert "holds no private key in PEM" in watched.printed[-1]
    assert watched.told() == set()
    assert leaks(watched.canaries, watched.logs()) == set()
