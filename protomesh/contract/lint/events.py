"""Declared events: a key that is a field."""

from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule, did_you_mean

__all__ = ["RULES", "check"]

EVENT_KEY_UNKNOWN_FIELD = Rule(
    id="EVENT_KEY_UNKNOWN_FIELD", means="The key of an event is no field of it, or one that has no order."
)
RULES = (EVENT_KEY_UNKNOWN_FIELD,)


def check(project: Project, report: Report) -> None:
    """Checks the keys of declared events."""
    for declared in project.contract.events.values():
        event, message = declared.event, declared.message
        assert event is not None, "an event is in `events` for its option"
        if not event.key:
            continue
        field, origin = message.fields.get(event.key), declared.origins.get("key", message.origin)
        if field is None:
            hint = did_you_mean(event.key, message.fields, f"Its fields: {', '.join(message.fields) or 'none'}.")
            text = f"the key of {message.full_name} is {event.key!r}, which is no field of it"
            report.add(EVENT_KEY_UNKNOWN_FIELD, origin, text, hint)
        elif field.repeated or field.message:
            text = f"the key of {message.full_name} is {event.key!r}, which is repeated or a message"
            report.add(EVENT_KEY_UNKNOWN_FIELD, origin, text, "Choose a field with one plain value.")
