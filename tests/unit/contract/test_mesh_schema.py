import re
from pathlib import PurePosixPath

from protomesh.contract import mesh_schema
from protomesh.contract.mesh_schema import MeshFile
from protomesh.model import Layout
from protomesh.targets.envoy import names


def test_no_service_has_a_name_that_envoys_configuration_uses() -> None:
    """A cluster is called as its service is; the two lists are written in parts that don't know each other."""
    assert mesh_schema.RESERVED == names.RESERVED


def test_the_longest_name_fits_into_the_path_of_a_socket() -> None:
    """MacOS allows 103 bytes, of which the run directory takes its part."""
    name = "a" * 32
    mesh = MeshFile.model_validate({"name": "demo", "services": {name: {"run": "app:app"}}})
    run = PurePosixPath("/tmp/protomesh-4294967295") / ("0" * 16)
    layout = Layout(run=run, state=PurePosixPath("/x/.protomesh"))
    sockets = [layout.egress_socket(name), layout.worker_socket(name, 99999, 255)]
    assert list(mesh.services) == [name]
    assert [socket for socket in sockets if len(socket) > 103] == []


def test_every_key_is_documented_in_its_class() -> None:
    """The class is the section; its docstring is what a reader of the schema gets."""
    sections = [
        value
        for value in vars(mesh_schema).values()
        if isinstance(value, type) and issubclass(value, mesh_schema._Section)
    ]
    assert [
        s.__name__ for s in sections if s is not mesh_schema._Section and not re.search(r"\.$", s.__doc__ or "")
    ] == []
