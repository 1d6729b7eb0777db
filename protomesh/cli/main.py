"""The verbs and their arguments."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from protomesh.cli.exits import ExitCode, Failure

__all__ = ["app", "main"]

# Plain help: rich would take longer to import than everything else that --help needs.
app = typer.Typer(
    name="protomesh",
    help="A gRPC service mesh for Python in which the contract is the configuration.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
render_app = typer.Typer(help="Write what a platform is told, for review.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(render_app, name="render")
db_app = typer.Typer(help="Migrate, or empty, a service's database.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(db_app, name="db")
events_app = typer.Typer(
    help="See, and mend, what subscribers could not handle.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(events_app, name="events")

ProjectOption = Annotated[
    Path | None,
    typer.Option("--project", metavar="DIR", help="The project; else the nearest mesh.yaml here or above."),
]
EnvOption = Annotated[str, typer.Option("--env", metavar="ENV", help="Adds mesh.ENV.yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]


@app.command()
def up(
    project: ProjectOption = None,
    env: EnvOption = "base",
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Leave the others running if a service can't start.")
    ] = False,
    tether: Annotated[
        int | None,
        typer.Option(metavar="FD", hidden=True, help="End when nobody holds the other end of this pipe; for programs."),
    ] = None,
) -> None:
    """Start the mesh and return when every service answers through Envoy."""
    from protomesh.cli.up import up as run  # noqa: PLC0415 - each verb imports what it needs, when it is used

    run(project, env, keep_going=keep_going, tether=tether)


@app.command()
def down(project: ProjectOption = None) -> None:
    """Stop the mesh. Data and logs stay."""
    from protomesh.cli.down import down as run  # noqa: PLC0415

    run(project)


@app.command()
def dev(project: ProjectOption = None, env: EnvOption = "base") -> None:
    """Run the mesh in this terminal: logs, and a reload or restart for each file that is saved. Ctrl-C stops all."""
    from protomesh.cli.dev import dev as run  # noqa: PLC0415

    run(project, env)


@app.command("run")
def run_service(
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    project: ProjectOption = None,
) -> None:
    """Run one worker in this terminal in place of the mesh's: breakpoint() works, deadlines are suspended."""
    from protomesh.cli.run import run  # noqa: PLC0415

    run(project, service)


@app.command()
def call(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="package.Service/Method, or an end of it.")],
    request: Annotated[str, typer.Argument(metavar="JSON", help="The request; - reads it from stdin.")] = "{}",
    as_service: Annotated[
        str | None, typer.Option("--as", metavar="SERVICE", help="Call as that service would, with its permissions.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="SUBJECT", help="Call on behalf of a user, without a token.")
    ] = None,
    scope: Annotated[list[str] | None, typer.Option(metavar="SCOPE", help="A scope of that user.")] = None,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", metavar="KEY:VALUE")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="Deadline of the call.")] = None,
    project: ProjectOption = None,
) -> None:
    """Call a method of the running mesh, INTERNAL ones included. Streams are one JSON value a line."""
    from protomesh.cli.call import call as run  # noqa: PLC0415
    from protomesh.cli.call import on_behalf_of, read_header  # noqa: PLC0415

    behalf = on_behalf_of(user, scope or [])
    run(
        project,
        method,
        request,
        as_service=as_service,
        metadata=[*behalf, *map(read_header, header or [])],
        timeout=timeout,
    )


@app.command()
def status(project: ProjectOption = None, json: JsonOption = False) -> None:
    """Show services, workers, endpoints and what Envoy said to its configuration."""
    from protomesh.cli.status import status as run  # noqa: PLC0415

    run(project, json=json)


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(metavar="SERVICE", help="Or mesh, envoy, access; else all.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many old lines of each log.")] = 50,
    project: ProjectOption = None,
) -> None:
    """Show the logs: readable on a terminal, JSON lines else."""
    from protomesh.cli.logs import logs as run  # noqa: PLC0415

    run(project, service, follow=follow, lines=lines)


@app.command()
def restart(service: Annotated[str, typer.Argument(metavar="SERVICE")], project: ProjectOption = None) -> None:
    """Replace the workers of a service without failing a call."""
    from protomesh.cli.restart import restart as run  # noqa: PLC0415

    run(project, service)


