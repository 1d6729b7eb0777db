module relay.mesh/relay

go 1.26.0

require relay.mesh/client v0.0.0

replace relay.mesh/client => ../generated/go
