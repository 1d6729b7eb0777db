// RelayService, in a language that Protomesh has no runtime for. Everything it does for the mesh is in
// docs/reference/service-protocol.md: it listens where it is told, says whether it serves, hands the deadline and the
// trace on to whom it calls, and drains on SIGTERM.
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import { HealthImplementation } from 'grpc-health-check';

const { PROTOMESH_LISTEN, PROTOMESH_EGRESS } = process.env;
if (!PROTOMESH_LISTEN || !PROTOMESH_EGRESS) {
  console.error('PROTOMESH_LISTEN and PROTOMESH_EGRESS are not set: the mesh starts this program');
  process.exit(2);
}

const HANDED_ON = [
  'traceparent', 'tracestate', 'baggage', 'x-request-id',
  'x-protomesh-subject', 'x-protomesh-scopes', 'x-protomesh-claims', 'x-protomesh-token',
];
const DRAIN_MILLISECONDS = 10_000;
const COUNT_MILLISECONDS = 20;

const contracts = grpc.loadPackageDefinition(
  protoLoader.loadSync(['relay/v1/relay_service.proto', 'clock/v1/clock_service.proto'], {
    includeDirs: ['protos', '.protomesh/include'],
    keepCase: true,
    defaults: true,
    longs: Number,
  }),
);

// Every callee is behind the one egress address; the method's path says which.
const clock = new contracts.clock.v1.ClockService(PROTOMESH_EGRESS, grpc.credentials.createInsecure(), {
  'grpc.default_authority': 'clock',
});

function handedOn(call) {
  const metadata = new grpc.Metadata();
  for (const key of HANDED_ON) {
    for (const value of call.metadata.get(key)) metadata.add(key, value);
  }
  return metadata;
}

// What our caller is told when a callee fails. Only two codes mean the same to it as to us; and what was repeated here
// is not to be repeated once more there.
function passedUp(method, error) {
  if (![grpc.status.UNAVAILABLE, grpc.status.DEADLINE_EXCEEDED].includes(error.code)) {
    console.error(`${method}: ${error.message}`);
    return { code: grpc.status.INTERNAL, details: 'internal error' };
  }
  const metadata = new grpc.Metadata();
  if (error.code === grpc.status.UNAVAILABLE) metadata.set('x-envoy-ratelimited', 'true');
  return { code: error.code, details: error.details, metadata };
}

// With `parent` a call ends when the one it serves does, and has no more time than that has left.
function ask(call, callback) {
  const timer = setTimeout(() => {
    clock.read({}, handedOn(call), { parent: call }, (error, reading) => {
      if (!error) return callback(null, { ...reading, pid: process.pid });
      callback(passedUp('clock.v1.ClockService/Read', error));
    });
  }, call.request.hold_milliseconds);
  call.on('cancelled', () => clearTimeout(timer));
}

// One function for each open stream, which ends it.
const streams = new Set();

function count(call) {
  let number = 0;
  const timer = setInterval(() => call.write({ number: (number += 1) }), COUNT_MILLISECONDS);
  const drained = () => call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'STREAM_DRAINED' });
  const forget = () => {
    clearInterval(timer);
    streams.delete(drained);
  };
  call.once('cancelled', forget);
  call.once('error', forget);
  streams.add(drained);
}

const server = new grpc.Server();
server.addService(contracts.relay.v1.RelayService.service, { Ask: ask, Count: count });
const health = new HealthImplementation({ '': 'SERVING', 'relay.v1.RelayService': 'SERVING' });
health.addToServer(server);

function drain() {
  health.setStatus('', 'NOT_SERVING');
  health.setStatus('relay.v1.RelayService', 'NOT_SERVING');
  for (const drained of [...streams]) drained();
  setTimeout(() => server.forceShutdown(), DRAIN_MILLISECONDS).unref();
  server.tryShutdown(() => process.exit(0));
}

server.bindAsync(PROTOMESH_LISTEN, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) {
    console.error(`can't listen on ${PROTOMESH_LISTEN}: ${error.message}`);
    process.exit(1);
  }
  process.once('SIGTERM', drain);
});
