"""Declared errors: a code that is one, a text whose fields exist, and methods that list what is declared."""

import re

from google.rpc import code_pb2

from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule, did_you_mean

__all__ = ["RULES", "check", "text_fields"]

ERROR_CODE_OK = Rule(id="ERROR_CODE_OK", means="A declared error has no code, or OK, which is no error.")
ERROR_TEXT_UNKNOWN_FIELD = Rule(
    id="ERROR_TEXT_UNKNOWN_FIELD", means="The text of a declared error names a field that the message does not have."
)
ERROR_TEXT_MALFORMED = Rule(
    id="ERROR_TEXT_MALFORMED", means="The text of a declared error has a brace that does not belong to a field."
)
UNDECLARED_ERROR = Rule(
    id="UNDECLARED_ERROR", means="A method lists an error that is no message with the option (protomesh.v1.error)."
)
RULES = (ERROR_CODE_OK, ERROR_TEXT_UNKNOWN_FIELD, ERROR_TEXT_MALFORMED, UNDECLARED_ERROR)

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def text_fields(text: str) -> list[str] | None:
    """The fields that an error's text names, in order; None if a brace belongs to no field."""
    return None if re.search(r"[{}]", _FIELD.sub("", text)) else _FIELD.findall(text)


def check(project: Project, report: Report) -> None:
    """Checks the declared errors, and the lists of the methods."""
    for declared in project.contract.errors.values():
        error, message = declared.error, declared.message
        assert error is not None, "an error is in `errors` for its option"
        if error.code == code_pb2.OK:
            origin = declared.origins.get("code", message.origin)
            hint = "Set code: NOT_FOUND, FAILED_PRECONDITION or another of google.rpc.Code."
            report.add(ERROR_CODE_OK, origin, f"the error {message.full_name} has no code, or OK", hint)
        origin = declared.origins.get("message", message.origin)
        fields = text_fields(error.message)
        if fields is None:
            hint = "Write {field} with the name of a field, and no other brace."
            report.add(ERROR_TEXT_MALFORMED, origin, f"{error.message!r} has a brace that names no field", hint)
        for field in fields or ():
            if field not in message.fields:
                known = ", ".join(message.fields) or "none"
                hint = did_you_mean(field, message.fields, f"Its fields: {known}.")
                text = f"the text of {message.full_name} names {field!r}, which is no field of it"
                report.add(ERROR_TEXT_UNKNOWN_FIELD, origin, text, hint)
    for service, method, _ in project.methods():
        for name in method.policy.errors:
            if project.contract.find_error(name, service.package) is None:
                names = {error.removeprefix(f"{service.package}.") for error in project.contract.errors}
                hint = did_you_mean(
                    name, names, "Declare it: a message with option (protomesh.v1.error) = {code: ...}."
                )
                origin = method.origins.get("errors", method.origin)
                report.add(
                    UNDECLARED_ERROR, origin, f"{method.full_name} lists {name!r}, which is no declared error", hint
                )
