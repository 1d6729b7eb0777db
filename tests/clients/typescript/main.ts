// Calls every method of ProbeService and prints what came of each as a line of JSON: by gRPC, or by gRPC-Web as a
// browser does if PROBE_TRANSPORT is web.
import { readFileSync } from "node:fs";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type CallOptions, type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { declaredError, policy } from "@probe/client";
import { OutOfStockSchema, ProbeService, SampleSchema, TalkRequestSchema } from "@probe/client/probe/v1/probe_service_pb.js";

interface Values {
  currency: string;
  units: string;
  nanos: number;
  seconds: string;
  fraction: number;
  paths: string[];
  text: string;
  signed: string;
  unsigned: string;
}

const web = process.env.PROBE_TRANSPORT === "web";
const baseUrl = `http://${process.env.PROBE_ADDRESS}`;
const transport = web ? createGrpcWebTransport({ baseUrl }) : createGrpcTransport({ baseUrl });
const probe: Client<typeof ProbeService> = createClient(ProbeService, transport);
const authorized: CallOptions = { headers: { authorization: `Bearer ${process.env.PROBE_TOKEN}` } };

function say(step: string, fields: object): void {
  console.log(JSON.stringify({ step, ...fields }));
}

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => {
      throw new Error("the call did not fail");
    },
    (error: unknown) => ConnectError.from(error),
  );
}

async function unary(): Promise<void> {
  let trailer = new Headers();
  const response = await probe.echo(
    { sample: { text: "hello" } },
    {
      headers: { ...(authorized.headers as Record<string, string>), "x-probe": "ping" },
      onTrailer: (received) => {
        trailer = received;
      },
    },
  );
  const text = response.sample?.text;
  say("unary", { text, answer: trailer.get("x-probe-answer"), user: trailer.get("x-probe-user") });
}

async function stream(): Promise<void> {
  const numbers: number[] = [];
  for await (const response of probe.count({ to: 3 }, authorized)) {
    numbers.push(response.number);
  }
  say("stream", { numbers });
}

async function talk(): Promise<void> {
  if (web) {
    return; // fetch sends a request whole
  }
  let answered = () => {};
  async function* questions() {
    for (const text of ["one", "two"]) {
      const answer = new Promise<void>((resolve) => {
        answered = resolve;
      });
      yield create(TalkRequestSchema, { text });
      await answer; // the second goes out when the first is answered
    }
  }
  const texts: string[] = [];
  for await (const response of probe.talk(questions(), authorized)) {
    texts.push(response.text);
    answered();
  }
  say("talk", { texts, ended: true });
}

async function failures(): Promise<void> {
  const late = await failure(probe.hold({ milliseconds: 5000 }, { ...authorized, timeoutMs: 200 }));
  say("deadline", { code: late.code });

  const error = await failure(probe.take({ sku: "tea" }, authorized));
  const declared = declaredError(error, OutOfStockSchema);
  say("error", {
    code: error.code,
    found: declared !== undefined,
    another: declaredError(error, SampleSchema) !== undefined,
    sku: declared?.sku,
    available: declared?.available,
  });

  const refused = await failure(probe.echo({ sample: {} }));
  say("without a token", { code: refused.code });
}

async function vectors(): Promise<void> {
  const given: { values: Values; bytes: string }[] = JSON.parse(readFileSync(process.env.PROBE_VECTORS!, "utf-8"));
  const encoded: string[] = [];
  const echoed: string[] = [];
  const decoded: Values[] = [];
  for (const { values, bytes } of given) {
    const sample = create(SampleSchema, {
      price: { currencyCode: values.currency, units: BigInt(values.units), nanos: values.nanos },
      time: { seconds: BigInt(values.seconds), nanos: values.fraction },
      mask: { paths: values.paths },
      text: values.text,
      signed: BigInt(values.signed),
      unsigned: BigInt(values.unsigned),
    });
    encoded.push(Buffer.from(toBinary(SampleSchema, sample)).toString("hex"));
    const response = await probe.echo({ sample }, authorized);
    echoed.push(Buffer.from(toBinary(SampleSchema, response.sample!)).toString("hex"));

    const read = fromBinary(SampleSchema, Buffer.from(bytes, "hex"));
    decoded.push({
      currency: read.price!.currencyCode,
      units: String(read.price!.units),
      nanos: read.price!.nanos,
      seconds: String(read.time!.seconds),
      fraction: read.time!.nanos,
      paths: read.mask!.paths,
      text: read.text,
      signed: String(read.signed),
      unsigned: String(read.unsigned),
    });
  }
  say("vectors", { encoded, echoed, decoded });
}

await unary();
await stream();
await talk();
await failures();
const { deadline, repeatable, audience } = policy(ProbeService.method.echo);
say("table", { deadline, repeatable, user: audience === "User" });
await vectors();