@app.command()
def explain(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="package.Service/Method, or an end of it.")],
    project: ProjectOption = None,
    env: EnvOption = "base",
    json: JsonOption = False,
) -> None:
    """Show a method's policy, which line set each value, and the Envoy route that carries it."""
    from protomesh.cli.explain import explain as run  # noqa: PLC0415

    run(project, env, method, json=json)


@app.command()
def check(
    project: ProjectOption = None,
    env: EnvOption = "base",
    json: JsonOption = False,
    security: Annotated[
        bool, typer.Option("--security", help="Check nothing; list what is open, to whom, and the line that says so.")
    ] = False,
) -> None:
    """Check contracts, mesh.yaml and generated files, and let Envoy validate what it would be told."""
    from protomesh.cli import check as command  # noqa: PLC0415

    run = command.check_security if security else command.check
    run(project, env, json=json)


@app.command()
def proto(
    project: ProjectOption = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what is stale and end with 1.")] = False,
) -> None:
    """Generate everything in generated/ from the contracts."""
    from protomesh.cli.proto import proto as run  # noqa: PLC0415

    run(project, check=check)


@app.command()
def clients(
    languages: Annotated[
        str | None,
        typer.Option("--for", metavar="LANG,...", help="go, typescript ...; else all whose tools are here."),
    ] = None,
    internal: Annotated[
        bool, typer.Option("--internal", help="With INTERNAL methods, for services of the mesh.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Generate clients in other languages: packages in generated/ that build with each language's own tool."""
    from protomesh.cli.clients import clients as run  # noqa: PLC0415

    run(project, languages, internal=internal)


@render_app.command("envoy")
def render_envoy(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="One file a resource; else all to stdout.")
    ] = None,
    project: ProjectOption = None,
    env: EnvOption = "base",
) -> None:
    """What Envoy is told, as YAML."""
    from protomesh.cli.render import render_envoy as run  # noqa: PLC0415

    run(project, env, output)


@events_app.command("list")
def events_list(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The one that publishes.")],
    project: ProjectOption = None,
) -> None:
    """Show the events of a service that some subscriber could not handle, and what waits behind each."""
    from protomesh.cli.events import list_stuck  # noqa: PLC0415

    list_stuck(project, service)


@events_app.command("replay")
def events_replay(
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    events: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Dead letters; all if not given.")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Have dead letters tried again, once what they failed for is mended."""
    from protomesh.cli.events import replay  # noqa: PLC0415

    replay(project, service, events or [])


@events_app.command("skip")
def events_skip(
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    events: Annotated[list[str], typer.Argument(metavar="ID...", help="Dead letters.")],
    project: ProjectOption = None,
) -> None:
    """Give dead letters up: their subscribers never learn of them, and what waits behind them goes on."""
    from protomesh.cli.events import skip  # noqa: PLC0415

    skip(project, service, events)


@db_app.command("revision")
def db_revision(
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    message: Annotated[str, typer.Option("--message", "-m", metavar="TITLE", help="What it does, as 'add weights'.")],
    project: ProjectOption = None,
) -> None:
    """Write the next migration from what changed in the code's tables. Read it before it runs."""
    from protomesh.cli.db import revision  # noqa: PLC0415

    revision(project, service, message)


@db_app.command("upgrade")
def db_upgrade(service: Annotated[str, typer.Argument(metavar="SERVICE")], project: ProjectOption = None) -> None:
    """Run the migrations that the database lacks, as the service's first worker would."""
    from protomesh.cli.db import upgrade  # noqa: PLC0415

    upgrade(project, service)


@db_app.command("reset")
def db_reset(
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: ProjectOption = None,
) -> None:
    """Remove everything in the database and migrate it again, while the service does not run. Asks first."""
    from protomesh.cli.db import reset  # noqa: PLC0415

    reset(project, service, yes=yes)


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR")],
    name: Annotated[str | None, typer.Option(help="The mesh's name; else the directory's.")] = None,
) -> None:
    """Lay down the smallest project: one method, its service and its test."""
    from protomesh.cli.init import init as run  # noqa: PLC0415

    run(directory, name)


def main() -> None:
    """Runs the command and ends the process with an exit code of `ExitCode`."""
    try:
        app(prog_name="protomesh")
    except Failure as failure:
        print(failure.text, file=sys.stderr)
        sys.exit(failure.code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
