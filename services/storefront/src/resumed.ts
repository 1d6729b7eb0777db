/** A stream that goes on after a cut: opened again with the last resume token, so that nothing is missed or told twice. */
import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import { connection } from "./connection";

const FINAL = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.Unimplemented,
  Code.OutOfRange,
]);
const SETTLED = 1_000; // milliseconds after which a stream that says nothing counts as open
const SHORTEST = 250; // milliseconds between two tries
const LONGEST = 8_000;
const REFUSALS = 2; // in a row; the first is followed by a new token

type Open<Response> = (resumeToken: string, options: CallOptions) => AsyncIterable<Response>;

/**
 * Yields what a stream tells, over as many connections as it takes, until it ends by itself or `signal` ends it.
 *
 * A browser has six connections to a gateway without TLS, for all its tabs: a tab that is not looked at lets go of its
 * own, and catches up when it is. Throws what no other try would change.
 */
export async function* resumed<Response extends { resumeToken: string }>(
  open: Open<Response>,
  signal: AbortSignal,
  resumeToken = "",
): AsyncGenerator<Response> {
  let failures = 0;
  let refusals = 0;
  const source = {};
  signal.addEventListener("abort", () => connection.forget(source), { once: true });
  while (!signal.aborted) {
    await visible(signal);
    const cut = cutter(signal);
    const settled = setTimeout(() => connection.set(source, true), SETTLED);
    try {
      for await (const response of open(resumeToken, { signal: cut.signal })) {
        resumeToken = response.resumeToken;
        failures = refusals = 0;
        connection.set(source, true);
        yield response;
      }
      connection.forget(source);
      return;
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      if (!cut.signal.aborted) {
        const { code } = ConnectError.from(error);
        refusals += code === Code.Unauthenticated ? 1 : 0;
        if (FINAL.has(code) || refusals === REFUSALS) {
          connection.forget(source);
          throw error;
        }
        connection.set(source, false);
      }
    } finally {
      clearTimeout(settled);
      cut.end();
    }
    if (!document.hidden) {
      failures += 1;
      await pause(Math.min(LONGEST, SHORTEST * 2 ** (failures - 1)), signal);
    }
  }
}

/** Ends one connection: with the stream, when nobody looks, and when the network has come back, perhaps another one. */
function cutter(signal: AbortSignal): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  const end = () => controller.abort();
  const hidden = () => document.hidden && end();
  signal.addEventListener("abort", end);
  window.addEventListener("online", end);
  document.addEventListener("visibilitychange", hidden);
  return {
    signal: controller.signal,
    end: () => {
      signal.removeEventListener("abort", end);
      window.removeEventListener("online", end);
      document.removeEventListener("visibilitychange", hidden);
      end();
    },
  };
}

async function visible(signal: AbortSignal): Promise<void> {
  while (document.hidden && !signal.aborted) {
    await first(signal, [document, "visibilitychange"]);
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), milliseconds * (0.75 + Math.random() / 2));
  await first(AbortSignal.any([signal, over.signal]), [window, "online"]);
  clearTimeout(timer);
}

/** Returns with the first of an event and the end of `signal`. */
function first(signal: AbortSignal, [target, event]: [EventTarget, string]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      target.removeEventListener(event, done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    target.addEventListener(event, done);
    signal.addEventListener("abort", done);
  });
}
