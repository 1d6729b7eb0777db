"""Whether Envoy would take a configuration, and if not, which line of the user's is to blame."""

from protomesh.control.status import origin_of
from protomesh.model import Layout, Origin
from protomesh.proxy import ConfigurationRefused, EnvoyBinary, validate
from protomesh.targets.envoy import CLUSTER, LISTENER, Configuration, Rendered, static_bootstrap

__all__ = ["dry_run", "refusal"]


async def dry_run(binary: EnvoyBinary, configuration: Configuration, layout: Layout) -> None:
    """Has Envoy look at a configuration: 50 to 400 ms if it accepts it.

    Raises:
        ConfigurationRefused: it does not. The text begins with the line in the user's files, if there is one, and
            the resource.
    """
    try:
        await validate(binary, static_bootstrap(configuration, layout))
    except ConfigurationRefused as refused:
        culprit, reason = await _culprit(binary, configuration, layout, refused.reason)
        if culprit is None:
            raise
        origin = origin_of(reason, culprit.name, culprit.origins)
        raise refusal(reason, f"{culprit.type_url.rpartition('.')[2]} {culprit.name}", origin) from refused


def refusal(reason: str, resource: str | None, origin: Origin | None) -> ConfigurationRefused:
    """A refusal whose text begins with the place."""
    return ConfigurationRefused(reason, resource=": ".join(str(part) for part in (origin, resource) if part) or None)


async def _culprit(
    binary: EnvoyBinary, configuration: Configuration, layout: Layout, reason: str
) -> tuple[Rendered | None, str]:
    """Halves the configuration until the bad resource is alone; Envoy's text often does not say which one it is.

    Returns:
        It, or None if only several together are refused, and what Envoy says of it.
    """
    suspects = [*configuration.of(CLUSTER), *configuration.of(LISTENER)]
    rest = [r for r in configuration.resources() if r.type_url not in {CLUSTER, LISTENER}]  # looked up by listeners
    while len(suspects) > 1:
        middle = len(suspects) // 2
        for half in (suspects[:middle], suspects[middle:]):
            try:
                await validate(binary, static_bootstrap(Configuration([*half, *rest]), layout))
            except ConfigurationRefused as refused:
                suspects, reason = half, refused.reason
                break
        else:
            return None, reason
    return (suspects[0] if suspects else None), reason
