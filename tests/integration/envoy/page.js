// What a web page does with the mesh: gRPC-Web and REST by fetch, nothing else.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
"use strict";

const TRAILERS = 0x80; // the flag of the frame that holds them
const calls = {}; // by name: what a test looks at while they go on

async function rest(url, options) {
  try {
    const answer = await fetch(url, options);
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
  } catch (error) {
    return { blocked: String(error) };
  }
}

// Calls a method. Each message is in `messages` of the call as soon as it is here, as base64.
async function grpcWeb(url, { message = "", headers = {}, name = "last" } = {}) {
  const call = (calls[name] = { messages: [], trailers: {} });
  const body = Uint8Array.from(atob(message), (letter) => letter.charCodeAt(0));
  const frame = new Uint8Array(5 + body.length);
  new DataView(frame.buffer).setUint32(1, body.length);
  frame.set(body, 5);
  const kind = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1", "x-user-agent": "page" };
  try {
    const answer = await fetch(url, { method: "POST", headers: { ...kind, ...headers }, body: frame });
    call.status = answer.status;
    call.headers = Object.fromEntries(answer.headers);
    const reader = answer.body.getReader();
    let rest = new Uint8Array(0);
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      rest = Uint8Array.from([...rest, ...part.value]);
      while (rest.length >= 5) {
        const length = new DataView(rest.buffer).getUint32(1);
        if (rest.length < 5 + length) break;
        const content = rest.slice(5, 5 + length);
        if (rest[0] & TRAILERS) {
          for (const line of new TextDecoder().decode(content).split("\r\n").filter(Boolean)) {
            const colon = line.indexOf(":");
            call.trailers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
          }
        } else {
          call.messages.push(btoa(String.fromCharCode(...content)));
        }
        rest = rest.slice(5 + length);
      }
    }
  } catch (error) {
    call.blocked = String(error);
  }
  return call;
}

// The events of a stream by REST, until it ends or fails.
function eventSource(url, name) {
  const call = (calls[name] = { messages: [], ended: false });
  const source = new EventSource(url);
  source.onmessage = (event) => call.messages.push(event.data);
  source.onerror = () => {
    call.ended = true;
    source.close(); // it would call again
  };
}
