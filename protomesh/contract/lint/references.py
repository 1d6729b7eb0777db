"""Names in mesh.yaml: each stands for something that is there."""

from protomesh.contract.call_names import matching, split_call
from protomesh.contract.lint.project import Project
from protomesh.contract.policies import package_defaults
from protomesh.contract.report import Report, Rule, did_you_mean
from protomesh.diagnostics import Severity

__all__ = ["RULES", "check"]

UNKNOWN_RPC_SERVICE = Rule(id="UNKNOWN_RPC_SERVICE", means="mesh.yaml names an RPC service that no contract declares.")
UNKNOWN_SERVICE = Rule(id="UNKNOWN_SERVICE", means="mesh.yaml names a service that it does not have.")
UNKNOWN_METHOD = Rule(id="UNKNOWN_METHOD", means="mesh.yaml names a method that does not exist, or that two have.")
UNKNOWN_EVENT = Rule(id="UNKNOWN_EVENT", means="A service subscribes to an event that no contract declares.")
SUBSCRIBED_TWICE = Rule(id="SUBSCRIBED_TWICE", means="subscribes names the same event twice.")
UNKNOWN_PACKAGE = Rule(
    id="UNKNOWN_PACKAGE",
    means="contracts: names a package that no contract has.",
    severity=Severity.WARNING,
    required=False,
)
SERVED_TWICE = Rule(id="SERVED_TWICE", means="Two services serve one RPC service: a call could go to either.")
CALLED_TWICE = Rule(id="CALLED_TWICE", means="calls names the same thing twice.")
NOT_SERVED = Rule(
    id="NOT_SERVED",
    means="A contract declares an RPC service that no service of mesh.yaml serves.",
    severity=Severity.WARNING,
    required=False,
)
RULES = (
    UNKNOWN_RPC_SERVICE,
    UNKNOWN_SERVICE,
    UNKNOWN_METHOD,
    UNKNOWN_EVENT,
    SUBSCRIBED_TWICE,
    UNKNOWN_PACKAGE,
    SERVED_TWICE,
    CALLED_TWICE,
    NOT_SERVED,
)


def check(project: Project, report: Report) -> None:
    """Checks every name in mesh.yaml."""
    _check_served(project, report)
    for name in project.mesh.file.services:
        _check_calls(project, name, report)
        _check_subscriptions(project, name, report)
    _check_routes(project, report)
    _check_overrides(project, report)
    packages = project.contract.package_origins
    for package, defaults in project.mesh.file.contracts.items():
        if not any(package_defaults({package: defaults}, known) for known in packages):
            hint = did_you_mean(package, packages, "Remove it.")
            origin = project.mesh.origin("contracts", package)
            report.add(UNKNOWN_PACKAGE, origin, f"no contract has the package {package!r}", hint)


def _check_served(project: Project, report: Report) -> None:
    known = project.contract.services
    servers: dict[str, str] = {}
    for name, file in project.mesh.file.services.items():
        for index, served in enumerate(file.serves):
            origin = project.mesh.origin("services", name, "serves", index)
            if served not in known:
                hint = did_you_mean(served, known, "Declare it below protos/, or remove it.")
                report.add(UNKNOWN_RPC_SERVICE, origin, f"no contract declares the service {served!r}", hint)
            elif served in servers:
                both = f"{servers[served]} and {name} both serve" if servers[served] != name else f"{name} twice serves"
                message = f"{both} {served}"
                report.add(SERVED_TWICE, origin, message, "Let one of them serve it; more workers are workers: 2.")
            else:
                servers[served] = name
    for full_name, service in known.items():
        if full_name not in servers:
            hint = "Add it to serves: of the service in mesh.yaml that answers it."
            report.add(NOT_SERVED, service.origin, f"no service serves {full_name}", hint)


def _check_calls(project: Project, name: str, report: Report) -> None:
    services = project.mesh.file.services
    calls = services[name].calls
    for index, call in enumerate(calls):
        origin = project.mesh.origin("services", name, "calls", index)
        callee, method = split_call(call)
        if callee not in services:
            hint = did_you_mean(callee, services, "Add the service to mesh.yaml, or remove the call.")
            report.add(UNKNOWN_SERVICE, origin, f"{name} calls {callee!r}, which is no service of the mesh", hint)
            continue
        if calls.index(call) != index or (method and callee in calls):
            message = f"{name} calls {call} and that is said already"
            report.add(CALLED_TWICE, origin, message, f"Remove it; {callee!r} alone means all of its methods.")
        if not services[callee].serves:
            hint = f"Add serves: to {callee}, or remove the call."
            report.add(UNKNOWN_METHOD, origin, f"{name} calls {callee}, which serves nothing", hint)
            continue
        if not method:
            continue
        served = project.served_by(callee)
        found = matching(method, served)
        if not found:
            hint = did_you_mean(method, [m.name for m in served], f"Declare it in a contract that {callee} serves.")
            report.add(UNKNOWN_METHOD, origin, f"{callee} serves no method {method!r}", hint)
        elif len(found) > 1:
            names = " and ".join(m.full_name for m in found)
            report.add(UNKNOWN_METHOD, origin, f"{method!r} may be {names}", f"Write {callee}/Service.Method.")


def _check_subscriptions(project: Project, name: str, report: Report) -> None:
    subscribes = project.mesh.file.services[name].subscribes
    for index, event in enumerate(subscribes):
        origin = project.mesh.origin("services", name, "subscribes", index)
        if event not in project.contract.events:
            hint = did_you_mean(event, project.contract.events, "Declare it: a message with (protomesh.v1.event).")
            report.add(UNKNOWN_EVENT, origin, f"no contract declares the event {event!r}", hint)
        elif subscribes.index(event) != index:
            report.add(SUBSCRIBED_TWICE, origin, f"{name} subscribes to {event} twice", "Remove one of the two.")


def _check_routes(project: Project, report: Report) -> None:
    services = project.mesh.file.services
    for number, gateway in enumerate(project.mesh.file.gateways or ()):
        for index, route in enumerate(gateway.routes):
            if route.service is not None and route.service not in services:
                hint = did_you_mean(route.service, services, "Add the service to mesh.yaml.")
                origin = project.mesh.origin("gateways", number, "routes", index, "service")
                message = f"a route goes to {route.service!r}, which is no service of the mesh"
                report.add(UNKNOWN_SERVICE, origin, message, hint)


def _check_overrides(project: Project, report: Report) -> None:
    contract = project.contract
    methods = [method.full_name for _, method in contract.methods()]
    for key in project.mesh.file.overrides:
        if key in contract.services or key in methods:
            continue
        origin = project.mesh.origin("overrides", key)
        if "/" in key:
            hint = did_you_mean(key, methods, "Write it as package.Service/Method.")
            report.add(UNKNOWN_METHOD, origin, f"no contract declares the method {key!r}", hint)
        else:
            hint = did_you_mean(key, contract.services, "Write it as package.Service or package.Service/Method.")
            report.add(UNKNOWN_RPC_SERVICE, origin, f"no contract declares the service {key!r}", hint)
