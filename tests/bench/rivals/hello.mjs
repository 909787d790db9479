// The smallest function that Lambda's Runtime API can drive. With `--client`, it makes one client of the AWS SDK before it asks for its
// first invocation, as a function that posts to sockets does.

import { Agent, request } from "node:http";

if (process.argv.includes("--client")) {
  const { ApiGatewayManagementApiClient } = await import("@aws-sdk/client-apigatewaymanagementapi");
  new ApiGatewayManagementApiClient({ endpoint: process.env.HUBBUB_CALLBACK_URL });
}

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new Agent({ keepAlive: true });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const sent = request({ agent, hostname, port, method, path: `/2018-06-01/runtime/${path}` }, (response) => {
      response.on("end", () => resolve(response.headers)).resume();
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

while (true) {
  const headers = await call("GET", "invocation/next");
  await call("POST", `invocation/${headers["lambda-runtime-aws-request-id"]}/response`, '"hello"');
}
