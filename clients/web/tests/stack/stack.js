/** A running local stack: its address, tokens and clients for it, and its gateway's process. */

import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { connect } from "hubbub-client";

const SECOND = 1_000;
/** The gateway takes 3 s to stop and about as long to start; more on a busy host. */
const RESTART_PATIENCE = 90 * SECOND;

export class Stack {
  #outputs;
  #folder;
  #key;

  /** The stack whose outputs `HUBBUB_OUTPUTS` names. scripts/local sets it. */
  static async fromEnvironment() {
    const path = process.env.HUBBUB_OUTPUTS;
    if (!path) throw new Error("the environment variable `HUBBUB_OUTPUTS` is missing: set it to the outputs.json of a running stack");
    const outputs = JSON.parse(await readFile(path, "utf8"));
    return new Stack(outputs, dirname(path), await readKey(outputs));
  }

  constructor(outputs, folder, key) {
    this.#outputs = outputs;
    this.#folder = folder;
    this.#key = key;
  }

  /** A token for this user, with the default grant unless another is given. */
  token(user, { grant, key = this.#key, seconds = 3_600 } = {}) {
    const claims = { sub: user, exp: Math.floor(Date.now() / SECOND) + seconds, ...(grant && { hubbub: grant }) };
    const signed = [{ alg: "HS256", typ: "JWT" }, claims].map((part) => base64url(JSON.stringify(part))).join(".");
    return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
  }

  /** A client and its sockets, which are added as they open. */
  connect(user, { grant, ...options } = {}) {
    /** @type {Recorded[]} */
    const sockets = [];
    class Recorded extends WebSocket {
      wasOpen = false;

      constructor(url) {
        super(url);
        sockets.push(this);
        this.once("open", () => (this.wasOpen = true));
      }
    }
    const getToken = () => this.token(user, { grant });
    const client = connect({ url: this.#outputs.webSocketUrl, auth: "query", getToken, WebSocket: Recorded, ...options });
    return { client, sockets };
  }

  /** Stops the gateway, which cuts all sockets, and waits until it has started again with its data. */
  async restartGateway() {
    const before = await this.#gatewayPid();
    process.kill(before, "SIGTERM");
    const deadline = Date.now() + RESTART_PATIENCE;
    while ((await this.#gatewayPid()) === before || !(await this.#isHealthy())) {
      if (Date.now() > deadline) throw new Error(`the gateway was not back within ${RESTART_PATIENCE / SECOND} s`);
      await sleep(50);
    }
  }

  async #gatewayPid() {
    const file = join(this.#folder, "ministack.pid");
    const text = await readFile(file, "utf8").catch(() => "");
    const pid = Number(text);
    if (pid > 0) return pid;
    throw new Error(`\`${file}\` has no process id: start the stack with \`--restarts\``);
  }

  async #isHealthy() {
    const health = fetch(new URL("/_ministack/health", this.#outputs.awsEndpoint), { signal: AbortSignal.timeout(SECOND) });
    return health.then(({ ok }) => ok).catch(() => false);
  }
}

/** Reads the key that signs tokens. The emulator takes the Region from the header and checks no signature. */
async function readKey({ awsEndpoint, region, tokenKeyParameter }) {
  const answer = await fetch(awsEndpoint, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "AmazonSSM.GetParameter",
      authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${region}/ssm/aws4_request, SignedHeaders=host, Signature=none`,
    },
    body: JSON.stringify({ Name: tokenKeyParameter, WithDecryption: true }),
  }).catch((cause) => {
    throw new Error(`the stack at ${awsEndpoint} doesn't answer: is it still up?`, { cause });
  });
  const { Parameter: parameter } = await answer.json();
  if (!parameter) throw new Error(`the stack at ${awsEndpoint} has no parameter \`${tokenKeyParameter}\`: HTTP ${answer.status}`);
  return parameter.Value;
}

const base64url = (text) => Buffer.from(text).toString("base64url");
