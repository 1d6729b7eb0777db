"""Topologies compiled from a small shop whose contract has things to hide."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protomesh.contract import compile_project
from protomesh.model import Topology

STOCK = """\
syntax = "proto3";

package shop.stock.v1;

import "protomesh/v1/options.proto";
import "shop/stock/v1/errors.proto";
import "shop/stock/v1/internal.proto";
import "shop/stock/v1/types.proto";

// This paragraph stands free and is about the repricing that nobody should know of.

// Tells what is in stock.
service StockService {
  option (protomesh.v1.service) = {timeout: "1s"};

  // Moves stock secretly.
  rpc Move(MoveRequest) returns (MoveResponse);
  // Gets the stock of a product.
  rpc GetStock(GetStockRequest) returns (GetStockResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (protomesh.v1.method) = {audience: AUDIENCE_PUBLIC, errors: "OutOfStock"};
  }
}

// Nothing but INTERNAL methods.
service LedgerService {
  option (protomesh.v1.service) = {timeout: "1s"};

  rpc Book(MoveRequest) returns (MoveResponse);
}

message MoveRequest {
  string secret = 1;
  Unit unit = 2;
}

message MoveResponse {
  Hidden hidden = 1;
}

// Which product.
message GetStockRequest {
  // Its number.
  string sku = 1;
}

message GetStockResponse {
  map<string, Shelf.Level> levels = 1;
  Unit unit = 2;
}
"""

TYPES = """\
syntax = "proto3";

package shop.stock.v1;

// A shelf; only its level is public.
message Shelf {
  string location = 1;

  // How full.
  message Level {
    int32 count = 1;
  }

  message Lock {
    string code = 1;
  }
}

// Never used.
enum Colour {
  COLOUR_UNSPECIFIED = 0;
}

enum Unit {
  // Not said.
  UNIT_UNSPECIFIED = 0;
  UNIT_PIECE = 1;
}
"""

INTERNAL = """\
syntax = "proto3";

package shop.stock.v1;

message Hidden {
  string secret = 1;
}
"""

ERRORS = """\
syntax = "proto3";

package shop.stock.v1;

import "protomesh/v1/options.proto";

// There is not enough.
message OutOfStock {
  option (protomesh.v1.error) = {code: FAILED_PRECONDITION, message: "only {available} left"};
  int32 available = 1;
}
"""

MESH = """\
name: shop
gateways: [{listen: "127.0.0.1:18080"}]
services:
  stock: {run: "services.stock.app:app", serves: [shop.stock.v1.StockService, shop.stock.v1.LedgerService]}
"""

Compile = Callable[..., Topology]


@pytest.fixture
def compile_shop(tmp_path: Path) -> Compile:
    """Compiles the shop, with another stock.proto if one is given."""

    def compile_it(stock: str = STOCK) -> Topology:
        folder = tmp_path / "protos" / "shop" / "stock" / "v1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stock.proto").write_text(stock)
        (folder / "types.proto").write_text(TYPES)
        (folder / "internal.proto").write_text(INTERNAL)
        (folder / "errors.proto").write_text(ERRORS)
        (tmp_path / "mesh.yaml").write_text(MESH)
        return compile_project(tmp_path, variables={}).topology

    return compile_it


@pytest.fixture
def shop(compile_shop: Compile) -> Topology:
    """The shop."""
    return compile_shop()


@pytest.fixture
def stock_proto() -> str:
    """The text of its stock.proto."""
    return STOCK


@pytest.fixture
def run_directory() -> Iterator[Path]:
    """A directory whose path is short enough for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as directory:
        yield Path(directory)
