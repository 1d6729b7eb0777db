# The verbs of this repository. What they do lives in scripts/ and in the command `protomesh`.
# Written for GNU Make 3.81, which macOS has.
#
#   PYTHON=python3.12   the interpreter that makes the environment      (python3)
#   VENV=/path          the environment                                 (.venv)
#   PORT=9080           where the mesh listens                          (8080)
#   WEB=1               fetch Node.js for the storefront if there is none
#   BASE=v1.0           what `make check` compares the contracts with   (see scripts/breaking)

VENV ?= .venv
# What the command line or the environment sets, recipes see; this has a default besides.
export VENV
# A service that runs make itself must not be taken for a part of this one.
unexport MAKEFLAGS MFLAGS

.PHONY: help up down dev proto clients test soak check call status logs restart explain format docs extra lock clean
.DEFAULT_GOAL := help

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

up: ## set up what is missing, start the mesh, return when every service answers
	@scripts/setup up
	@scripts/proto --stale
	@scripts/storefront
	@"$(VENV)/bin/protomesh" up

down: ## stop the mesh; data stays
	@if [ ! -x "$(VENV)/bin/protomesh" ]; then echo "Nothing is set up here."; \
	else "$(VENV)/bin/protomesh" down || [ $$? -eq 3 ]; fi # 3: none runs, which is what was asked for

dev: ## run the mesh in this terminal, follow its logs, restart what you edit
	@scripts/setup up
	@scripts/proto --stale
	@scripts/storefront
	@"$(VENV)/bin/protomesh" dev

proto: ## generate everything in generated/ from the contracts
	@scripts/setup up
	@scripts/proto

clients: ## generate clients in other languages: FOR=go,typescript or all whose tools are here, INTERNAL=1
	@scripts/setup up
	@"$(VENV)/bin/protomesh" clients $(if $(FOR),--for '$(FOR)') $(if $(INTERNAL),--internal)

test: ## run every test, or ARGS="-k words"
	@scripts/setup extra
	@scripts/node-packages
	@scripts/proto --stale
	@WEB=1 scripts/storefront
	@"$(VENV)/bin/python" -m pytest $(ARGS)

soak: ## kill workers 200 times at each step of a checkout, or KILLS=; takes an hour
	@scripts/setup extra
	@scripts/proto --stale
	@KILLS="$${KILLS:-200}" "$(VENV)/bin/python" -m pytest -m soak -o timeout=3600 $(ARGS)

check: ## the gate: format, lint, types, imports, contracts, generated is fresh, fast tests
	@scripts/setup extra
	@scripts/check

call: ## call a method: make call METHOD=shop.catalog.v1.CatalogService/ListProducts JSON='{}'
	@scripts/setup up
	@"$(VENV)/bin/protomesh" call '$(METHOD)' $(if $(JSON),'$(JSON)')

status: ## show services, workers, endpoints and the state of Envoy's configuration
	@scripts/setup up
	@"$(VENV)/bin/protomesh" status

logs: ## follow the logs, of one service with SERVICE=
	@scripts/setup up
	@"$(VENV)/bin/protomesh" logs --follow $(SERVICE)

restart: ## replace the workers of SERVICE= without failing a call
	@scripts/setup up
	@"$(VENV)/bin/protomesh" restart $(SERVICE)

explain: ## show what METHOD= is allowed, which line says so, and the route that carries it
	@scripts/setup up
	@"$(VENV)/bin/protomesh" explain '$(METHOD)'

format: ## format Python and contracts
	@scripts/setup dev
	@"$(VENV)/bin/ruff" format --quiet .
	@"$(VENV)/bin/ruff" check --quiet --fix-only .
	@"$(VENV)/bin/buf" format --write protos

docs: ## write the pages of docs/reference that are made from the code
	@scripts/setup dev
	@"$(VENV)/bin/python" scripts/reference

extra: ## install optional tools: grpcurl, uv
	@scripts/setup extra

lock: extra ## resolve pyproject.toml into locks/ again
	@scripts/lock

clean: ## remove the environment and everything derived; data of the services stays
	@scripts/clean
