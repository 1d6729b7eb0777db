/** The shop's methods, called by gRPC-Web where this page comes from. The only place that knows a transport. */
import { Code, ConnectError, type Interceptor, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { policy } from "@shop/client";
import { CatalogService } from "@shop/client/shop/catalog/v1/catalog_service_pb.js";
import { IdentityService } from "@shop/client/shop/identity/v1/identity_service_pb.js";
import { InventoryService } from "@shop/client/shop/inventory/v1/inventory_service_pb.js";
import { NotificationsService } from "@shop/client/shop/notifications/v1/notifications_service_pb.js";
import { OrdersService } from "@shop/client/shop/orders/v1/orders_service_pb.js";
import { RecommendationsService } from "@shop/client/shop/recommendations/v1/recommendations_service_pb.js";
import { Session, isUnanswered } from "./session";

const TRIES = 3;
const GRACE = 2_000; // milliseconds after its deadline that a call may take to end: the mesh ends it before

/** Ends a unary call that nobody answers, and sends again what the contract says is safe to. */
const patient: Interceptor = (next) => async (request) => {
  if (request.stream) {
    return next(request);
  }
  const { deadline, repeatable } = policy(request.method);
  for (let tries = 1; ; tries += 1) {
    try {
      return await within(deadline + GRACE, next(request));
    } catch (error) {
      if (!repeatable || !isUnanswered(error) || tries === TRIES || request.signal.aborted) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** tries * Math.random()));
    }
  }
};

/** Shows the user's token to methods that want one, and another one if it is refused. */
const authorized: Interceptor = (next) => async (request) => {
  const token = policy(request.method).audience === "User" ? await session.token() : undefined;
  if (token === undefined) {
    return next(request);
  }
  request.header.set("authorization", `Bearer ${token}`);
  try {
    return await next(request);
  } catch (error) {
    if (ConnectError.from(error).code !== Code.Unauthenticated) {
      throw error;
    }
    const fresh = await session.renewed(token);
    if (fresh === undefined || request.stream) {
      throw error; // a stream's request is gone: whoever reads it opens another
    }
    request.header.set("authorization", `Bearer ${fresh}`);
    return next(request);
  }
};

async function within<T>(milliseconds: number, call: Promise<T>): Promise<T> {
  let timer = 0;
  const late = new Promise<never>((_, reject) => {
    timer = window.setTimeout(() => reject(new ConnectError("nobody answered", Code.DeadlineExceeded)), milliseconds);
  });
  return Promise.race([call, late]).finally(() => window.clearTimeout(timer));
}

const baseUrl = import.meta.env["VITE_GATEWAY"] ?? location.origin;
const anonymous = createGrpcWebTransport({ baseUrl, interceptors: [patient] });
const transport = createGrpcWebTransport({ baseUrl, interceptors: [patient, authorized] });

export const session = new Session(createClient(IdentityService, anonymous), sessionStorage);
export const catalog = createClient(CatalogService, transport);
export const inventory = createClient(InventoryService, transport);
export const notifications = createClient(NotificationsService, transport);
export const orders = createClient(OrdersService, transport);
export const recommendations = createClient(RecommendationsService, transport);
