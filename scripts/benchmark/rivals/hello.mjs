// The smallest function that Lambda's Runtime API can drive: asks for an invocation, answers it, and asks again. AWS's own Node
// runtime loads more than this before it asks.

import { Agent, request } from "node:http";

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new Agent({ keepAlive: true });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const sent = request({ agent, hostname, port, method, path: `/2018-06-01/runtime/${path}` }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

while (true) {
  const { headers } = await call("GET", "invocation/next");
  await call("POST", `invocation/${headers["lambda-runtime-aws-request-id"]}/response`, '"hello"');
}
