// RelayService, as docs/reference/service-protocol.md has it.
import { createServer, type ServerHttp2Session } from "node:http2";
import { connect } from "node:net";
import { setTimeout as passed } from "node:timers/promises";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, createClient, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport } from "@connectrpc/connect-node";
import { ClockService } from "@relay/client/clock/v1/clock_service_pb.js";
import { ErrorInfoSchema } from "@relay/client/google/rpc/error_details_pb.js";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@relay/client/grpc/health/v1/health_pb.js";
import { RelayClosedSchema, RelayService } from "@relay/client/relay/v1/relay_service_pb.js";

const draining = new AbortController();

const egress = process.env.PROTOMESH_EGRESS!;
const transport = createGrpcTransport(
  egress.startsWith("unix:")
    ? { baseUrl: "http://mesh", nodeOptions: { createConnection: () => connect(egress.slice("unix:".length)) } }
    : { baseUrl: `http://${egress}` },
);
const clock = createClient(ClockService, transport);

const HANDED_ON = [
  "traceparent", "tracestate", "baggage", "x-request-id",
  "x-protomesh-subject", "x-protomesh-scopes", "x-protomesh-claims", "x-protomesh-token",
];

/** Gives a call what the served one had, its deadline and its cancellation. */
function handOn(context: HandlerContext) {
  const served = HANDED_ON.map((key) => [key, context.requestHeader.get(key)] as const);
  const headers = served.filter((entry): entry is [string, string] => entry[1] !== null);
  return { headers, timeoutMs: context.timeoutMs(), signal: context.signal };
}

/** What our caller is told when a callee fails. */
function passedUp(reason: unknown): ConnectError {
  const error = ConnectError.from(reason);
  if (error.code === Code.Unavailable) {
    return new ConnectError(error.rawMessage, error.code, { "x-envoy-ratelimited": "true" }); // it was repeated already
  }
  if (error.code === Code.DeadlineExceeded) {
    return new ConnectError(error.rawMessage, error.code);
  }
  console.error(error);
  return new ConnectError("internal error", Code.Internal);
}

function failure<D extends DescMessage>(code: Code, text: string, domain: string, reason: string, desc?: D, value?: MessageInitShape<D>) {
  const info = { desc: ErrorInfoSchema, value: { domain, reason } };
  return new ConnectError(text, code, undefined, desc ? [info, { desc, value: value! }] : [info]);
}

function routes(router: ConnectRouter): void {
  router.service(RelayService, {
    async ask(request, context) {
      if (request.closedUntil) {
        const until = request.closedUntil;
        throw failure(Code.FailedPrecondition, `closed until ${until}`, "relay.v1", "RELAY_CLOSED", RelayClosedSchema, { until });
      }
      await passed(request.holdMilliseconds, undefined, { signal: context.signal });
      const reading = await clock.read(request.read ?? {}, handOn(context)).catch((reason: unknown) => {
        throw passedUp(reason);
      });
      return { reading, caller: context.requestHeader.get("x-protomesh-caller") ?? "" };
    },
    async wait({ milliseconds }, { signal }) {
      await passed(milliseconds, undefined, { signal });
      return { pid: process.pid };
    },
    async *count(_, context) {
      const ending = AbortSignal.any([context.signal, draining.signal]);
      for (let number = 1; ; number++) {
        yield { number };
        try {
          await passed(20, undefined, { signal: ending });
        } catch {
          throw failure(Code.Unavailable, "the worker ends; call again", "protomesh", "STREAM_DRAINED");
        }
      }
    },
  });
  router.service(Health, {
    check({ service }) {
      if (!["", RelayService.typeName].includes(service)) {
        throw new ConnectError(`there is no service ${service}`, Code.NotFound);
      }
      return { status: draining.signal.aborted ? Serving.NOT_SERVING : Serving.SERVING };
    },
  });
}

const sessions = new Set<ServerHttp2Session>();
const answer = connectNodeAdapter({ routes });
const server = createServer({ settings: { maxHeaderListSize: 96 << 10 } }, (request, response) => {
  request.headers[":authority"] = "mesh"; // callers write what they like, and Connect takes it for a part of a URL
  answer(request, response);
});
server.on("session", (session) => {
  sessions.add(session);
  session.once("close", () => sessions.delete(session));
});
const listen = process.env.PROTOMESH_LISTEN!;
if (listen.startsWith("unix:")) {
  server.listen(listen.slice("unix:".length));
} else {
  const { hostname, port } = new URL(`http://${listen}`);
  server.listen(Number(port), hostname);
}
process.once("SIGTERM", () => {
  draining.abort(); // ends the streams
  server.close(() => process.exit(0));
  for (const session of sessions) {
    session.close(); // when the calls in progress are answered
  }
});
