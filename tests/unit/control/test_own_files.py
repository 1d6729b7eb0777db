from google.protobuf.descriptor_pool import DescriptorPool

from protomesh.control.reflection import own_files


def test_the_contracts_of_health_and_reflection_can_be_built() -> None:
    """A client that learns them by reflection puts them into a pool of its own."""
    pool = DescriptorPool()
    for file in own_files():
        pool.Add(file)

    assert list(pool.FindServiceByName("grpc.reflection.v1.ServerReflection").methods_by_name) == [
        "ServerReflectionInfo"
    ]
    assert pool.FindServiceByName("grpc.health.v1.Health").methods_by_name["Check"].input_type.name == (
        "HealthCheckRequest"
    )
