// Compiled, never run: what an application may write, and what it may not.
import { connect, HubbubError, type Client, type Message, type Options, type ServerErrorCode, type State, type Status } from "hubbub-client";

interface Chat {
  text: string;
}

const client: Client = connect({ url: "wss://example.test", getToken: async () => "a.b.c", random: () => 0.5 });
const room = client.room<Chat>("lobby");

const stop: () => void = room.on("message", (message) => {
  const { seq, from, at }: { seq: number; from: string; at: number } = message;
  if (message.deleted) {
    const nothing: undefined = message.body;
    void nothing;
  } else {
    const text: string = message.body.text;
    void text;
  }
  void [seq, from, at];
});
client.on("status", ({ status, previous, error }) => {
  const one: Status = status;
  void [one, previous, error?.code, error?.retryMs];
});
room.on("presence", ({ count, users, joined, left, paused }) => void [count, users[0], joined, left, paused]);
room.on("signal", ({ from, body }) => void [from, body.typing]);
client.inbox.on("signal", ({ from }) => void from);
room.on("deleted", ({ channel, seq, by }) => void [channel, seq, by]);
room.on("closed", ({ isErased, isReopened }) => void [isErased, isReopened]);
room.on("left", ({ reason, position, error }) => void [reason, position?.epoch, error]);
client.on("reset", ({ epoch, head }) => void [epoch, head]);
client.on("receipt", ({ delivered }) => void delivered);

export async function use(): Promise<void> {
  const { head, recovered } = await room.join({ since: 0 });
  const { presence } = await room.join({ presence: true });
  const { delivered }: { delivered: number } = await room.signal({ typing: true });
  await client.signal("bob", null);
  void [presence?.users, room.presence?.count, delivered];
  const accepted: { id: string; channel: string } = await room.publish({ text: "hello" }, { id: "m-1", receipt: true });
  const { messages, before } = await room.history({ before: 10, limit: 20 });
  if (before !== null) await room.history({ before });
  const { users, count } = await room.who();
  const { command, user }: { command: string; user?: string } = await room.kick("bob");
  await room.ban("bob", new Date());
  await room.ban("bob", Date.now() + 1000);
  await room.unban("bob");
  await room.delete(3);
  await room.close({ erase: true });
  await room.open();
  await client.kick("bob");
  await client.ban("bob", 1);
  await client.unban("bob");
  await client.direct("bob", { any: ["thing"] }, { receipt: true });
  for await (const message of room) show(message);
  for await (const message of client.inbox) void message.body;
  await client.everyone.join({ since: 3, epoch: "e" });
  const state: State = JSON.parse(JSON.stringify(client.state));
  const options: Options = { url: "ws://localhost", token: "a.b.c", auth: "query", state, inbox: false, moveAfter: [1, 2] };
  connect(options);
  await room.leave();
  client.wake();
  client.close();
  stop();
  void [head, recovered, accepted, messages, users, count, command, user];
  try {
    await room.join();
  } catch (error) {
    if (error instanceof HubbubError && error.code === "banned") void error.retryMs;
  }
}

function show(message: Message<Chat>): void {
  void message.body?.text;
}

// @ts-expect-error `url` is missing.
connect({ token: "a.b.c" });
// @ts-expect-error There is no such event.
room.on("massage", () => {});
// @ts-expect-error The body must be a Chat.
void room.publish({ txt: "hello" });
// @ts-expect-error Only rooms have presence.
void client.inbox.join({ presence: true });
// @ts-expect-error Only rooms can be left.
void client.inbox.leave();
// @ts-expect-error A deleted message has no body.
room.on("message", (message) => message.body.text);
// @ts-expect-error A status is one of five words.
export const status: Status = "on fire";

export const retried: ServerErrorCode[] = ["too_fast", "unavailable"];
// @ts-expect-error The wire contract has no such code.
export const code: ServerErrorCode = "too_slow";
