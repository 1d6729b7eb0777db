"""What can go wrong with Envoy.

ProxyError
├── EnvoyNotFound          there is no Envoy that can be used
├── EnvoyFailed            it did not start, or it ended
└── ConfigurationRefused   it does not accept what it was given
"""

__all__ = ["ConfigurationRefused", "EnvoyFailed", "EnvoyNotFound", "ProxyError"]


class ProxyError(Exception):
    """Anything that this package raises; its text is for the user."""


class EnvoyNotFound(ProxyError):  # noqa: N818 - it names a state of the machine, as FileNotFoundError's first half does
    """There is no Envoy that can be used; the text says what to do."""


class EnvoyFailed(ProxyError):  # noqa: N818 - the name of what happened
    """Envoy did not start, or it ended; the text holds the end of its log."""


class ConfigurationRefused(ProxyError):  # noqa: N818 - the name of what happened
    """Envoy does not accept a configuration.

    `reason` is what is wrong, short; `resource` names the one that is, where that is known.
    """

    def __init__(self, reason: str, *, resource: str | None = None) -> None:
        self.reason = reason
        self.resource = resource
        super().__init__(f"{resource}: {reason}" if resource else reason)
