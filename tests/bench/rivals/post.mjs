// Posts batches with the AWS SDK for JavaScript, and prints what each batch took: what `hubbub-bench post` does, with the same work as JSON
// in its argument.

import { readFileSync } from "node:fs";
import { Agent } from "node:https";

import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const work = JSON.parse(process.argv[2]);
const httpsAgent = new Agent({ keepAlive: true, maxSockets: work.concurrency, ca: readFileSync(work.ca) });
const client = new ApiGatewayManagementApiClient({
  endpoint: work.url,
  requestHandler: new NodeHttpHandler({ httpsAgent }),
});
const body = Buffer.alloc(work.body_bytes, "x");
let failed = 0;

async function postBatch() {
  let next = 0;
  const postOneByOne = async () => {
    while (next < work.batch_posts) {
      const ConnectionId = `c-${next++}`;
      try {
        await client.send(new PostToConnectionCommand({ ConnectionId, Data: body }));
      } catch (error) {
        failed += 1;
        console.error(`post.mjs: a post has failed: ${error}`);
      }
    }
  };
  await Promise.all(Array.from({ length: work.concurrency }, postOneByOne));
}

// Of all threads of the process, in microseconds.
function cpuTime() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const start = cpuTime();
const cpuUsPerPost = [];
for (let batch = 0, before = start; batch < work.batches; batch += 1) {
  await postBatch();
  const now = cpuTime();
  cpuUsPerPost.push((now - before) / work.batch_posts);
  before = now;
}
const peakKib = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
client.destroy();
console.log(
  JSON.stringify({ start_cpu_ms: start / 1e3, cpu_us_per_post: cpuUsPerPost, failed, peak_mib: peakKib / 1024 }),
);
