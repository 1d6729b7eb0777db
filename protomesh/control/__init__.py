"""When Envoy is told what, and what the mesh itself answers: the control plane.

Takes a Topology and the endpoints of now; publishes Envoy's configuration, serves reflection, health and the admin
API, and runs all of it in one background process. Decides when, never what: that is in `targets`. Imports nothing of
the command. Its modules are imported by their own names, so that a part does not load the whole.
"""
