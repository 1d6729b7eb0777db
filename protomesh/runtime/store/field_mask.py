"""Changing some fields of a resource: https://google.aip.dev/134 and https://google.aip.dev/161."""

from collections.abc import Collection
from typing import TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from protomesh.runtime.errors import StatusError

__all__ = ["masked"]

MessageT = TypeVar("MessageT", bound=Message)


def masked(current: MessageT, changed: MessageT, mask: FieldMask, *, fixed: Collection[str] = ()) -> MessageT:
    """A copy of `current` with the fields of `changed` that `mask` names. Neither argument changes.

    An empty mask means every field that is set in `changed`; "*" means every field, so that what is not set there
    is cleared. `fixed` fields belong to the service: those two forms pass them over, and naming one is a mistake.

    Raises:
        StatusError: The mask names a field that does not exist, or a fixed one (INVALID_ARGUMENT).
    """
    names = [field.name for field in current.DESCRIPTOR.fields if field.name not in fixed]
    if list(mask.paths) == ["*"]:
        paths = names
    elif mask.paths:
        paths = list(mask.paths)
        for path in paths:
            named = FieldMask(paths=[path])
            if not named.IsValidForDescriptor(current.DESCRIPTOR):  # type: ignore[arg-type] # one of its two classes
                raise StatusError.invalid(
                    "update_mask", f"names {path!r}, which {current.DESCRIPTOR.name} does not have"
                )
            if path.partition(".")[0] in fixed:
                raise StatusError.invalid("update_mask", f"names {path!r}, which can't be changed")
    else:
        present = {field.name for field, _ in changed.ListFields()}
        paths = [name for name in names if name in present]
    result = type(current)()
    result.CopyFrom(current)
    FieldMask(paths=paths).MergeMessage(changed, result, replace_message_field=True, replace_repeated_field=True)
    return result
