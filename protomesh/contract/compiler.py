"""Compiles a project: contracts and mesh.yaml into one validated `Topology`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from protomesh.contract import lint
from protomesh.contract.annotations import Contract, read_contract
from protomesh.contract.call_names import matching, split_call
from protomesh.contract.descriptors import served_descriptors
from protomesh.contract.gateways import read_gateways
from protomesh.contract.ignores import UNUSED, silence
from protomesh.contract.mesh_schema import ServerTlsFile, ServiceFile
from protomesh.contract.mesh_yaml import Mesh, mesh_files, read_mesh
from protomesh.contract.policies import package_defaults, resolve_methods
from protomesh.contract.report import Finding, Report
from protomesh.contract.sources import compile_protos, proto_files
from protomesh.contract.subscribers import publishers_of, subscribers_of
from protomesh.diagnostics import InvalidProject, Problems
from protomesh.model import (
    Account,
    Address,
    Broker,
    Call,
    Command,
    DeclaredError,
    DeclaredEvent,
    External,
    KeySource,
    Method,
    PythonApp,
    RpcService,
    ServerTls,
    Service,
    TcpAddress,
    TokenProvider,
    Topology,
    UserAs,
)

__all__ = ["Compilation", "compile_project"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """A project without errors."""

    topology: Topology
    problems: Problems  # warnings only
    silenced: int  # findings taken away by protomesh:ignore


def compile_project(
    root: Path, *, environment: str = "base", variables: Mapping[str, str] | None = None
) -> Compilation:
    """Compiles the project in the directory `root`, which holds mesh.yaml and protos/.

    `environment` adds mesh.<environment>.yaml. `variables` are what ${VAR} in both stands for; the process's own
    environment if not given. Writes below `.protomesh` only.

    Raises:
        InvalidProject: something is wrong; it holds every problem found, warnings included.
    """
    root = root.resolve()
    report = Report()
    mesh = read_mesh(root, environment, os.environ if variables is None else variables, report)
    problems = Problems()
    try:
        files = compile_protos(root)
    except InvalidProject as invalid:
        problems.extend(invalid.problems)
        problems.extend(finding.diagnostic for finding in report)
        raise InvalidProject(problems) from None
    own = proto_files(root)
    contract = read_contract(root, files, own)
    if mesh is None:
        problems.extend(finding.diagnostic for finding in report)
        raise InvalidProject(problems)
    resolved = resolve_methods(contract, mesh, report)
    gateways = read_gateways(mesh, report)
    project = lint.Project(root=root, contract=contract, mesh=mesh, resolved=resolved, gateways=gateways)
    lint.run(project, report)

    written = [*contract.packages, *(path.name for path in mesh_files(root, environment))]
    left, silenced = silence(root, written, report, lint.RULES)
    if not mesh.complete:  # not every rule was looked at
        left = [finding for finding in left if finding.rule is not UNUSED]
    problems.extend(finding.diagnostic for finding in left if not _is_off(finding, contract, mesh))
    problems.raise_if_any()
    methods = {name: found.method for name, found in resolved.items()}
    topology = Topology(
        name=mesh.file.name,
        environment=environment,
        services={name: _service(name, mesh, contract, methods) for name in sorted(mesh.file.services)},
        gateways=gateways,
        auth=_auth(mesh),
        errors=_errors(contract),
        events=_events(contract),
        envoy_path=mesh.file.envoy.path,
        mtls=mesh.file.mtls,
        descriptors=served_descriptors(files, methods),
        origin=mesh.origin("name"),
    )
    return Compilation(topology=topology, problems=problems, silenced=silenced)


def _is_off(finding: Finding, contract: Contract, mesh: Mesh) -> bool:
    """Whether `lint: off` for the package of the contract silences it."""
    package = contract.packages.get(finding.diagnostic.origin.file)
    if finding.rule.required or package is None:
        return False
    defaults = package_defaults(mesh.file.contracts, package)
    return defaults is not None and defaults[1].lint == "off"


def _service(name: str, mesh: Mesh, contract: Contract, methods: Mapping[str, Method]) -> Service:
    file = mesh.file.services[name]
    return Service(
        name=name,
        runs=_runs(file),
        serves=tuple(
            RpcService(
                full_name=served,
                methods=tuple(methods[method.full_name] for method in contract.services[served].methods),
                origin=contract.services[served].origin,
            )
            for served in file.serves
        ),
        workers=file.workers or 1,
        calls=_calls(name, mesh, contract),
        subscribes=tuple(file.subscribes),
        subscribers=subscribers_of(name, mesh, contract),
        publishers=publishers_of(name, mesh, contract),
        broker=_broker(mesh),
        env=dict(file.env),
        env_file=file.env_file,
        account=_account(name, file, mesh),
        origin=mesh.origin("services", name),
    )


def _broker(mesh: Mesh) -> Broker | None:
    events = mesh.file.events
    return Broker(url=events.url, prefix=mesh.file.name) if events.transport == "nats" and events.url else None


def _runs(file: ServiceFile) -> PythonApp | Command | External:
    if file.run is not None:
        return PythonApp(target=file.run)
    if file.command is not None:
        return Command(argv=tuple(file.command))
    assert file.address is not None, "mesh_yaml lets no service through that says none of the three"
    return External(
        address=file.address,
        http1=file.protocol == "http1",
        tls=_server_tls(file.address, file.tls),
        user=UserAs(file.user) if file.user else _believes(file.address),
    )


def _account(name: str, file: ServiceFile, mesh: Mesh) -> Account | None:
    if file.user is None or file.address is not None:
        return None
    return Account(name=file.user, origin=mesh.origin("services", name, "user"))


def _server_tls(address: Address, file: ServerTlsFile | None) -> ServerTls | None:
    if file is None:
        return None
    assert isinstance(address, TcpAddress), "mesh_yaml lets no other through"
    return ServerTls(authorities=file.ca, name=file.name or address.host)


def _believes(address: Address) -> UserAs:
    """What may be on another machine has no reason to believe what metadata says, nor to hear it."""
    here = not isinstance(address, TcpAddress) or address.loopback
    return UserAs.METADATA if here else UserAs.NOBODY


def _calls(name: str, mesh: Mesh, contract: Contract) -> tuple[Call, ...]:
    """One Call for each callee, in the order of their first mention."""
    methods: dict[str, list[str]] = {}
    first: dict[str, int] = {}
    for index, call in enumerate(mesh.file.services[name].calls):
        callee, method = split_call(call)
        first.setdefault(callee, index)
        named = methods.setdefault(callee, [])
        if method:
            served = [m for rpc in mesh.file.services[callee].serves for m in contract.services[rpc].methods]
            named.extend(found.full_name for found in matching(method, served))
    return tuple(
        Call(service=callee, methods=tuple(named), origin=mesh.origin("services", name, "calls", first[callee]))
        for callee, named in methods.items()
    )


def _auth(mesh: Mesh) -> tuple[TokenProvider, ...]:
    return tuple(
        TokenProvider(
            name=file.name or "",
            issuer=file.issuer,
            audience=file.audience,
            keys=KeySource(service=file.jwks.service, file=file.jwks.file, url=file.jwks.url),
            max_lifetime=file.max_lifetime,
            origin=mesh.origin("auth", index),
        )
        for index, file in enumerate(mesh.file.auth)
    )


def _errors(contract: Contract) -> dict[str, DeclaredError]:
    return {
        name: DeclaredError(
            full_name=name,
            code=declared.error.code,
            message=declared.error.message,
            fields=tuple(declared.message.fields),
            origin=declared.message.origin,
        )
        for name, declared in sorted(contract.errors.items())
        if declared.error is not None
    }


def _events(contract: Contract) -> dict[str, DeclaredEvent]:
    return {
        name: DeclaredEvent(full_name=name, key=declared.event.key, origin=declared.message.origin)
        for name, declared in sorted(contract.events.items())
        if declared.event is not None
    }
