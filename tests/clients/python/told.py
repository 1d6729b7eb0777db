"""What both programs print, each step as a line of JSON; and what they make of values."""

import json
import os
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from probe.v1 import Sample

from protomesh.v1 import options_pb2


def say(step: str, **fields: Any) -> None:
    """Prints a line."""
    print(json.dumps({"step": step, **fields}), flush=True)


def say_table() -> None:
    """What the contract says of Echo: the stubs have its options."""
    service = descriptor_pool.Default().FindServiceByName("probe.v1.ProbeService")
    policy = service.GetOptions().Extensions[options_pb2.service]
    options = service.methods_by_name["Echo"].GetOptions()
    say(
        "table",
        deadline=int(policy.timeout.removesuffix("s")) * 1000,
        repeatable=options.idempotency_level in (options.IDEMPOTENT, options.NO_SIDE_EFFECTS),
        user=policy.audience == options_pb2.AUDIENCE_USER,
    )


def samples() -> list[Sample]:
    """Those of the file PROBE_VECTORS."""
    return [
        Sample(
            price=Money(currency_code=values["currency"], units=int(values["units"]), nanos=values["nanos"]),
            time=Timestamp(seconds=int(values["seconds"]), nanos=values["fraction"]),
            mask=FieldMask(paths=values["paths"]),
            text=values["text"],
            signed=int(values["signed"]),
            unsigned=int(values["unsigned"]),
        )
        for values in (vector["values"] for vector in _vectors())
    ]


def say_vectors(echoed: list[Sample]) -> None:
    """Beside what came back, what is made of the file's bytes."""
    say(
        "vectors",
        encoded=[_hex(sample) for sample in samples()],
        echoed=[_hex(sample) for sample in echoed],
        decoded=[
            {
                "currency": read.price.currency_code,
                "units": str(read.price.units),
                "nanos": read.price.nanos,
                "seconds": str(read.time.seconds),
                "fraction": read.time.nanos,
                "paths": list(read.mask.paths),
                "text": read.text,
                "signed": str(read.signed),
                "unsigned": str(read.unsigned),
            }
            for read in (Sample.FromString(bytes.fromhex(vector["bytes"])) for vector in _vectors())
        ],
    )


def _vectors() -> list[dict[str, Any]]:
    with open(os.environ["PROBE_VECTORS"], encoding="utf-8") as file:
        return json.load(file)


def _hex(sample: Sample) -> str:
    return sample.SerializeToString(deterministic=True).hex()
