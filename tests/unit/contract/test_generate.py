import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from protomesh.contract.generate import generate_python, python_directory
from protomesh.diagnostics import InvalidProject

CONTRACTS = Path(__file__).parents[1] / "runtime" / "protos"
# Kept between runs: what takes mypy long is the library, and that seldom changes.
MYPY_CACHE = Path(__file__).parents[3] / ".mypy_cache" / "generated"
MYPY = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={MYPY_CACHE}"]

GOOD = '''
"""Code as the author of a service and its tests writes it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from probe.v1 import (
    AnswerRequest,
    AnswerResponse,
    Burnt,
    ChatRequest,
    ChatResponse,
    ExportRequest,
    ExportResponse,
    HurryRequest,
    HurryResponse,
    ImportRequest,
    ImportResponse,
    LeafServiceServicer,
    LeafServiceStub,
    WatchRequest,
    WatchResponse,
)

from protomesh.runtime import App, Context, Mesh, User, detached, every
from protomesh.testing import Fake, running, serving


class Leaf(LeafServiceServicer):
    def __init__(self, leaf: LeafServiceStub) -> None:
        self.leaf = leaf

    async def Answer(self, request: AnswerRequest, context: Context, /) -> AnswerResponse:
        user: User | None = context.user
        try:
            answer = await self.leaf.Answer(AnswerRequest(text=request.text), timeout=0.5)
        except Burnt as burnt:
            text: str = burnt.name + (burnt.note or "") + ", ".join(burnt.tags) + burnt.detail.code
            weight: float = burnt.crumbs["x"].weight + sum(crumb.weight for crumb in burnt.all)
            shade: str = Burnt.Shade.Name(burnt.shade)
            since = burnt.since.ToDatetime() if burnt.since is not None else None
            raise Burnt(
                name=f"{text} {weight} {shade} {since}",
                degrees=burnt.degrees,
                shade=Burnt.Shade.SHADE_BLACK,
                tags=["a"],
                crumbs={"x": Burnt.Crumb(weight=1)},
                machine=burnt.machine,
                note=None,
            ) from burnt
        async with detached(timeout=timedelta(seconds=1)):
            await self.leaf.Hurry(HurryRequest())
        return AnswerResponse(text=answer.text + (user.subject if user else ""))

    async def Hurry(self, request: HurryRequest, context: Context, /) -> HurryResponse:
        remaining: timedelta | None = context.time_remaining
        return HurryResponse(text=f"{request.text} {remaining} {context.caller} {context.draining}")

    async def Watch(self, request: WatchRequest, context: Context, /) -> AsyncIterator[WatchResponse]:
        async for response in self.leaf.Watch(request):
            yield WatchResponse(number=response.number)

    async def Export(self, request: ExportRequest, context: Context, /) -> AsyncIterator[ExportResponse]:
        yield ExportResponse(number=request.count)

    async def Import(self, request: AsyncIterator[ImportRequest], context: Context, /) -> ImportResponse:
        return ImportResponse(count=sum([message.number async for message in request]))

    async def Chat(
        self, request: AsyncIterator[ChatRequest], context: Context, /
    ) -> AsyncIterator[ChatResponse]:
        async for message in request:
            yield ChatResponse(text=message.text)

    async def sweep(self) -> None: ...


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    leaf = Leaf(mesh.client(LeafServiceStub))
    yield App(leaf, jobs=[every(timedelta(seconds=10), leaf.sweep, one_worker=True)])


async def test_it() -> None:
    fake = Fake(LeafServiceStub)
    fake.on(fake.stub.Answer).returns(AnswerResponse(text="a"), lambda request: AnswerResponse(text=request.text))
    fake.on(fake.stub.Hurry).raises(Burnt(name="a"))
    fake.on(fake.stub.Watch).streams([WatchResponse(number=1)])
    async with serving(Leaf(fake.stub), LeafServiceStub, user=User("alice")) as leaf:
        response = await leaf.Answer(AnswerRequest(text="a"))
        assert response.text == "a"
        async for watched in leaf.Watch(WatchRequest()):
            assert watched.number == 1
            break
    async with running(app, fakes=[fake]) as service:
        await service.client(LeafServiceStub, user=User("bob")).Answer(AnswerRequest())
'''

