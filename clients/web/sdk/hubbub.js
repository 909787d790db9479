// Hubbub's client for browsers and Node. Generated from src/ by build.js: make changes there.
class HubbubError extends Error {
    constructor(code, message, { retryMs, id, cause } = {}) {
        super(message, cause === undefined ? undefined : { cause });
        this.name = "HubbubError";
        this.code = code;
        this.retryMs = retryMs;
        this.id = id;
    }
}
function asHubbubError(error) {
    if (error instanceof HubbubError)
        return error;
    return new HubbubError("connection_lost", `the server could not be reached: ${(error)?.message ?? error}`, {
        cause: error,
    });
}
function serverError({ code, message, retry_ms, id }) {
    return new HubbubError(code, message, { retryMs: retry_ms, id });
}
function connectionLost(action, why = "the socket is closed") {
    if (why instanceof HubbubError)
        return why;
    return new HubbubError("connection_lost", `the connection was lost before \`${action}\` was answered: ${why}`);
}
function notJoined(channel) {
    return new HubbubError("not_a_member", `\`${channel}\` is not joined: join it first`);
}
function defer() {
    const deferred = {};
    deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }));
    return deferred;
}
let emit;
class Emitter {
    #listeners = new Map();
    static {
        emit = (emitter, name, event) => {
            for (const listener of [...(emitter.#listeners.get(name) ?? [])]) {
                try {
                    listener(event);
                }
                catch (error) {
                    queueMicrotask(() => {
                        throw error;
                    });
                }
            }
        };
    }
    on(name, listener) {
        const listeners = this.#listeners.get(name) ?? new Set();
        const entry = (event) => listener(event);
        this.#listeners.set(name, listeners.add(entry));
        return () => {
            listeners.delete(entry);
        };
    }
}
class Stream {
    #unread = [];
    #readers = [];
    #ended = null;
    #subscription;
    #maxUnread;
    constructor(subscription, maxUnread) {
        this.#subscription = subscription;
        this.#maxUnread = maxUnread;
        subscription.streams.add(this);
    }
    push(message) {
        const reader = this.#readers.shift();
        if (reader)
            reader.resolve({ value: message, done: false });
        else if (this.#unread.length < this.#maxUnread)
            this.#unread.push(message);
        else {
            this.end(new HubbubError("too_slow", `${this.#maxUnread} messages of \`${this.#subscription.name}\` waited unread: read faster, or use \`on\``));
        }
    }
    end(error) {
        this.#ended ??= { error };
        this.#subscription.streams.delete(this);
        for (const reader of this.#readers.splice(0))
            this.#finish(reader);
    }
    next() {
        const reader = defer();
        const message = this.#unread.shift();
        if (message)
            reader.resolve({ value: message, done: false });
        else if (this.#ended)
            this.#finish(reader);
        else
            this.#readers.push(reader);
        return reader.promise;
    }
    async return() {
        this.#unread = [];
        this.end();
        return { value: undefined, done: (true) };
    }
    #finish(reader) {
        const { error } = this.#ended ?? {};
        if (error === undefined)
            reader.resolve({ value: undefined, done: true });
        else
            reader.reject(error);
        this.#ended = { error: undefined };
    }
}
const MAX_IDLE_JOINS = 5;
const key = (epoch, seq) => `${seq} ${epoch}`;
class Log {
    position = null;
    head = null;
    idleJoins = 0;
    #isOpen = false;
    #since;
    #generation = 0;
    #held = new Map();
    #dropped = null;
    #maxHeld;
    constructor(maxHeld, position = null) {
        this.#maxHeld = maxHeld;
        this.position = position;
    }
    get needsJoin() {
        const { position, head } = this;
        if (!this.#isOpen || !position)
            return true;
        const reach = this.#reach();
        const misses = (known) => known !== null && (known.epoch !== position.epoch || known.seq > reach);
        return this.#held.size > reach - position.seq || misses(head) || misses(this.#dropped);
    }
    join(start) {
        this.#generation += 1;
        this.#isOpen = false;
        if (start?.since !== undefined) {
            this.position = start.epoch === undefined ? null : { epoch: start.epoch, seq: start.since };
        }
        const asked = start ?? (this.position ? { since: this.position.seq, epoch: this.position.epoch } : {});
        this.#since = asked.since;
        return asked;
    }
    joined(answer) {
        const before = this.position;
        const since = this.#since;
        this.#isOpen = true;
        this.head = { epoch: answer.epoch, seq: answer.head };
        const isStale = (it) => it.epoch !== answer.epoch && it.generation !== this.#generation;
        this.#forget(isStale);
        if (this.#dropped && isStale(this.#dropped))
            this.#dropped = null;
        let isReset = false;
        if (since !== undefined && answer.recovered === true && (this.position ?? answer).epoch === answer.epoch) {
            this.position ??= { epoch: answer.epoch, seq: since };
            for (const entry of answer.messages ?? [])
                this.#hold(answer.epoch, entry, Infinity);
        }
        else {
            this.#startAnew(answer);
            isReset = since !== undefined;
        }
        const position = (this.position);
        this.#forget(({ epoch, entry }) => this.#isOld(epoch, entry.seq));
        const brought = before?.epoch !== position.epoch || this.#reach() !== before.seq;
        this.idleJoins = brought || !this.needsJoin ? 0 : this.idleJoins + 1;
        if (this.idleJoins >= MAX_IDLE_JOINS) {
            this.#dropped = null;
            this.idleJoins = 0;
            this.#startAnew(answer);
            this.#forget(({ epoch, entry }) => this.#isOld(epoch, entry.seq));
            isReset = true;
        }
        return isReset;
    }
    receive(epoch, entries) {
        for (const entry of entries)
            this.#hold(epoch, entry, this.#maxHeld);
    }
    next() {
        if (!this.#isOpen || !this.position)
            return undefined;
        const { epoch, seq } = this.position;
        const held = this.#held.get(key(epoch, seq + 1));
        if (held) {
            this.#held.delete(key(epoch, seq + 1));
            this.position = { epoch, seq: seq + 1 };
        }
        return held;
    }
    #isOld(epoch, seq) {
        return this.position?.epoch === epoch && seq <= this.position.seq;
    }
    #hold(epoch, entry, most) {
        const name = key(epoch, entry.seq);
        if (this.#isOld(epoch, entry.seq) || this.#held.has(name))
            return;
        const generation = this.#generation;
        const isNext = this.position?.epoch === epoch && entry.seq === this.position.seq + 1;
        if (isNext || this.#held.size < most) {
            this.#held.set(name, { epoch, entry, generation });
        }
        else if (this.#dropped?.epoch !== epoch || this.#dropped.seq < entry.seq) {
            this.#dropped = { epoch, seq: entry.seq, generation };
        }
    }
    #reach() {
        let { epoch, seq } = (this.position);
        while (this.#held.has(key(epoch, seq + 1)))
            seq += 1;
        return seq;
    }
    #startAnew({ epoch, head }) {
        let seq = head;
        while (this.#held.has(key(epoch, seq)))
            seq -= 1;
        if (this.position?.epoch === epoch && this.position.seq <= head)
            seq = Math.max(seq, this.position.seq);
        this.position = { epoch, seq };
    }
    #forget(isDone) {
        for (const [name, held] of this.#held)
            if (isDone(held))
                this.#held.delete(name);
    }
}
function isMessage(entry) {
    return "body" in entry || entry.deleted === entry.seq;
}
function toMessage(channel, epoch, entry) {
    const { seq, id, from, at } = entry;
    const message = { channel, epoch, seq, id, from, at };
    return "body" in entry ? { ...message, body: entry.body } : { ...message, deleted: true };
}
class PresenceTracker {
    known = null;
    isStale = true;
    #newest = -Infinity;
    #early = null;
    joinSent() {
        this.#early = [];
    }
    joinAnswered(answer) {
        const early = this.#early ?? [];
        const before = this.known;
        this.#early = null;
        this.isStale = false;
        const { count = 0, users = [], paused = false } = answer ?? {};
        this.known = answer ? { count, users: [...users].sort(), paused } : null;
        for (const update of early)
            this.update(update);
        return difference(before, this.known);
    }
    joinFailed() {
        this.#early = null;
        this.isStale = true;
    }
    update(update) {
        const { at, count, users = [], paused = false } = update;
        const before = this.known;
        if (this.#early)
            this.#early.push(update);
        if (this.#early || this.isStale || !before || at <= this.#newest)
            return null;
        this.#newest = at;
        this.known = { count, users: [...users].sort(), paused };
        return difference(before, this.known);
    }
}
function difference(before, now) {
    if (!now)
        return null;
    const isComparable = before !== null && !before.paused && !now.paused;
    const without = (users, others) => {
        const known = new Set(others);
        return isComparable ? users.filter((user) => !known.has(user)) : [];
    };
    const change = { joined: without(now.users, before?.users ?? []), left: without(before?.users ?? [], now.users) };
    const isSame = before?.count === now.count && before.paused === now.paused;
    return isSame && change.joined.length === 0 && change.left.length === 0 ? null : { ...copy(now), ...change };
}
const copy = ({ count, users, paused }) => ({ count, users: [...users], paused });
function frameText(fields, body) {
    const text = JSON.stringify(fields);
    return body === undefined ? text : `${text.slice(0, -1)},"body":${body}}`;
}
function target(name) {
    return name.startsWith("room:") ? { room: roomOf(name) } : { channel: name };
}
function roomOf(name) {
    return name.slice("room:".length);
}
class Connection {
    members = new Set();
    unsure = new Set();
    watched = new Set();
    awaitedReceipts = new Set();
    isRetiring = false;
    isOpen = true;
    #socket;
    #session;
    #lastFrameAt;
    #lastRef = 0;
    #requests = new Map();
    constructor(socket, session) {
        this.#socket = socket;
        this.#session = session;
        this.openedAt = this.#lastFrameAt = session.timers.now();
        socket.onmessage = (event) => this.#receive(event.data);
        socket.onclose = (event) => this.#end(`closed with code ${event.code}${event.reason ? `: \`${event.reason}\`` : ""}`);
        socket.onerror = () => { };
    }
    mayBeMember(channel) {
        return this.members.has(channel) || this.unsure.has(channel);
    }
    forget(channel) {
        this.members.delete(channel);
        this.unsure.delete(channel);
        this.watched.delete(channel);
    }
    get isBusy() {
        return this.#requests.size > 0 || this.awaitedReceipts.size > 0;
    }
    ask(fields, body) {
        const ref = String((this.#lastRef += 1));
        const { promise, resolve, reject } = defer();
        const { action } = fields;
        if (!this.isOpen) {
            reject(connectionLost(action));
            return promise;
        }
        const sentAt = this.#session.timers.now();
        const timer = this.#session.timers.after(this.#session.options.requestTimeout, () => {
            this.#requests.delete(ref);
            reject(new HubbubError("timeout", `\`${action}\` was not answered in time: try again`));
            if (this.#lastFrameAt <= sentAt)
                this.abort("nothing was heard from the server");
        });
        this.#requests.set(ref, { resolve, reject: (why) => reject(connectionLost(action, why)), timer });
        this.#socket.send(frameText({ ...fields, ref }, body));
        return promise;
    }
    abort(why) {
        this.#socket.onmessage = this.#socket.onclose = null;
        try {
            this.#socket.close(1000);
        }
        catch {
        }
        this.#end(why);
    }
    #end(why) {
        if (!this.isOpen)
            return;
        this.isOpen = false;
        this.#session.connections.lost(this, why);
        for (const { reject, timer } of this.#requests.values()) {
            this.#session.timers.cancel(timer);
            reject(why);
        }
        this.#requests.clear();
    }
    #receive(data) {
        this.#lastFrameAt = this.#session.timers.now();
        const frame = parse(data);
        if (!frame)
            return;
        const ref = "ref" in frame ? frame.ref : undefined;
        const request = ref === undefined || frame.type === "closing" ? undefined : this.#requests.get(ref);
        if (!request || ref === undefined) {
            if (ref === undefined || frame.type === "closing")
                this.#session.receive(this, frame);
            return;
        }
        this.#requests.delete(ref);
        this.#session.timers.cancel(request.timer);
        if (frame.type === "error")
            request.reject(serverError(frame));
        else
            request.resolve(frame);
        this.#session.connections.closeIfDone(this);
    }
}
function parse(data) {
    try {
        const frame = JSON.parse(String(data));
        return typeof frame === "object" ? frame : null;
    }
    catch {
        return null;
    }
}
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DEFAULTS = {
    backoffBase: SECOND,
    backoffCap: 30 * SECOND,
    requestTimeout: 30 * SECOND,
    connectTimeout: 30 * SECOND,
    pingEvery: 8 * MINUTE,
    moveAfter: [90 * MINUTE, 115 * MINUTE],
    maxOutbox: 1_000,
    maxHeld: 1_000,
    maxUnread: 10_000,
};
const HOST_CLOCK = {
    now: () => Date.now(),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer),
};
function checkId(what, id) {
    if (typeof id === "string" && /^[A-Za-z0-9._:-]{1,64}$/.test(id))
        return;
    throw new HubbubError("invalid_id", `\`${id}\` is not a ${what} id: use 1 to 64 of \`A–Z a–z 0–9 . _ : -\``);
}
function checkUrl({ url }) {
    if (URL.canParse?.(url) !== false && /^wss?:/.test(url))
        return;
    throw new HubbubError("invalid_options", `\`${url}\` is not a WebSocket address: give the stack's, \`wss://…\``);
}
function checkToken({ token, getToken }) {
    if ((token === undefined) === (getToken === undefined)) {
        throw new HubbubError("invalid_options", "give either `getToken`, a function that fetches a token, or `token`");
    }
    return getToken ?? (() => (token));
}
function checkWebSocket({ WebSocket = globalThis.WebSocket }) {
    if (WebSocket)
        return WebSocket;
    throw new HubbubError("invalid_options", "there is no `WebSocket` here: give one, such as the npm package `ws`, as the option `WebSocket`");
}
function checkState(state) {
    for (const [name, position] of Object.entries(state)) {
        if (typeof position?.epoch === "string" && Number.isSafeInteger(position.seq) && position.seq >= 0)
            continue;
        throw new HubbubError("invalid_options", `\`state\` has no position for \`${name}\`: give what \`client.state\` gave`);
    }
    return { ...state };
}
function readToken(token) {
    try {
        if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token))
            throw new Error("not three parts");
        const bytes = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
        const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
        if (typeof claims.sub === "string")
            return claims;
    }
    catch {
    }
    throw new HubbubError("invalid_token", "the token is not a JSON Web Token with a `sub`");
}
function withoutUndefined(object) {
    return (Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)));
}
class Dialer {
    user;
    #session;
    #getToken;
    #WebSocket;
    constructor(session, options) {
        this.#session = session;
        this.#getToken = checkToken(options);
        this.#WebSocket = checkWebSocket(options);
    }
    async open() {
        const token = await this.#fetchToken();
        const connection = await this.#openSocket(token.text);
        return { connection, lifetime: this.#lifetime(token.exp) };
    }
    async #fetchToken() {
        const { sub, exp, text } = await this.#within(this.#session.options.connectTimeout, "there was no token", this.#askForToken());
        if (this.user !== undefined && this.user !== sub) {
            throw new HubbubError("wrong_user", `the token is for \`${sub}\`, and this client is \`${this.user}\`'s: connect a new one for another user`);
        }
        if (this.user === undefined) {
            this.user = sub;
            this.#session.setUser(sub);
        }
        return { text, exp };
    }
    async #askForToken() {
        let text;
        try {
            text = await this.#getToken();
        }
        catch (error) {
            const why = (error)?.message ?? error;
            throw new HubbubError("token_unavailable", `the token could not be fetched: ${why}`, { cause: error });
        }
        return { text, ...readToken(text) };
    }
    async #openSocket(token) {
        if (this.#session.ended)
            throw this.#session.ended;
        const url = new URL(this.#session.options.url);
        const isQuery = this.#session.options.auth === "query";
        if (isQuery)
            url.searchParams.set("token", token);
        const socket = isQuery ? new this.#WebSocket(url.href) : new this.#WebSocket(url.href, ["hubbub.v1", `bearer.${token}`]);
        const { promise, resolve, reject } = defer();
        const refuse = (event) => {
            const why = event?.message || `code ${event?.code}`;
            reject(new HubbubError("connection_lost", `the server could not be reached, or refused the token: ${why}`));
        };
        socket.onerror = refuse;
        socket.onclose = refuse;
        socket.onopen = () => resolve(new Connection(socket, this.#session));
        try {
            return await this.#within(this.#session.options.connectTimeout, "the socket did not open", promise);
        }
        catch (error) {
            socket.onopen = () => socket.close(1000);
            socket.onclose = null;
            socket.onerror = () => { };
            try {
                socket.close(1000);
            }
            catch {
            }
            throw error;
        }
    }
    #within(ms, what, promise) {
        const { promise: late, reject } = defer();
        const timer = this.#session.timers.after(ms, () => reject(new HubbubError("timeout", `${what} within ${ms} ms`)));
        return Promise.race([promise, (late)]).finally(() => this.#session.timers.cancel(timer));
    }
    #lifetime(exp) {
        const [from, to] = this.#session.options.moveAfter;
        const byAge = from + this.#session.random() * (to - from);
        const rest = exp * SECOND - this.#session.timers.now();
        const byToken = this.#session.options.getToken && rest > MINUTE ? rest * (0.8 + 0.15 * this.#session.random()) : Infinity;
        return Math.min(byAge, byToken);
    }
}
const STABLE_AFTER = 10 * SECOND;
class Connections {
    current = null;
    #session;
    #dialer;
    #old = new Set();
    #isDialing = false;
    #tries = 0;
    #dialTimer;
    constructor(session, options) {
        this.#session = session;
        this.#dialer = new Dialer(session, options);
    }
    get user() {
        return this.#dialer.user;
    }
    get all() {
        return this.current ? [this.current, ...this.#old] : [...this.#old];
    }
    backoff(tries) {
        const { random, options } = this.#session;
        return random() * Math.min(options.backoffCap, options.backoffBase * 2 ** tries);
    }
    dialNow() {
        this.#tries = 0;
        this.dial();
    }
    async dial() {
        const session = this.#session;
        if (this.#isDialing || session.ended)
            return;
        this.#isDialing = true;
        session.timers.cancel(this.#dialTimer);
        try {
            const { connection, lifetime } = await this.#dialer.open();
            this.#isDialing = false;
            if (session.ended)
                connection.abort(session.ended);
            else
                this.#use(connection, lifetime);
        }
        catch (error) {
            this.#isDialing = false;
            if (session.ended)
                return;
            if (error instanceof HubbubError && (error.code === "invalid_token" || error.code === "wrong_user"))
                return session.end(error);
            if (!this.current)
                session.setStatus("offline", asHubbubError(error));
            this.#dialIn(this.backoff(this.#tries++));
        }
    }
    #dialIn(ms) {
        this.#session.timers.cancel(this.#dialTimer);
        this.#dialTimer = this.#session.timers.after(ms, () => this.dial());
    }
    #use(connection, lifetime) {
        if (this.current)
            this.#old.add(this.current);
        this.current = connection;
        if (!connection.isOpen)
            return this.lost(connection, "closed at once");
        this.#dialIn(lifetime);
        this.#session.connected();
    }
    lost(connection, why) {
        const session = this.#session;
        if (this.#old.delete(connection) || connection !== this.current || session.ended)
            return;
        if (session.timers.now() - connection.openedAt >= STABLE_AFTER)
            this.#tries = 0;
        this.current = [...this.#old].find((old) => !old.isRetiring) ?? null;
        if (this.current)
            this.#old.delete(this.current);
        if (!this.#isDialing)
            this.#dialIn(this.backoff(this.#tries++));
        session.disconnected(why);
    }
    closedByServer(connection, { code, message, reconnect }) {
        const session = this.#session;
        if (!reconnect)
            return session.end(new HubbubError(code, message));
        if (code === "token_expired" && !session.options.getToken && connection === this.current) {
            return session.end(new HubbubError(code, "the token has expired: give `getToken` instead of `token`, so that a fresh one can be fetched"));
        }
        connection.abort(message);
    }
    retireOld() {
        for (const old of [...this.#old]) {
            if (old.isRetiring)
                continue;
            old.isRetiring = true;
            this.#session.timers.after(this.#session.options.requestTimeout, () => old.abort("moved"));
            this.closeIfDone(old);
        }
    }
    closeIfDone(connection) {
        if (connection.isRetiring && !connection.isBusy)
            connection.abort("moved");
    }
    end(why) {
        for (const connection of this.all)
            connection.abort(why);
        this.current = null;
        this.#old.clear();
    }
}
const MAX_SIGNALS = 100;
class Delivery {
    #session;
    #client;
    #signals = new Map();
    constructor(session, client) {
        this.#session = session;
        this.#client = client;
    }
    tell(subscription, name, event) {
        if (subscription?.channel)
            emit(subscription.channel, name, event);
        emit(this.#client, name, event);
    }
    receiveEntries(name, epoch, entries) {
        const { subscriptions } = this.#session;
        const subscription = subscriptions.find(name);
        if (!subscription?.isFollowed)
            return;
        subscription.log.receive(epoch, entries);
        this.handOut(subscription);
        subscriptions.fillGap(subscription);
    }
    handOut(subscription) {
        const { name, log } = subscription;
        for (let taken; subscription.log === log && (taken = log.next());) {
            const { epoch, entry } = taken;
            this.#session.outbox.noteEntry(name, entry);
            const about = { channel: name, epoch, seq: entry.seq, by: entry.from, at: entry.at };
            if (isMessage(entry)) {
                const message = toMessage(name, epoch, entry);
                this.tell(subscription, "message", message);
                for (const stream of [...subscription.streams])
                    stream.push(message);
            }
            else if (entry.deleted !== undefined) {
                this.tell(subscription, "deleted", { ...about, seq: entry.deleted });
            }
            else if (entry.closed !== undefined) {
                const isReopened = log.head?.epoch === epoch && entry.seq <= log.head.seq;
                this.tell(subscription, "closed", { ...about, isErased: entry.closed === "erased", isReopened });
                if (!isReopened && subscription.log === log)
                    this.#roomClosed(subscription);
            }
        }
    }
    #roomClosed(subscription) {
        const { connections, subscriptions } = this.#session;
        for (const connection of connections.all)
            connection.forget(subscription.name);
        subscriptions.unfollow(subscription, new HubbubError("room_closed", `\`${subscription.name}\` is closed`));
    }
    receiveLeft(connection, { channel, reason = "kicked" }) {
        const { connections, subscriptions, user } = this.#session;
        connection.forget(channel);
        const subscription = subscriptions.find(channel);
        if (!subscription?.isFollowed || connections.current?.members.has(channel))
            return;
        const { position } = subscription.log;
        subscriptions.unfollow(subscription, new HubbubError(reason, `\`${user}\` was ${reason} from \`${channel}\``));
        this.tell(subscription, "left", { channel, reason, position });
    }
    receiveReceipt(connection, { type, ...receipt }) {
        connection.awaitedReceipts.delete(receipt.id);
        this.tell(this.#session.subscriptions.find(receipt.channel), "receipt", receipt);
        this.#session.connections.closeIfDone(connection);
    }
    receivePresence(frame) {
        const subscription = this.#session.subscriptions.find(frame.channel);
        if (subscription?.isWatched)
            this.tellPresence(subscription, subscription.presence.update(frame));
    }
    tellPresence(subscription, change) {
        if (change)
            this.tell(subscription, "presence", { channel: subscription.name, ...change });
    }
    receiveSignal(connection, { channel, from, at, body }) {
        const subscription = this.#session.subscriptions.find(channel);
        const key = JSON.stringify([channel, from, at, body]);
        const isCopy = (this.#signals.get(key) ?? connection) !== connection;
        if (!isCopy)
            this.#signals.set(key, connection);
        for (const oldest of this.#signals.keys())
            if (this.#signals.size > MAX_SIGNALS)
                this.#signals.delete(oldest);
        if (subscription?.isFollowed && !isCopy)
            this.tell(subscription, "signal", { channel, from, at, body });
    }
}
const SAME_ID_FOR = 4.5 * MINUTE;
const MAX_FRAME_BYTES = 32_768;
const MAX_REJOINS = 3;
class ChannelQueue {
    items = [];
    isSending = false;
    constructor(name, subscription) {
        this.name = name;
        this.subscription = subscription;
    }
}
class Outbox {
    #session;
    #size = 0;
    #queues = new Map();
    constructor(session) {
        this.#session = session;
    }
    async publish(name, fields, body, { id = freshId(), receipt = false }) {
        const subscription = name.startsWith("room:") ? this.#session.subscriptions.of(name) : null;
        if (this.#session.ended)
            throw this.#session.ended;
        if (subscription && !subscription.isFollowed)
            throw subscription.whyLeft ?? notJoined(name);
        checkId("message", id);
        const text = bodyText(body);
        const frame = { ...fields, id, ...(receipt && { receipt }) };
        checkSize(frameText({ ...frame, ref: "0".repeat(16) }, text), id);
        if (this.#size >= this.#session.options.maxOutbox) {
            const message = `${this.#size} messages wait to be accepted: publish \`${id}\` again when there are fewer`;
            throw new HubbubError("outbox_full", message, { id });
        }
        const queue = this.#queues.get(name) ?? new ChannelQueue(name, subscription);
        this.#queues.set(name, queue);
        const item = { id, frame, text, receipt, doubtSince: undefined, isSeen: false, ...defer() };
        queue.items.push(item);
        this.#size += 1;
        this.#sendAll(queue);
        return item.promise;
    }
    async #sendAll(queue) {
        if (queue.isSending)
            return;
        queue.isSending = true;
        for (let item; (item = queue.items[0]);) {
            try {
                item.resolve(await this.#send(queue, item));
            }
            catch (error) {
                item.reject(error);
            }
            queue.items.shift();
            this.#size -= 1;
        }
        this.#queues.delete(queue.name);
    }
    async #send(queue, item) {
        for (let failures = 0, rejoins = 0;;) {
            const connection = await this.#session.requests.ready(queue.subscription);
            if (item.isSeen)
                return { id: item.id, channel: queue.name };
            if (item.doubtSince !== undefined && this.#session.timers.now() - item.doubtSince > SAME_ID_FOR)
                throw inDoubt(item.id);
            const sentAt = this.#session.timers.now();
            try {
                if (item.receipt)
                    connection.awaitedReceipts.add(item.id);
                const { id, channel } = await connection.ask(item.frame, item.text);
                return { id, channel };
            }
            catch (error) {
                const { code } = (error);
                connection.awaitedReceipts.delete(item.id);
                if (code === "timeout" || code === "connection_lost")
                    item.doubtSince ??= sentAt;
                let pause = this.#session.requests.retryPause((error), connection, failures++);
                if (code === "not_a_member" && queue.subscription?.isFollowed && rejoins++ < MAX_REJOINS) {
                    this.#session.subscriptions.joinAgain(queue.subscription, connection);
                    pause = 0;
                }
                if (pause === undefined)
                    throw error;
                await this.#session.timers.sleep(pause);
            }
        }
    }
    noteEntry(channel, entry) {
        const item = this.#queues.get(channel)?.items[0];
        if (item?.id === entry.id && entry.from === this.#session.user)
            item.isSeen = true;
    }
    reject(error) {
        for (const queue of this.#queues.values())
            for (const item of queue.items)
                item.reject(error);
    }
}
function freshId() {
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
function bodyText(body) {
    let why = "it is not a JSON value";
    try {
        const text = JSON.stringify(body);
        if (text !== undefined)
            return text;
    }
    catch (error) {
        why = (error).message;
    }
    throw new HubbubError("not_json", `the body can't be written as JSON: ${why}`);
}
function checkSize(text, id) {
    const bytes = new TextEncoder().encode(text).length;
    if (bytes <= MAX_FRAME_BYTES)
        return;
    throw new HubbubError("body_too_large", `the frame has ${bytes} bytes, and may have ${MAX_FRAME_BYTES}: send less, or a link to it`, { id });
}
function inDoubt(id) {
    const message = `\`${id}\` was sent, but its answer was lost, and the server may have forgotten the id since: it may be in the log, or not`;
    return new HubbubError("in_doubt", message, { id });
}
class Requests {
    #session;
    constructor(session) {
        this.#session = session;
    }
    async ready(subscription, deadline = Infinity) {
        const session = this.#session;
        const { timers } = session;
        const timer = deadline === Infinity ? undefined : timers.after(deadline - timers.now(), () => session.changed());
        try {
            for (;;) {
                if (session.ended)
                    throw session.ended;
                if (subscription && !subscription.isFollowed)
                    throw subscription.whyLeft ?? notJoined(subscription.name);
                const connection = session.connections.current;
                if (connection && (!subscription || connection.members.has(subscription.name)))
                    return connection;
                if (timers.now() >= deadline)
                    throw new HubbubError("offline", "there was no connection in time: try again when the client is live");
                await session.change;
            }
        }
        finally {
            timers.cancel(timer);
        }
    }
    retryPause({ code, retryMs }, connection, failures) {
        const { connections } = this.#session;
        if (code === "not_connected")
            connection.abort("the server doesn't know this connection any more");
        if (code === "connection_lost" || code === "not_connected")
            return connection.isOpen ? connections.backoff(failures) : 0;
        if (code === "too_fast")
            return retryMs ?? connections.backoff(failures);
        return code === "unavailable" || code === "timeout" ? connections.backoff(failures) : undefined;
    }
    async send(subscription, fields, { isRead }) {
        const { timers, options } = this.#session;
        const deadline = timers.now() + options.requestTimeout;
        for (let failures = 0;; failures += 1) {
            const connection = await this.ready(subscription, deadline);
            try {
                return await connection.ask(fields());
            }
            catch (error) {
                const { code } = (error);
                const pause = this.retryPause((error), connection, failures);
                const mayRepeat = isRead || code === "too_fast" || code === "unavailable" || code === "not_connected";
                if (pause === undefined || !mayRepeat || timers.now() + pause >= deadline)
                    throw error;
                await timers.sleep(pause);
            }
        }
    }
    async moderate(fields) {
        const { channel, command, user } = await this.send(null, () => fields, { isRead: false });
        return { channel, command, ...(user !== undefined && { user }) };
    }
    async signal(channel, subscription, to, body) {
        const session = this.#session;
        if (session.ended)
            throw session.ended;
        if (subscription && !subscription.isFollowed)
            throw subscription.whyLeft ?? notJoined(subscription.name);
        const text = bodyText(body);
        const fields = { action: "signal", ...to };
        checkSize(frameText({ ...fields, ref: "0".repeat(16) }, text));
        const dropped = { channel, delivered: 0 };
        const connection = session.connections.all.find(({ members }) => !subscription || members.has(subscription.name));
        if (!connection)
            return dropped;
        try {
            const { delivered } = await connection.ask(fields, text);
            return { channel, delivered };
        }
        catch (error) {
            const { code } = (error);
            this.retryPause((error), connection, 0);
            if (code === "not_a_member" && subscription?.isFollowed)
                session.subscriptions.joinAgain(subscription, connection);
            else if (code !== "connection_lost" && code !== "timeout" && code !== "not_connected")
                throw error;
            return dropped;
        }
    }
}
class Subscription {
    isFollowed = false;
    wasMember = false;
    mustJoin = false;
    start;
    isWatched = false;
    presence = new PresenceTracker();
    isReconciling = false;
    recovered;
    whyLeft = null;
    joins = [];
    streams = new Set();
    channel;
    constructor(name, log) {
        this.name = name;
        this.log = log;
    }
    get isRoom() {
        return this.name.startsWith("room:");
    }
    presenceToAsk({ watched }) {
        const isKnown = watched.has(this.name);
        if (this.isWatched)
            return isKnown && !this.presence.isStale ? undefined : true;
        return isKnown ? false : undefined;
    }
}
const IDLE_PAUSE = 100;
class Subscriptions {
    #session;
    #imported;
    #byName = new Map();
    constructor(session, { state = {}, inbox = true, everyone = true }) {
        this.#session = session;
        this.#imported = checkState(state);
        this.inbox = new Subscription("user:", this.#newLog());
        this.everyone = this.of("everyone");
        this.inbox.isFollowed = inbox;
        this.everyone.isFollowed = everyone;
        for (const name of Object.keys(this.#imported))
            if (name.startsWith("room:"))
                this.of(name);
    }
    get all() {
        return [...this.#byName.values()];
    }
    get state() {
        const state = { ...this.#imported };
        for (const { name, isFollowed, log } of this.all) {
            if (isFollowed && log.position)
                state[name] = { ...log.position };
        }
        return state;
    }
    #newLog(position = null) {
        return new Log(this.#session.options.maxHeld, position);
    }
    find(name) {
        return this.#byName.get(name);
    }
    of(name) {
        const known = this.#byName.get(name);
        if (known)
            return known;
        const subscription = new Subscription(name, this.#newLog());
        this.#byName.set(name, subscription);
        const position = this.#imported[name];
        if (position)
            this.#resume(subscription, position);
        return subscription;
    }
    nameInbox(user) {
        this.inbox.name = `user:${user}`;
        this.#byName.set(this.inbox.name, this.inbox);
        const position = this.#imported[this.inbox.name];
        if (position && this.inbox.isFollowed)
            this.#resume(this.inbox, position);
        this.#imported = {};
    }
    #resume(subscription, position) {
        delete this.#imported[subscription.name];
        if (subscription.log.position === null)
            subscription.log = this.#newLog(position);
        subscription.isFollowed = subscription.wasMember = true;
    }
    follow(subscription, { since, epoch, presence }) {
        const { ended } = this.#session;
        if (ended)
            return Promise.reject(ended);
        if (!subscription.isFollowed)
            subscription.log = this.#newLog();
        subscription.isFollowed = subscription.mustJoin = true;
        subscription.whyLeft = null;
        if (presence !== undefined)
            subscription.isWatched = presence;
        if (presence === false)
            subscription.presence = new PresenceTracker();
        if (presence)
            subscription.presence.isStale = true;
        if (since !== undefined)
            subscription.start = epoch === undefined ? { since } : { since, epoch };
        const join = defer();
        subscription.joins.push(join);
        this.#reconcile(subscription);
        return join.promise;
    }
    async leave(subscription) {
        const session = this.#session;
        this.unfollow(subscription, new HubbubError("not_a_member", `\`${subscription.name}\` was left: join it first`));
        this.#reconcile(subscription);
        while (!subscription.isFollowed && session.connections.current?.mayBeMember(subscription.name))
            await session.change;
    }
    unfollow(subscription, why) {
        subscription.isFollowed = subscription.wasMember = subscription.mustJoin = subscription.isWatched = false;
        subscription.whyLeft = why;
        subscription.start = undefined;
        subscription.log = this.#newLog();
        subscription.presence = new PresenceTracker();
        for (const join of subscription.joins.splice(0))
            join.reject(why);
        for (const stream of [...subscription.streams])
            stream.end();
        this.#session.changed();
    }
    rejoin(names) {
        for (const name of names) {
            const subscription = this.#byName.get(name);
            if (!subscription?.isFollowed)
                continue;
            subscription.mustJoin = true;
            subscription.presence.isStale = true;
            this.#reconcile(subscription);
        }
    }
    joinAgain(subscription, connection) {
        connection.forget(subscription.name);
        this.#reconcile(subscription);
    }
    fillGap(subscription) {
        if (subscription.log.needsJoin)
            this.#reconcile(subscription);
    }
    reconcileAll() {
        for (const subscription of this.all)
            this.#reconcile(subscription);
        this.#settle();
    }
    async #reconcile(subscription) {
        const session = this.#session;
        const { name } = subscription;
        if (subscription.isReconciling)
            return;
        subscription.isReconciling = true;
        let failures = 0;
        for (let connection; (connection = session.connections.current) && !session.ended;) {
            const isMember = connection.members.has(name);
            const mustLeave = !subscription.isFollowed && connection.mayBeMember(name) && subscription.isRoom;
            const isIncomplete = !isMember || subscription.mustJoin || subscription.log.needsJoin;
            const mustJoin = subscription.isFollowed && (isIncomplete || subscription.presenceToAsk(connection) !== undefined);
            if (!mustLeave && !mustJoin)
                break;
            try {
                await (mustJoin ? this.#join(subscription, connection) : this.#leave(subscription, connection));
                failures = 0;
            }
            catch (error) {
                if (session.ended)
                    break;
                const pause = session.requests.retryPause(asHubbubError(error), connection, failures++);
                if (pause !== undefined)
                    await session.timers.sleep(pause);
                else if (mustJoin) {
                    if (!isMember)
                        connection.forget(name);
                    this.#giveUp(subscription, asHubbubError(error));
                }
                else
                    connection.forget(name);
            }
        }
        subscription.isReconciling = false;
        this.#settle(subscription);
        session.changed();
    }
    async #join(subscription, connection) {
        const session = this.#session;
        const { name, log, start, presence: tracker } = subscription;
        subscription.mustJoin = false;
        const presence = subscription.presenceToAsk(connection);
        if (presence) {
            tracker.joinSent();
            connection.watched.add(name);
        }
        connection.unsure.add(name);
        const fields = { action: "join", ...target(name), ...log.join(start), ...withoutUndefined({ presence }) };
        const answer = await connection.ask(fields).catch((error) => {
            if (presence)
                tracker.joinFailed();
            throw error;
        });
        connection.members.add(name);
        connection.unsure.delete(name);
        if (presence === false)
            connection.watched.delete(name);
        if (presence && subscription.presence === tracker)
            session.delivery.tellPresence(subscription, tracker.joinAnswered(answer.presence));
        if (subscription.log !== log || subscription.start !== start)
            return;
        subscription.start = undefined;
        subscription.wasMember = true;
        if (subscription.recovered !== false)
            subscription.recovered = answer.recovered;
        if (log.joined(answer)) {
            subscription.recovered = false;
            session.delivery.tell(subscription, "reset", { channel: name, epoch: answer.epoch, head: answer.head });
        }
        session.delivery.handOut(subscription);
        session.changed();
        if (log.idleJoins > 0)
            await session.timers.sleep(IDLE_PAUSE * log.idleJoins);
    }
    async #leave(subscription, connection) {
        await connection.ask({ action: "leave", room: roomOf(subscription.name) });
        connection.forget(subscription.name);
    }
    #giveUp(subscription, error) {
        const { name, wasMember, isWatched, log } = subscription;
        if (wasMember && isWatched && error.code === "not_allowed")
            return this.#unwatch(subscription, error);
        this.unfollow(subscription, error);
        if (wasMember)
            this.#session.delivery.tell(subscription, "left", { channel: name, reason: error.code, position: log.position, error });
    }
    #unwatch(subscription, error) {
        subscription.isWatched = false;
        subscription.mustJoin = true;
        subscription.presence = new PresenceTracker();
        for (const connection of this.#session.connections.all)
            connection.watched.delete(subscription.name);
        for (const join of subscription.joins.splice(0))
            join.reject(error);
    }
    #settle(subscription) {
        const connection = this.#session.connections.current;
        if (!connection)
            return;
        const isSettled = (one) => connection.members.has(one.name) && !one.isReconciling;
        if (subscription?.isFollowed && isSettled(subscription)) {
            const { epoch, seq } = (subscription.log.head);
            const presence = subscription.presence.known;
            const { name, recovered } = subscription;
            subscription.recovered = undefined;
            const joined = { channel: name, epoch, head: seq, recovered, ...(presence && { presence: copy(presence) }) };
            for (const join of subscription.joins.splice(0))
                join.resolve(joined);
        }
        if (!this.all.every((one) => !one.isFollowed || isSettled(one)))
            return;
        this.#session.setStatus("live");
        this.#session.connections.retireOld();
    }
    end(why, error) {
        for (const { joins, streams } of new Set([...this.all, this.inbox])) {
            for (const join of joins.splice(0))
                join.reject(why);
            for (const stream of [...streams])
                stream.end(error);
        }
    }
}
class Timers {
    #clock;
    #isOver = false;
    #timers = new Set();
    #sleepers = new Set();
    constructor(clock) {
        this.#clock = clock;
    }
    now() {
        return this.#clock.now();
    }
    after(ms, run) {
        const timer = this.#clock.setTimeout(() => {
            this.#timers.delete(timer);
            run();
        }, ms);
        this.#timers.add(timer);
        return timer;
    }
    cancel(timer) {
        if (this.#timers.delete(timer))
            this.#clock.clearTimeout(timer);
    }
    async sleep(ms) {
        if (ms <= 0 || this.#isOver)
            return;
        const { promise, resolve } = (defer());
        this.#sleepers.add(resolve);
        this.after(ms, resolve);
        await promise;
        this.#sleepers.delete(resolve);
    }
    end() {
        this.#isOver = true;
        for (const timer of this.#timers)
            this.#clock.clearTimeout(timer);
        this.#timers.clear();
        for (const wakeUp of this.#sleepers)
            wakeUp();
    }
}
const MAX_SEEN = 100;
class Session {
    status = "connecting";
    ended = null;
    #client;
    #change = defer();
    #wake = () => this.wake();
    constructor(client, options) {
        checkUrl(options);
        this.options = ({ ...DEFAULTS, ...withoutUndefined(options) });
        this.#client = client;
        this.timers = new Timers(options.clock ?? HOST_CLOCK);
        this.random = options.random ?? Math.random;
        this.connections = new Connections(this, options);
        this.subscriptions = new Subscriptions(this, options);
        this.delivery = new Delivery(this, client);
        this.requests = new Requests(this);
        this.outbox = new Outbox(this);
        queueMicrotask(() => this.connections.dial());
        this.#pingOften();
        (globalThis).addEventListener?.("online", this.#wake);
    }
    get user() {
        return this.connections.user;
    }
    get change() {
        return this.#change.promise;
    }
    changed() {
        this.#change.resolve(undefined);
        this.#change = defer();
    }
    wake() {
        if (this.ended)
            return;
        if (this.connections.current)
            this.#ping(this.connections.current);
        else
            this.connections.dialNow();
    }
    setUser(user) {
        this.subscriptions.nameInbox(user);
    }
    connected() {
        const hasMissed = this.subscriptions.all.some(({ wasMember }) => wasMember);
        if (this.status !== "live")
            this.setStatus(hasMissed ? "recovering" : "connecting");
        this.subscriptions.reconcileAll();
        this.changed();
    }
    disconnected(why) {
        if (this.connections.current)
            this.subscriptions.reconcileAll();
        else
            this.setStatus("offline", new HubbubError("connection_lost", `the connection was lost: ${why}`));
        this.changed();
    }
    receive(connection, frame) {
        if (frame.type === "message")
            this.delivery.receiveEntries(frame.channel, frame.epoch, [frame]);
        else if (frame.type === "messages")
            this.delivery.receiveEntries(frame.channel, frame.epoch, frame.messages);
        else if (frame.type === "left")
            this.delivery.receiveLeft(connection, frame);
        else if (frame.type === "closing")
            this.connections.closedByServer(connection, frame);
        else if (frame.type === "receipt")
            this.delivery.receiveReceipt(connection, frame);
        else if (frame.type === "presence")
            this.delivery.receivePresence(frame);
        else if (frame.type === "signal")
            this.delivery.receiveSignal(connection, frame);
    }
    #pingOften() {
        this.timers.after(this.options.pingEvery, () => {
            this.#pingOften();
            for (const connection of this.connections.all)
                this.#ping(connection);
        });
    }
    #ping(connection) {
        const seen = Object.entries(this.subscriptions.state);
        for (let from = 0; from === 0 || from < seen.length; from += MAX_SEEN) {
            const part = seen.slice(from, from + MAX_SEEN);
            connection.ask({ action: "ping", ...(part.length > 0 && { seen: Object.fromEntries(part) }) }).then(({ rejoin = [] }) => this.subscriptions.rejoin(rejoin), () => { });
        }
    }
    stream(subscription) {
        const stream = new Stream(subscription, this.options.maxUnread);
        if (this.ended)
            stream.end();
        return stream;
    }
    setStatus(status, error) {
        if (status === this.status && !error)
            return;
        const previous = this.status;
        this.status = status;
        emit(this.#client, "status", { status, previous, error });
    }
    end(error) {
        if (this.ended)
            return;
        this.ended = error ?? new HubbubError("closed", "the client is closed: connect a new one");
        this.timers.end();
        (globalThis).removeEventListener?.("online", this.#wake);
        this.connections.end(this.ended);
        this.outbox.reject(this.ended);
        this.subscriptions.end(this.ended, error);
        this.changed();
        this.setStatus("closed", error);
    }
}
class Channel extends Emitter {
    #session;
    #subscription;
    constructor(session, subscription) {
        super();
        this.#session = session;
        this.#subscription = subscription;
        subscription.channel = this;
    }
    get name() {
        return this.#subscription.name;
    }
    get position() {
        const { isFollowed, log } = this.#subscription;
        return isFollowed && log.position ? { ...log.position } : null;
    }
    join(options = {}) {
        return this.#session.subscriptions.follow(this.#subscription, options);
    }
    async history({ before, limit } = {}) {
        const ask = () => ({ action: "history", ...target(this.name), ...withoutUndefined({ before, limit }) });
        const { isRoom } = this.#subscription;
        const page = await this.#session.requests.send(isRoom ? this.#subscription : null, ask, { isRead: true });
        const messages = page.messages.filter(isMessage).map((entry) => toMessage(page.channel, page.epoch, entry));
        return { channel: page.channel, epoch: page.epoch, messages, before: page.more && page.messages[0] ? page.messages[0].seq : null };
    }
    [Symbol.asyncIterator]() {
        return this.#session.stream(this.#subscription);
    }
}
class Room extends Channel {
    #session;
    #subscription;
    constructor(session, subscription) {
        super(session, subscription);
        this.#session = session;
        this.#subscription = subscription;
    }
    get id() {
        return roomOf(this.name);
    }
    publish(body, options = {}) {
        return this.#session.outbox.publish(this.name, { action: "publish", room: this.id }, body, options);
    }
    leave() {
        return this.#session.subscriptions.leave(this.#subscription);
    }
    get presence() {
        const { known } = this.#subscription.presence;
        return known && copy(known);
    }
    signal(body) {
        return this.#session.requests.signal(this.name, this.#subscription, { room: this.id }, body);
    }
    async who() {
        const ask = () => ({ action: "who", room: this.id });
        const { channel, count, users } = await this.#session.requests.send(this.#subscription, ask, { isRead: true });
        return { channel, count, users };
    }
    kick(user) {
        return this.#session.requests.moderate({ action: "kick", room: this.id, user });
    }
    ban(user, until) {
        return this.#session.requests.moderate({ action: "ban", room: this.id, user, until: Number(until) });
    }
    unban(user) {
        return this.#session.requests.moderate({ action: "unban", room: this.id, user });
    }
    delete(seq) {
        return this.#session.requests.moderate({ action: "delete", room: this.id, seq });
    }
    close({ erase = false } = {}) {
        return this.#session.requests.moderate({ action: "close", room: this.id, ...(erase && { erase }) });
    }
    open() {
        return this.#session.requests.moderate({ action: "open", room: this.id });
    }
}
class Client extends Emitter {
    #session;
    #rooms = new Map();
    constructor(options) {
        super();
        this.#session = new Session(this, options);
        this.inbox = new Channel(this.#session, this.#session.subscriptions.inbox);
        this.everyone = new Channel(this.#session, this.#session.subscriptions.everyone);
    }
    get status() {
        return this.#session.status;
    }
    get user() {
        return this.#session.user;
    }
    get state() {
        return this.#session.subscriptions.state;
    }
    room(id) {
        checkId("room", id);
        const room = this.#rooms.get(id) ?? new Room(this.#session, this.#session.subscriptions.of(`room:${id}`));
        this.#rooms.set(id, room);
        return room;
    }
    async direct(user, body, options = {}) {
        checkId("user", user);
        return this.#session.outbox.publish(`user:${user}`, { action: "direct", to: user }, body, options);
    }
    async signal(user, body) {
        checkId("user", user);
        return this.#session.requests.signal(`user:${user}`, null, { to: user }, body);
    }
    kick(user) {
        return this.#session.requests.moderate({ action: "kick", user });
    }
    ban(user, until) {
        return this.#session.requests.moderate({ action: "ban", user, until: Number(until) });
    }
    unban(user) {
        return this.#session.requests.moderate({ action: "unban", user });
    }
    wake() {
        this.#session.wake();
    }
    close() {
        this.#session.end();
    }
}
const connect = (options) => new Client(options);
export { HubbubError, connect };
