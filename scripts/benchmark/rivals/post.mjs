// Posts with the AWS SDK for JavaScript, once to each of the connections `c-0` to `c-(N-1)`, and ends with a line of JSON:
// how many posts there were, how many failed, and how many seconds the posting took.
//
// Two ways of sending: a fixed number of senders that take the next connection when they are done with one, or, with
// `--promise-all`, everything in one `Promise.all`, as most examples of a broadcast have it.

import { readFileSync } from "node:fs";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { parseArgs } from "node:util";

import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const USAGE =
  "usage: post.mjs --url URL --count N --bytes B --concurrency C [--ca FILE.pem] [--promise-all]";

function readArguments() {
  const { values } = parseArgs({
    options: {
      url: { type: "string" },
      count: { type: "string" },
      bytes: { type: "string" },
      concurrency: { type: "string" },
      ca: { type: "string" },
      "promise-all": { type: "boolean", default: false },
    },
  });
  if (!values.url) {
    throw new TypeError("`--url` is missing");
  }
  return {
    url: values.url,
    count: wholeNumber(values, "count"),
    bytes: wholeNumber(values, "bytes"),
    concurrency: wholeNumber(values, "concurrency"),
    ca: values.ca && readFileSync(values.ca),
    promiseAll: values["promise-all"],
  };
}

function wholeNumber(values, name) {
  const number = Number(values[name]);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new TypeError(`\`--${name}\` is \`${values[name]}\`, which is not a whole number of at least 1`);
  }
  return number;
}

function makeClient({ url, concurrency, ca }) {
  const agent = { keepAlive: true, maxSockets: concurrency };
  return new ApiGatewayManagementApiClient({
    endpoint: url,
    requestHandler: new NodeHttpHandler({
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ca }),
    }),
  });
}

async function postAll({ count, bytes, concurrency, promiseAll }, client) {
  const body = Buffer.alloc(bytes, "x");
  let next = 0;
  let failed = 0;
  const failures = new Set();

  async function post(number) {
    try {
      await client.send(new PostToConnectionCommand({ ConnectionId: `c-${number}`, Data: body }));
    } catch (error) {
      failed += 1;
      failures.add(`${error.name}: ${error.message}`);
    }
  }
  async function sendNext() {
    while (next < count) {
      const number = next;
      next += 1;
      await post(number);
    }
  }

  const began = performance.now();
  await Promise.all(
    promiseAll
      ? Array.from({ length: count }, (_, number) => post(number))
      : Array.from({ length: Math.min(concurrency, count) }, sendNext),
  );
  const seconds = (performance.now() - began) / 1000;
  for (const failure of failures) {
    console.error(`post.mjs: a post has failed: ${failure}`);
  }
  return { posts: count, failed, seconds };
}

let settings;
try {
  settings = readArguments();
} catch (error) {
  console.error(`post.mjs: error: ${error.message}\n${USAGE}`);
  process.exit(2);
}
const client = makeClient(settings);
const result = await postAll(settings, client);
client.destroy();
console.log(JSON.stringify(result));