# Each line with a comment is wrong, and nothing else is.
BAD = """
from probe.v1 import AnswerRequest, AnswerResponse, Burnt, FrontServiceServicer, LeafServiceStub
from probe.v1 import AskRequest, AskResponse, HurryResponse

from protomesh.runtime import Context
from protomesh.testing import Fake


class Front(FrontServiceServicer):
    async def Ask(self, request: AskRequest, context: Context, /) -> AskResponse:
        return AskResponse(text=request.txt)  # no such field


front = Front()  # Follow is forgotten


async def use(leaf: LeafServiceStub, burnt: Burnt) -> None:
    await leaf.Answr(AnswerRequest())  # no such method
    number: int = (await leaf.Answer(AnswerRequest())).text  # text is no number
    Burnt(nam="a")  # no such field
    Burnt(degrees="a")  # text is no number
    degrees: str = burnt.degrees  # a number is no text
    burnt.note.upper()  # it may be None


fake = Fake(LeafServiceStub)
fake.on(fake.stub.Answer).returns(HurryResponse())  # another method's response
fake.on(fake.stub.Answer).returns(AnswerResponse())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the contracts of the runtime's tests, its Python generated, and code that uses it."""
    root = tmp_path_factory.mktemp("project")
    _copy(CONTRACTS, root / "protos")
    generate_python(root)
    (root / "good.py").write_text(GOOD)
    (root / "bad.py").write_text(BAD)
    return root


