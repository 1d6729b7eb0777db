"""Versions of what is fetched to make clients, and of what the clients are built with.

A generator and the library that its code runs on belong together: change them together, and let tests/clients judge.
"""

__all__ = [
    "CARGO",
    "CARGO_TOOLS",
    "GO",
    "GO_TOOLS",
    "KOTLIN",
    "KOTLIN_TOOLS",
    "MAVEN",
    "NPM",
    "NPM_TOOLS",
    "NUGET",
    "NUGET_TOOLS",
    "PHP",
]

CARGO = {"prost": "0.14.6", "prost-types": "0.14.6", "tonic": "0.14.9", "tonic-prost": "0.14.9"}
CARGO_TOOLS = {
    "prost": CARGO["prost"],
    "prost-build": CARGO["prost"],
    "prost-types": CARGO["prost-types"],
    "tonic-prost-build": CARGO["tonic-prost"],
}
GO = {
    "google.golang.org/genproto": "v0.0.0-20261026165753-2ffab32bce7e",
    "google.golang.org/genproto/googleapis/rpc": "v0.0.0-20261110000943-09e21b237f2c",
    "google.golang.org/grpc": "v1.85.0",
    "google.golang.org/protobuf": "v1.36.12",
}
GO_TOOLS = {
    "google.golang.org/grpc/cmd/protoc-gen-go-grpc": "v1.6.2",
    "google.golang.org/protobuf/cmd/protoc-gen-go": GO["google.golang.org/protobuf"],
}
# Beside those of MAVEN; the plugin compiles, and is of the standard library's version.
KOTLIN = {
    "com.google.protobuf:protobuf-kotlin": "3.25.8",
    "io.grpc:grpc-kotlin-stub": "1.5.0",
    "org.jetbrains.kotlin:kotlin-stdlib": "2.2.21",
    "org.jetbrains.kotlinx:kotlinx-coroutines-core": "1.10.2",
}
KOTLIN_TOOLS = {"io.grpc:protoc-gen-grpc-kotlin": KOTLIN["io.grpc:grpc-kotlin-stub"]}
# The generator is the system's. gRPC for Java runs on protobuf 3.25, which takes the code of every protoc 3.
MAVEN = {
    "io.grpc:grpc-netty-shaded": "1.85.1",
    "io.grpc:grpc-protobuf": "1.85.1",
    "io.grpc:grpc-stub": "1.85.1",
    "javax.annotation:javax.annotation-api": "1.3.2",
}
NPM = {
    "@bufbuild/protobuf": "2.17.0",
    "@connectrpc/connect": "2.2.0",
    "@connectrpc/connect-node": "2.2.0",
    "@connectrpc/connect-web": "2.2.0",
}
NPM_TOOLS = {"@bufbuild/protoc-gen-es": NPM["@bufbuild/protobuf"]}
NUGET = {"Google.Api.CommonProtos": "2.17.0", "Google.Protobuf": "3.36.2", "Grpc.Net.Client": "2.85.0"}
NUGET_TOOLS = {"Grpc.Tools": NUGET["Grpc.Net.Client"]}
# The generator is the system's, of protobuf 3.21.
PHP = {"google/common-protos": "^4.5", "google/protobuf": "^3.21", "grpc/grpc": "^1.51"}
