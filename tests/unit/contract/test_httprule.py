import pytest
from google.api import http_pb2
from hypothesis import given
from hypothesis import strategies as st

from protomesh.contract.httprule import Pattern, parse_template, patterns, refusal


@pytest.mark.parametrize(
    ("text", "segments", "variables", "verb"),
    [
        ("/", (), (), ""),
        ("/v1/time", ("v1", "time"), (), ""),
        ("/v1/*/time", ("v1", "*", "time"), (), ""),
        ("/v1/{zone}", ("v1", "*"), ("zone",), ""),
        ("/v1/{zone=*}", ("v1", "*"), ("zone",), ""),
        ("/v1/{path=**}", ("v1", "**"), ("path",), ""),
        ("/v1/{clock.name=zones/*/clocks/*}", ("v1", "zones", "*", "clocks", "*"), ("clock.name",), ""),
        ("/v1/{zone}/{clock}:set", ("v1", "*", "*"), ("zone", "clock"), "set"),
        ("/v1/time:now", ("v1", "time"), (), "now"),
        ("/v1/time:at:noon", ("v1", "time"), (), "at:noon"),
        ("/v1/{name=a:b}", ("v1", "a:b"), ("name",), ""),
        ("/v1/a:b/c", ("v1", "a:b", "c"), (), ""),
    ],
)
def test_a_template_is_read_by_its_grammar(
    text: str, segments: tuple[str, ...], variables: tuple[str, ...], verb: str
) -> None:
    """Variables give way to what they match; the verb is what follows the last segment's colon."""
    template = parse_template(text)
    assert (template.segments, template.variables, template.verb) == (segments, variables, verb)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not begin with '/'"),
        ("v1/time", "does not begin with '/'"),
        ("//time", "segment is empty"),
        ("/v1//time", "segment is empty"),
        ("/v1/time/", "segment is empty"),
        ("/v1/:set", "segment is empty"),
        ("/v1/time:", "nothing follows ':'"),
        ("/v1/{zone}:", "nothing follows ':'"),
        ("/v1/{zone", "braces do not match"),
        ("/v1/zone}", "braces do not match"),
        ("/v1/{zone={clock}}", "braces do not match"),
        ("/v1/{}", "has no name"),
        ("/v1/{zone=}", "segment is empty"),
        ("/v1/{zo-ne}", "is not a field"),
        ("/v1/{1}", "is not a field"),
        ("/v1/{zone.}", "is not a field"),
        ("/v1/{zone}-x", "follows a variable"),
        ("/v1/{zone}{clock}", "follows a variable"),
        ("/v1/x-{zone}", "not a whole path segment"),
        ("/v1/***", "no wildcard"),
        ("/v1/time:{zone}", "verb contains a variable"),
    ],
)
def test_what_breaks_the_grammar_is_refused_with_the_reason(text: str, why: str) -> None:
    """The message completes the sentence "... is not a path template: "."""
    with pytest.raises(ValueError, match=why):
        parse_template(text)


@given(st.text(alphabet="/{}=*:.ab_1", max_size=20))
def test_a_template_is_parsed_or_refused_and_nothing_else(text: str) -> None:
    """No text makes the parser fail in another way; what it takes has no empty segment and no brace."""
    try:
        template = parse_template(text)
    except ValueError:
        return
    assert not set(template.verb) & set("{}")
    assert all(segment and not set(segment) & set("/{}") for segment in template.segments)


def test_templates_of_one_shape_match_the_same_paths() -> None:
    """Names of variables make no difference; what they match, and the verb, do."""
    shapes = [parse_template(text).shape for text in ("/v1/{a}", "/v1/{b=*}", "/v1/*", "/v1/{a=**}", "/v1/{a}:b", "/")]
    assert shapes == ["/v1/*", "/v1/*", "/v1/*", "/v1/**", "/v1/*:b", "/"]


def test_a_refusal_says_why() -> None:
    """The reason is for the person who wrote the template."""
    templates = ("/v1/{a=**}/{b}", "/v1/a:b/c", "/v1/a:b:c", "/v1/{a=**}/b")
    assert [refusal(parse_template(text)) for text in templates] == [
        "a variable or wildcard follows '**'",
        "a path segment contains ':'",
        "its verb contains ':'",
        None,
    ]


def test_a_rule_has_its_own_binding_and_the_additional_ones() -> None:
    """In the order they are written, custom verbs as they are spelled."""
    rule = http_pb2.HttpRule(
        post="/v1/a",
        body="*",
        additional_bindings=[
            http_pb2.HttpRule(custom=http_pb2.CustomHttpPattern(kind="HEAD", path="/v1/b")),
            http_pb2.HttpRule(),
        ],
    )
    assert list(patterns(rule)) == [
        Pattern(method="POST", template="/v1/a", body="*", response_body=""),
        Pattern(method="HEAD", template="/v1/b", body="", response_body=""),
        Pattern(method="", template="", body="", response_body=""),
    ]