def test_code_that_uses_what_is_generated_passes_mypy_strict(project: Path) -> None:
    """And each mistake in it is found."""
    wrong = _wrong_lines()
    done = subprocess.run(
        [*MYPY, "--output=json", "good.py", "bad.py"],
        cwd=project,
        env={**os.environ, "MYPYPATH": "generated/python"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    errors = {(e["file"], e["line"]) for e in found if e["severity"] == "error"}
    assert errors == {("bad.py", line) for line in wrong}, done.stdout + done.stderr


def test_code_that_uses_what_is_generated_passes_pyright_strict(project: Path) -> None:
    """And each mistake in it is found."""
    (project / "pyrightconfig.json").write_text(
        json.dumps(
            {
                "typeCheckingMode": "strict",
                "extraPaths": ["generated/python"],
                "include": ["good.py", "bad.py"],
                "pythonVersion": "3.11",
            }
        )
    )
    done = subprocess.run(
        [Path(sys.executable).parent / "basedpyright", "--outputjson", "--pythonpath", sys.executable],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)["generalDiagnostics"]
    wrong = {f"bad.py:{line}" for line in _wrong_lines()}
    errors = {f"{Path(e['file']).name}:{e['range']['start']['line'] + 1}" for e in found}
    assert errors == wrong, done.stdout


def test_comments_of_the_contract_are_documentation(project: Path) -> None:
    """Of services, methods, errors and their fields; directives for tools are left out."""
    types = (python_directory(project) / "probe/v1/__init__.pyi").read_text()
    assert '"""Has less time than other methods."""' in types
    assert '"""What was baked."""' in types
    facade = (python_directory(project) / "probe/v1/__init__.py").read_text()
    assert "A contract of every kind of call, for tests of what serves and calls." not in facade[:40]


def test_generating_again_changes_nothing(project: Path) -> None:
    """Nor does it touch a file: what watches them sees no change."""
    before = _state(project)
    assert generate_python(project) == []
    assert _state(project) == before


def test_what_no_contract_makes_is_removed(tmp_path: Path) -> None:
    """With its folder, and whatever Python left beside it."""
    _copy(CONTRACTS, tmp_path / "protos")
    generate_python(tmp_path)
    generated = python_directory(tmp_path)
    cache = generated / "foreign/__pycache__"
    cache.mkdir()
    (cache / "plain_pb2.cpython-311.pyc").write_bytes(b"")
    (tmp_path / "protos/foreign/plain.proto").unlink()
    changed = {path.relative_to(generated).as_posix() for path in generate_python(tmp_path)}
    assert changed == {
        "foreign/__init__.py",
        "foreign/__init__.pyi",
        "foreign/plain_pb2.py",
        "foreign/plain_pb2.pyi",
        "foreign/plain_pb2_grpc.py",
        "foreign/plain_pb2_grpc.pyi",
        "foreign/py.typed",
    }
    assert not (generated / "foreign").exists()
    assert (generated / "probe/v1/__init__.py").exists()


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    """A new comment changes the files of its own contract and no other."""
    _copy(CONTRACTS, tmp_path / "protos")
    generate_python(tmp_path)
    contract = tmp_path / "protos/foreign/plain.proto"
    contract.write_text(contract.read_text().replace("service Plain", "// Does it.\nservice Plain"))
    changed = {path.relative_to(python_directory(tmp_path)).as_posix() for path in generate_python(tmp_path)}
    assert changed == {"foreign/__init__.pyi", "foreign/plain_pb2_grpc.py", "foreign/plain_pb2_grpc.pyi"}


def test_a_contract_with_an_error_changes_nothing(tmp_path: Path) -> None:
    """The last good stubs stay, and the error has its line."""
    _copy(CONTRACTS, tmp_path / "protos")
    generate_python(tmp_path)
    before = _state(tmp_path)
    (tmp_path / "protos/foreign/plain.proto").write_text('syntax = "proto3";\npackage foreign;\nmessage {}\n')
    with pytest.raises(InvalidProject, match=r"protos/foreign/plain\.proto:3:9: PROTO_SYNTAX"):
        generate_python(tmp_path)
    assert _state(tmp_path) == before


def test_packages_may_import_each_other_in_a_circle(tmp_path: Path) -> None:
    """Files may not, but one file of each package may import one of the other."""
    _write(tmp_path, "a/one.proto", 'package a; import "b/one.proto"; message One { b.One one = 1; }')
    _write(tmp_path, "a/two.proto", "package a; message Two {}")
    _write(tmp_path, "b/one.proto", "package b; message One {}")
    _write(tmp_path, "b/two.proto", 'package b; import "a/one.proto"; message Two { a.One one = 1; }')
    generate_python(tmp_path)
    for first, second in (("a", "b"), ("b", "a")):
        code = f"from {first} import One, Two; from {second} import One, Two; print(Two.DESCRIPTOR.full_name)"
        assert _python(tmp_path, code) == f"{second}.Two\n"


def test_names_of_a_contract_clash_with_nothing(tmp_path: Path) -> None:
    """Messages called as what a stub needs, methods called as messages, folders that are no Python names."""
    _write(
        tmp_path,
        "odd-name/odd-file.proto",
        """package odd;
        import "google/protobuf/empty.proto";
        message Context {} message ABC {} message AsyncIterator {} message Sequence {}
        enum Literal { LITERAL_UNSPECIFIED = 0; }
        service Odd { rpc Context(.odd.Context) returns (.odd.ABC) {}
                      rpc ABC(stream .odd.ABC) returns (stream .odd.Context) {}
                      rpc import(google.protobuf.Empty) returns (google.protobuf.Empty) {} }
        message Nested { message Context { enum Kind { KIND_UNSPECIFIED = 0; } } }""",
    )
    generate_python(tmp_path)
    code = "import odd; print(sorted(odd.__all__), odd.Literal.Name(0), dir(odd) == odd.__all__, hasattr(odd, 'x'))"
    names = ["ABC", "AsyncIterator", "Context", "Literal", "Nested", "OddServicer", "OddStub", "Sequence"]
    assert _python(tmp_path, code) == f"{names} LITERAL_UNSPECIFIED True False\n"
    (tmp_path / "use.py").write_text(
        "from collections.abc import AsyncIterator\n"
        "import odd\nfrom protomesh.runtime import Context\n"
        "class Odd(odd.OddServicer):\n"
        "    async def Context(self, request: odd.Context, context: Context, /) -> odd.ABC:\n"
        "        return odd.ABC()\n"
        "    async def ABC(self, request: AsyncIterator[odd.ABC], context: object, /) -> AsyncIterator[odd.Context]:\n"
        "        yield odd.Context()\n"
        "Odd()\n"
    )
    done = subprocess.run(
        [*MYPY, "use.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": "generated/python"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Success" in done.stdout, done.stdout


def test_presence_is_read_in_every_syntax(tmp_path: Path) -> None:
    """proto2, proto3 and editions differ in what tells unset from zero."""
    error = 'import "protomesh/v1/options.proto"; message Broken { option (protomesh.v1.error) = {code: ABORTED};'
    cases = {
        "p2": ('syntax = "proto2";', "optional int32 plain = 1; repeated int32 many = 2; }"),
        "p3": ('syntax = "proto3";', "int32 plain = 1; optional int32 maybe = 2; }"),
        "e23": (
            'edition = "2023";',
            "int32 plain = 1; int32 zero = 2 [features.field_presence = IMPLICIT]; }",
        ),
    }
    for package, (syntax, fields) in cases.items():
        _write(tmp_path, f"{package}/errors.proto", f"package {package}; {error} {fields}", syntax)
    generate_python(tmp_path)
    read = {package: (python_directory(tmp_path) / package / "__init__.pyi").read_text() for package in cases}
    assert "def plain(self) -> _builtins.int | None: ..." in read["p2"]
    assert "def many(self) -> _collections_abc.Sequence[_builtins.int]: ..." in read["p2"]
    assert "def plain(self) -> _builtins.int: ..." in read["p3"]
    assert "def maybe(self) -> _builtins.int | None: ..." in read["p3"]
    assert "def plain(self) -> _builtins.int | None: ..." in read["e23"]
    assert "def zero(self) -> _builtins.int: ..." in read["e23"]
    code = (
        "import p2, p3, e23; "
        "print(p2.Broken().plain, p3.Broken().plain, p3.Broken().maybe, e23.Broken().plain, e23.Broken().zero)"
    )
    assert _python(tmp_path, code) == "None 0 None None 0\n"


def _wrong_lines() -> set[int]:
    return {number for number, line in enumerate(BAD.splitlines(), 1) if "  # " in line}


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*.proto"):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())


def _write(root: Path, name: str, text: str, syntax: str = 'syntax = "proto3";') -> None:
    path = root / "protos" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{syntax}\n{text}\n")


def _state(root: Path) -> dict[str, tuple[int, bytes]]:
    generated = python_directory(root)
    return {
        path.relative_to(generated).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in generated.rglob("*")
        if path.is_file()
    }


def _python(root: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(python_directory(root)), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
