"""Lists are paged from the first day (AIP-158): adding it later breaks callers."""

from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule

__all__ = ["RULES", "check"]

LIST_WITHOUT_PAGING = Rule(
    id="LIST_WITHOUT_PAGING",
    means="A List method has no page_size, page_token or next_page_token (AIP-158).",
    required=False,
)
RULES = (LIST_WITHOUT_PAGING,)


def check(project: Project, report: Report) -> None:
    """Checks unary methods whose name begins with List."""
    for _, method, _ in project.methods():
        if method.streaming or not _is_list(method.name):
            continue
        wanted = (
            (method.request, "page_size", "int32"),
            (method.request, "page_token", "string"),
            (method.response, "next_page_token", "string"),
        )
        missing = [f"{kind} {name}" for message, name, kind in wanted if not message.has(name, kind)]
        if missing:
            message = f"{method.full_name} lists without {', '.join(missing)}"
            hint = "Add int32 page_size and string page_token to its request, string next_page_token to its response."
            report.add(LIST_WITHOUT_PAGING, method.origin, message, hint)


def _is_list(name: str) -> bool:
    return name.startswith("List") and not name[4:5].islower()  # not Listen
