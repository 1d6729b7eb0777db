"""Generated from the contract. DO NOT EDIT. The rules of buf.validate, as the installed protovalidate has them."""

from protomesh.runtime.validate_schema import DESCRIPTOR

__all__ = ["DESCRIPTOR"]
