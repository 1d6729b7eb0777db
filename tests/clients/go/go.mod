module probe.mesh/program

go 1.26.0

require probe.mesh/client v0.0.0

replace probe.mesh/client => ../generated/go
