"""Tests of services: real gRPC on a unix socket, with fakes for what a service calls.

In go servicers, composition roots and stubs; out come clients of them. `plugin` is loaded by pytest itself. It imports
`protomesh.runtime` and may import every other part.
"""
