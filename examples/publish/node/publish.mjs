// Publishes a message to a room and one to a user. All it needs of Hubbub is the URL of the publish queue.
//
// Usage: node publish.mjs QUEUE_URL ROOM USER TEXT

import { randomUUID } from "node:crypto";
import { SendMessageCommand, SQSClient, SQSServiceException } from "@aws-sdk/client-sqs";

const SENDER = "example-node";

/** Puts a message for a channel on the queue. When this resolves, the message is durable. */
async function publish(sqs, queueUrl, channel, body) {
    // If the outcome of a send is unknown, send again with the same id: the server then keeps one message.
    const id = randomUUID();
    await sqs.send(
        new SendMessageCommand({
            QueueUrl: queueUrl,
            MessageBody: JSON.stringify({ v: 1, channel, id, from: SENDER, body }),
            MessageGroupId: channel,
            MessageDeduplicationId: `${SENDER}/${id}`,
        }),
    );
    console.log(`${channel}: ${id}`);
}

async function main(args) {
    if (args.length !== 4) {
        console.error("usage: node publish.mjs QUEUE_URL ROOM USER TEXT");
        return 2;
    }
    const [queueUrl, room, user, text] = args;
    try {
        const sqs = new SQSClient();
        for (const channel of [`room:${room}`, `user:${user}`]) {
            await publish(sqs, queueUrl, channel, { text });
        }
    } catch (error) {
        const what = error instanceof SQSServiceException ? "the queue refused" : "the message could not be sent";
        console.error(`error: ${what}: ${error.message || error.code || error}`);
        return 1;
    }
    return 0;
}

process.exitCode = await main(process.argv.slice(2));
