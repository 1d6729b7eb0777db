/** Who is logged in: the tokens, renewed before they run out, and given up when the shop takes them no more. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { declaredError } from "@shop/client";
import { RefreshTokenInvalidSchema, RefreshTokenReusedSchema } from "@shop/client/shop/identity/v1/errors_pb.js";
import type { Tokens, User } from "@shop/client/shop/identity/v1/identity_pb.js";
import type { IdentityService } from "@shop/client/shop/identity/v1/identity_service_pb.js";

const KEY = "session";
const EARLY = 10_000; // milliseconds before an access token runs out
const SAME_TOKEN_COUNTS = 8_000; // milliseconds; the contract says ten seconds after a lost answer

interface Kept {
  refreshToken: string;
  name: string;
}

/**
 * Tells `change` when somebody logs in or out, and `ended` when the session is over without having been asked to be.
 *
 * The access token is in memory only. The refresh token is kept for this tab, so that a reload is no logout; it goes
 * when the tab does.
 */
export class Session extends EventTarget {
  readonly #identity: Client<typeof IdentityService>;
  readonly #storage: Storage;
  #access: { token: string; expires: number } | undefined;
  #renewing: Promise<void> | undefined;

  constructor(identity: Client<typeof IdentityService>, storage: Storage) {
    super();
    this.#identity = identity;
    this.#storage = storage;
  }

  /** What the user is called; undefined if nobody is logged in. */
  get name(): string | undefined {
    return this.#kept?.name;
  }

  async register(email: string, password: string, displayName: string): Promise<void> {
    await this.#identity.register({ email, password, displayName });
    await this.login(email, password);
  }

  async login(email: string, password: string): Promise<void> {
    const { tokens, user } = await this.#identity.login({ email, password });
    this.#keep(tokens as Tokens, nameOf(user));
    this.dispatchEvent(new Event("change"));
  }

  /** Forgets the tokens at once; that the shop forgets them too is tried and not waited for. */
  logout(): void {
    const kept = this.#kept;
    this.#forget();
    if (kept) {
      this.#identity.logout({ refreshToken: kept.refreshToken }).catch(() => {});
    }
    this.dispatchEvent(new Event("change"));
  }

  /** An access token that counts for a while yet; undefined if nobody is logged in. */
  async token(): Promise<string | undefined> {
    if (this.#kept && (this.#access?.expires ?? 0) - EARLY < Date.now()) {
      await this.#renew();
    }
    return this.#access?.token;
  }

  /** Another access token in place of one that was refused. Throws what the call that asked for it should throw. */
  async renewed(refused: string): Promise<string | undefined> {
    if (this.#access?.token === refused) {
      this.#access = undefined;
    }
    return this.token();
  }

  /** One renewal at a time: a refresh token counts once. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#refresh().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #refresh(): Promise<void> {
    const kept = this.#kept;
    if (!kept) {
      return;
    }
    const until = Date.now() + SAME_TOKEN_COUNTS;
    for (;;) {
      try {
        const { tokens } = await this.#identity.refreshToken({ refreshToken: kept.refreshToken });
        if (this.#kept?.refreshToken === kept.refreshToken) {
          this.#keep(tokens as Tokens, kept.name); // nobody has logged out meanwhile
        }
        return;
      } catch (error) {
        if (declaredError(error, RefreshTokenInvalidSchema) || declaredError(error, RefreshTokenReusedSchema)) {
          this.#forget();
          this.dispatchEvent(new Event("change"));
          this.dispatchEvent(new Event("ended"));
          throw error;
        }
        if (!isUnanswered(error) || Date.now() > until) {
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  get #kept(): Kept | undefined {
    const text = this.#storage.getItem(KEY);
    return text ? (JSON.parse(text) as Kept) : undefined;
  }

  #keep(tokens: Tokens, name: string): void {
    const expires = tokens.accessExpireTime ? timestampMs(tokens.accessExpireTime) : Date.now();
    this.#access = { token: tokens.accessToken, expires };
    this.#storage.setItem(KEY, JSON.stringify({ refreshToken: tokens.refreshToken, name } satisfies Kept));
  }

  #forget(): void {
    this.#access = undefined;
    this.#storage.removeItem(KEY);
  }
}

/** Whether a call came to nothing on its way, so that it may come through another time. */
export function isUnanswered(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  return [Code.Unavailable, Code.Unknown, Code.DeadlineExceeded, Code.Internal].includes(code);
}

function nameOf(user: User | undefined): string {
  return user?.displayName || user?.email || "You";
}
