"""Protomesh: a gRPC service mesh in which the contract is the configuration.

`contract` reads `.proto` files and `mesh.yaml` into the plain `model`; `targets` render the model for each platform;
`control`, `xds`, `proxy` and `supervisor` run it on one machine; `runtime` is what a service imports.
"""
