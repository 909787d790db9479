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
function connectionLost(fields, why = "the socket is closed") {
    if (why instanceof HubbubError)
        return why;
    return new HubbubError("connection_lost", `the connection was lost before \`${fields.action}\` was answered: ${why}`);
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
    #feed;
    #maxUnread;
    constructor(feed, maxUnread) {
        this.#feed = feed;
        this.#maxUnread = maxUnread;
        feed.streams.add(this);
    }
    push(message) {
        const reader = this.#readers.shift();
        if (reader)
            reader.resolve({ value: message, done: false });
        else if (this.#unread.length < this.#maxUnread)
            this.#unread.push(message);
        else {
            this.end(new HubbubError("too_slow", `${this.#maxUnread} messages of \`${this.#feed.name}\` waited unread: read faster, or use \`on\``));
        }
    }
    end(error) {
        this.#ended ??= { error };
        this.#feed.streams.delete(this);
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
const PATIENCE = 5;
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
        if (this.idleJoins >= PATIENCE) {
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
    take() {
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
    #hold(epoch, entry, room) {
        const name = key(epoch, entry.seq);
        if (this.#isOld(epoch, entry.seq) || this.#held.has(name))
            return;
        const generation = this.#generation;
        const isNext = this.position?.epoch === epoch && entry.seq === this.position.seq + 1;
        if (isNext || this.#held.size < room) {
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
class Roster {
    known = null;
    isStale = true;
    #newest = -Infinity;
    #early = null;
    asked() {
        this.#early = [];
    }
    answered(answer) {
        const early = this.#early ?? [];
        const before = this.known;
        this.#early = null;
        this.isStale = false;
        const { count = 0, users = [], paused = false } = answer ?? {};
        this.known = answer ? { count, users: [...users].sort(), paused } : null;
        for (const news of early)
            this.take(news);
        return difference(before, this.known);
    }
    unanswered() {
        this.#early = null;
        this.isStale = true;
    }
    take(news) {
        const { at, count, users = [], paused = false } = news;
        const before = this.known;
        if (this.#early)
            this.#early.push(news);
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
class Wire {
    members = new Set();
    unsure = new Set();
    watched = new Set();
    owed = new Set();
    isLeaving = false;
    isOpen = true;
    #socket;
    #session;
    #heardAt;
    #asked = 0;
    #questions = new Map();
    constructor(socket, session) {
        this.#socket = socket;
        this.#session = session;
        this.openedAt = this.#heardAt = session.time.now();
        socket.onmessage = (event) => this.#hear(event.data);
        socket.onclose = (event) => this.#end(`closed with code ${event.code}${event.reason ? `: \`${event.reason}\`` : ""}`);
        socket.onerror = () => { };
    }
    mayBeMember(channel) {
        return this.members.has(channel) || this.unsure.has(channel);
    }
    leave(channel) {
        this.members.delete(channel);
        this.unsure.delete(channel);
        this.watched.delete(channel);
    }
    get isBusy() {
        return this.#questions.size > 0 || this.owed.size > 0;
    }
    ask(fields, body) {
        const ref = String((this.#asked += 1));
        const { promise, resolve, reject } = defer();
        if (!this.isOpen) {
            reject(connectionLost(fields));
            return promise;
        }
        const sentAt = this.#session.time.now();
        const timer = this.#session.time.after(this.#session.options.requestTimeout, () => {
            this.#questions.delete(ref);
            reject(new HubbubError("timeout", `\`${fields.action}\` was not answered in time: try again`));
            if (this.#heardAt <= sentAt)
                this.kill("nothing was heard from the server");
        });
        this.#questions.set(ref, {
            resolve,
            reject: (why) => reject(connectionLost(fields, why)),
            timer,
        });
        this.#socket.send(frameText({ ...fields, ref }, body));
        return promise;
    }
    kill(why) {
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
        this.#session.link.lost(this, why);
        for (const { reject, timer } of this.#questions.values()) {
            this.#session.time.cancel(timer);
            reject(why);
        }
        this.#questions.clear();
    }
    #hear(data) {
        this.#heardAt = this.#session.time.now();
        const frame = parse(data);
        if (!frame)
            return;
        const question = frame.type === "closing" ? undefined : this.#questions.get(frame.ref);
        if (!question) {
            if (frame.ref === undefined || frame.type === "closing")
                this.#session.take(this, frame);
            return;
        }
        this.#questions.delete(frame.ref);
        this.#session.time.cancel(question.timer);
        if (frame.type === "error")
            question.reject(serverError(frame));
        else
            question.resolve(frame);
        this.#session.link.dismissIfDone(this);
    }
}
function frameText(fields, body) {
    const text = JSON.stringify(fields);
    return body === undefined ? text : `${text.slice(0, -1)},"body":${body}}`;
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
        const wire = await this.#openSocket(token.text);
        return { wire, lifetime: this.#lifetime(token.exp) };
    }
    async #fetchToken() {
        const { sub, exp, text } = await this.#within(this.#session.options.connectTimeout, "the token was not there", this.#askForToken());
        if (this.user !== undefined && this.user !== sub) {
            throw new HubbubError("wrong_user", `the token is for \`${sub}\`, and this client is \`${this.user}\`: close it and connect anew`);
        }
        if (this.user === undefined) {
            this.user = sub;
            this.#session.introduce(sub);
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
        socket.onopen = () => resolve(new Wire(socket, this.#session));
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
        const timer = this.#session.time.after(ms, () => reject(new HubbubError("timeout", `${what} within ${ms} ms`)));
        return Promise.race([promise, (late)]).finally(() => this.#session.time.cancel(timer));
    }
    #lifetime(exp) {
        const [from, to] = this.#session.options.moveAfter;
        const byAge = from + this.#session.random() * (to - from);
        const rest = exp * SECOND - this.#session.time.now();
        const byToken = this.#session.options.getToken && rest > MINUTE ? rest * (0.8 + 0.15 * this.#session.random()) : Infinity;
        return Math.min(byAge, byToken);
    }
}
const STABLE_AFTER = 10 * SECOND;
class Link {
    wire = null;
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
    get wires() {
        return this.wire ? [this.wire, ...this.#old] : [...this.#old];
    }
    backoff(tries) {
        const { random, options } = this.#session;
        return random() * Math.min(options.backoffCap, options.backoffBase * 2 ** tries);
    }
    hurry() {
        this.#tries = 0;
        this.dial();
    }
    async dial() {
        const session = this.#session;
        if (this.#isDialing || session.ended)
            return;
        this.#isDialing = true;
        session.time.cancel(this.#dialTimer);
        try {
            const { wire, lifetime } = await this.#dialer.open();
            this.#isDialing = false;
            if (session.ended)
                wire.kill(session.ended);
            else
                this.#adopt(wire, lifetime);
        }
        catch (error) {
            this.#isDialing = false;
            if (session.ended)
                return;
            if (error instanceof HubbubError && (error.code === "invalid_token" || error.code === "wrong_user"))
                return session.end(error);
            if (!this.wire)
                session.setStatus("offline", asHubbubError(error));
            this.#dialIn(this.backoff(this.#tries++));
        }
    }
    #dialIn(ms) {
        this.#session.time.cancel(this.#dialTimer);
        this.#dialTimer = this.#session.time.after(ms, () => this.dial());
    }
    #adopt(wire, lifetime) {
        if (this.wire)
            this.#old.add(this.wire);
        this.wire = wire;
        if (!wire.isOpen)
            return this.lost(wire, "closed at once");
        this.#dialIn(lifetime);
        this.#session.arrived();
    }
    lost(wire, why) {
        const session = this.#session;
        if (this.#old.delete(wire) || wire !== this.wire || session.ended)
            return;
        if (session.time.now() - wire.openedAt >= STABLE_AFTER)
            this.#tries = 0;
        this.wire = [...this.#old].find((old) => !old.isLeaving) ?? null;
        if (this.wire)
            this.#old.delete(this.wire);
        if (!this.#isDialing)
            this.#dialIn(this.backoff(this.#tries++));
        session.departed(why);
    }
    closing(wire, { code, message, reconnect }) {
        const session = this.#session;
        if (!reconnect)
            return session.end(new HubbubError(code, message));
        if (code === "token_expired" && !session.options.getToken && wire === this.wire) {
            return session.end(new HubbubError(code, "the token has expired: give `getToken` instead of `token`, so that a fresh one can be fetched"));
        }
        wire.kill(message);
    }
    letGo() {
        for (const old of [...this.#old]) {
            if (old.isLeaving)
                continue;
            old.isLeaving = true;
            this.#session.time.after(this.#session.options.requestTimeout, () => old.kill("moved"));
            this.dismissIfDone(old);
        }
    }
    dismissIfDone(wire) {
        if (wire.isLeaving && !wire.isBusy)
            wire.kill("moved");
    }
    end(why) {
        for (const wire of this.wires)
            wire.kill(why);
        this.wire = null;
        this.#old.clear();
    }
}
const SAME_ID_FOR = 4.5 * MINUTE;
const MAX_FRAME_BYTES = 32_768;
const MAX_REJOINS = 3;
class Lane {
    items = [];
    isMoving = false;
    constructor(name, feed) {
        this.name = name;
        this.feed = feed;
    }
}
class Outbox {
    #session;
    #size = 0;
    #lanes = new Map();
    constructor(session) {
        this.#session = session;
    }
    async publish(name, fields, body, { id = freshId(), receipt = false }) {
        const feed = name.startsWith("room:") ? this.#session.feed(name) : null;
        if (this.#session.ended)
            throw this.#session.ended;
        if (feed && !feed.isFollowed)
            throw feed.gone ?? notJoined(name);
        checkId("message", id);
        const text = bodyText(body);
        const frame = { ...fields, id, ...(receipt && { receipt }) };
        checkSize(frameText({ ...frame, ref: "0".repeat(16) }, text), id);
        if (this.#size >= this.#session.options.maxOutbox) {
            const message = `${this.#size} messages wait to be accepted: publish \`${id}\` again when there are less`;
            throw new HubbubError("outbox_full", message, { id });
        }
        const lane = this.#lanes.get(name) ?? new Lane(name, feed);
        this.#lanes.set(name, lane);
        const item = { id, frame, text, receipt, doubtSince: undefined, isSeen: false, ...defer() };
        lane.items.push(item);
        this.#size += 1;
        this.#move(lane);
        return item.promise;
    }
    async #move(lane) {
        if (lane.isMoving)
            return;
        lane.isMoving = true;
        for (let item; (item = lane.items[0]);) {
            try {
                item.resolve(await this.#send(lane, item));
            }
            catch (error) {
                item.reject(error);
            }
            lane.items.shift();
            this.#size -= 1;
        }
        this.#lanes.delete(lane.name);
    }
    async #send(lane, item) {
        for (let failures = 0, rejoins = 0;;) {
            const wire = await this.#session.ready(lane.feed);
            if (item.isSeen)
                return { id: item.id, channel: lane.name };
            if (item.doubtSince !== undefined && this.#session.time.now() - item.doubtSince > SAME_ID_FOR)
                throw inDoubt(item.id);
            const sentAt = this.#session.time.now();
            try {
                if (item.receipt)
                    wire.owed.add(item.id);
                const { id, channel } = await wire.ask(item.frame, item.text);
                return { id, channel };
            }
            catch (error) {
                const { code } = (error);
                wire.owed.delete(item.id);
                if (code === "timeout" || code === "connection_lost")
                    item.doubtSince ??= sentAt;
                let pause = this.#session.retryPause((error), wire, failures++);
                if (code === "not_a_member" && lane.feed?.isFollowed && rejoins++ < MAX_REJOINS) {
                    this.#session.joinAgain(lane.feed, wire);
                    pause = 0;
                }
                if (pause === undefined)
                    throw error;
                await this.#session.time.sleep(pause);
            }
        }
    }
    see(channel, entry) {
        const item = this.#lanes.get(channel)?.items[0];
        if (item?.id === entry.id && entry.from === this.#session.user)
            item.isSeen = true;
    }
    reject(error) {
        for (const lane of this.#lanes.values())
            for (const item of lane.items)
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
    const message = `it is not known if \`${id}\` was accepted: its answer was lost, and the server may have forgotten the id meanwhile`;
    return new HubbubError("in_doubt", message, { id });
}
class Time {
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
const IDLE_PAUSE = 100;
const MAX_SEEN = 100;
const MAX_SIGNALS = 100;
class Feed {
    isFollowed = false;
    wasMember = false;
    mustJoin = false;
    start;
    isWatched = false;
    roster = new Roster();
    isAttended = false;
    recovered;
    gone = null;
    joins = [];
    streams = new Set();
    channel;
    constructor(name, log) {
        this.name = name;
        this.log = log;
    }
}
class Session {
    status = "connecting";
    #client;
    #outbox = new Outbox(this);
    #state;
    #feeds = new Map();
    #signals = new Map();
    #change = defer();
    ended = null;
    #wake = () => this.wake();
    constructor(client, options) {
        checkUrl(options);
        this.options = ({ ...DEFAULTS, ...withoutUndefined(options) });
        this.#client = client;
        this.time = new Time(options.clock ?? HOST_CLOCK);
        this.random = options.random ?? Math.random;
        this.link = new Link(this, options);
        this.#state = checkState(options.state ?? {});
        this.inbox = new Feed("user:", this.#newLog());
        this.everyone = this.feed("everyone");
        this.inbox.isFollowed = options.inbox ?? true;
        this.everyone.isFollowed = options.everyone ?? true;
        for (const name of Object.keys(this.#state))
            if (name.startsWith("room:"))
                this.feed(name);
        queueMicrotask(() => this.link.dial());
        this.#beat();
        (globalThis).addEventListener?.("online", this.#wake);
    }
    get user() {
        return this.link.user;
    }
    #changed() {
        this.#change.resolve(undefined);
        this.#change = defer();
    }
    wake() {
        if (this.ended)
            return;
        if (this.link.wire)
            this.#ping(this.link.wire);
        else
            this.link.hurry();
    }
    introduce(user) {
        this.inbox.name = `user:${user}`;
        this.#feeds.set(this.inbox.name, this.inbox);
        const position = this.#state[this.inbox.name];
        if (position && this.inbox.isFollowed)
            this.#resume(this.inbox, position);
        this.#state = {};
    }
    arrived() {
        const hasMissed = [...this.#feeds.values()].some((feed) => feed.wasMember);
        if (this.status !== "live")
            this.setStatus(hasMissed ? "recovering" : "connecting");
        this.#attendAll();
        this.#changed();
    }
    departed(why) {
        if (this.link.wire)
            this.#attendAll();
        else
            this.setStatus("offline", new HubbubError("connection_lost", `the connection was lost: ${why}`));
        this.#changed();
    }
    take(wire, frame) {
        if (frame.type === "message")
            this.#receive(frame.channel, frame.epoch, [frame]);
        else if (frame.type === "messages")
            this.#receive(frame.channel, frame.epoch, frame.messages);
        else if (frame.type === "left")
            this.#expelled(wire, frame);
        else if (frame.type === "closing")
            this.link.closing(wire, frame);
        else if (frame.type === "receipt") {
            const { type, ref, ...receipt } = frame;
            wire.owed.delete(frame.id);
            this.#tell(this.#feeds.get(frame.channel), "receipt", receipt);
            this.link.dismissIfDone(wire);
        }
        else if (frame.type === "presence")
            this.#hearNews(frame.channel, frame);
        else if (frame.type === "signal")
            this.#hearSignal(wire, frame);
    }
    #beat() {
        this.time.after(this.options.pingEvery, () => {
            this.#beat();
            for (const wire of this.link.wires)
                this.#ping(wire);
        });
    }
    #ping(wire) {
        const seen = Object.entries(this.state);
        for (let from = 0; from === 0 || from < seen.length; from += MAX_SEEN) {
            const part = seen.slice(from, from + MAX_SEEN);
            wire.ask({ action: "ping", ...(part.length > 0 && { seen: Object.fromEntries(part) }) }).then((pong) => this.#rejoin(pong.rejoin ?? []), () => { });
        }
    }
    #rejoin(names) {
        for (const name of names) {
            const feed = this.#feeds.get(name);
            if (!feed?.isFollowed)
                continue;
            feed.mustJoin = true;
            feed.roster.isStale = true;
            this.#attend(feed);
        }
    }
    get state() {
        const state = { ...this.#state };
        for (const { name, isFollowed, log } of this.#feeds.values()) {
            if (isFollowed && log.position)
                state[name] = { ...log.position };
        }
        return state;
    }
    #newLog(position = null) {
        return new Log(this.options.maxHeld, position);
    }
    feed(name) {
        const known = this.#feeds.get(name);
        if (known)
            return known;
        const feed = new Feed(name, this.#newLog());
        this.#feeds.set(name, feed);
        const position = this.#state[name];
        if (position)
            this.#resume(feed, position);
        return feed;
    }
    #resume(feed, position) {
        delete this.#state[feed.name];
        if (feed.log.position === null)
            feed.log = this.#newLog(position);
        feed.isFollowed = feed.wasMember = true;
    }
    follow(feed, { since, epoch, presence }) {
        if (this.ended)
            return Promise.reject(this.ended);
        if (!feed.isFollowed)
            feed.log = this.#newLog();
        feed.isFollowed = feed.mustJoin = true;
        feed.gone = null;
        if (presence !== undefined)
            feed.isWatched = presence;
        if (presence !== undefined)
            feed.roster = presence ? feed.roster : new Roster();
        if (presence)
            feed.roster.isStale = true;
        if (since !== undefined)
            feed.start = epoch === undefined ? { since } : { since, epoch };
        const join = defer();
        feed.joins.push(join);
        this.#attend(feed);
        return join.promise;
    }
    async leave(feed) {
        this.#unfollow(feed, new HubbubError("not_a_member", `\`${feed.name}\` was left: join it first`));
        this.#attend(feed);
        while (!feed.isFollowed && this.link.wire?.mayBeMember(feed.name))
            await this.#change.promise;
    }
    #unfollow(feed, why) {
        feed.isFollowed = feed.wasMember = feed.mustJoin = feed.isWatched = false;
        feed.gone = why;
        feed.start = undefined;
        feed.log = this.#newLog();
        feed.roster = new Roster();
        for (const join of feed.joins.splice(0))
            join.reject(why);
        for (const stream of [...feed.streams])
            stream.end();
        this.#changed();
    }
    #attendAll() {
        for (const feed of this.#feeds.values())
            this.#attend(feed);
        this.#settle();
    }
    async #attend(feed) {
        if (feed.isAttended)
            return;
        feed.isAttended = true;
        let failures = 0;
        for (let wire; (wire = this.link.wire) && !this.ended;) {
            const isMember = wire.members.has(feed.name);
            const mustLeave = !feed.isFollowed && wire.mayBeMember(feed.name) && feed.name.startsWith("room:");
            const mustJoin = feed.isFollowed && (!isMember || feed.mustJoin || feed.log.needsJoin || whatToWatch(feed, wire) !== undefined);
            if (!mustLeave && !mustJoin)
                break;
            try {
                await (mustJoin ? this.#join(feed, wire) : this.#leave(feed, wire));
                failures = 0;
            }
            catch (error) {
                if (this.ended)
                    break;
                const pause = this.retryPause(asHubbubError(error), wire, failures++);
                if (pause !== undefined)
                    await this.time.sleep(pause);
                else if (mustJoin) {
                    if (!isMember)
                        wire.leave(feed.name);
                    this.#giveUp(feed, asHubbubError(error));
                }
                else
                    wire.leave(feed.name);
            }
        }
        feed.isAttended = false;
        this.#settle(feed);
        this.#changed();
    }
    retryPause({ code, retryMs }, wire, failures) {
        if (code === "not_connected")
            wire.kill("the server doesn't know this connection any more");
        if (code === "connection_lost" || code === "not_connected")
            return wire.isOpen ? this.link.backoff(failures) : 0;
        if (code === "too_fast")
            return retryMs ?? this.link.backoff(failures);
        return code === "unavailable" || code === "timeout" ? this.link.backoff(failures) : undefined;
    }
    async #join(feed, wire) {
        const { log, start, roster } = feed;
        feed.mustJoin = false;
        const presence = whatToWatch(feed, wire);
        if (presence) {
            roster.asked();
            wire.watched.add(feed.name);
        }
        wire.unsure.add(feed.name);
        const answer = await wire.ask({ action: "join", ...target(feed.name), ...log.join(start), ...withoutUndefined({ presence }) }).catch((error) => {
            if (presence)
                roster.unanswered();
            throw error;
        });
        wire.members.add(feed.name);
        wire.unsure.delete(feed.name);
        if (presence === false)
            wire.watched.delete(feed.name);
        if (presence && feed.roster === roster)
            this.#tellPresence(feed, roster.answered(answer.presence));
        if (feed.log !== log || feed.start !== start)
            return;
        feed.start = undefined;
        feed.wasMember = true;
        if (feed.recovered !== false)
            feed.recovered = answer.recovered;
        if (log.joined(answer)) {
            feed.recovered = false;
            this.#tell(feed, "reset", { channel: feed.name, epoch: answer.epoch, head: answer.head });
        }
        this.#handOut(feed);
        this.#changed();
        if (log.idleJoins > 0)
            await this.time.sleep(IDLE_PAUSE * log.idleJoins);
    }
    async #leave(feed, wire) {
        await wire.ask({ action: "leave", room: roomOf(feed.name) });
        wire.leave(feed.name);
    }
    #giveUp(feed, error) {
        const { wasMember, log } = feed;
        if (wasMember && feed.isWatched && error.code === "not_allowed")
            return this.#unwatch(feed, error);
        this.#unfollow(feed, error);
        if (wasMember)
            this.#tell(feed, "left", { channel: feed.name, reason: error.code, position: log.position, error });
    }
    #unwatch(feed, error) {
        feed.isWatched = false;
        feed.mustJoin = true;
        feed.roster = new Roster();
        for (const wire of this.link.wires)
            wire.watched.delete(feed.name);
        for (const join of feed.joins.splice(0))
            join.reject(error);
    }
    #settle(feed) {
        const wire = this.link.wire;
        if (!wire)
            return;
        const isSettled = (one) => wire.members.has(one.name) && !one.isAttended;
        if (feed?.isFollowed && isSettled(feed)) {
            const { epoch, seq } = (feed.log.head);
            const presence = feed.roster.known;
            const joined = { channel: feed.name, epoch, head: seq, recovered: feed.recovered, ...(presence && { presence: copy(presence) }) };
            feed.recovered = undefined;
            for (const join of feed.joins.splice(0))
                join.resolve(joined);
        }
        if (![...this.#feeds.values()].every((one) => !one.isFollowed || isSettled(one)))
            return;
        this.setStatus("live");
        this.link.letGo();
    }
    #receive(name, epoch, entries) {
        const feed = this.#feeds.get(name);
        if (!feed?.isFollowed)
            return;
        feed.log.receive(epoch, entries);
        this.#handOut(feed);
        if (feed.log.needsJoin)
            this.#attend(feed);
    }
    #handOut(feed) {
        const { log } = feed;
        for (let taken; feed.log === log && (taken = log.take());) {
            const { epoch, entry } = taken;
            this.#outbox.see(feed.name, entry);
            const at = { channel: feed.name, epoch, seq: entry.seq, by: entry.from, at: entry.at };
            if (isMessage(entry)) {
                const message = toMessage(feed.name, epoch, entry);
                this.#tell(feed, "message", message);
                for (const stream of [...feed.streams])
                    stream.push(message);
            }
            else if (entry.deleted !== undefined) {
                this.#tell(feed, "deleted", { ...at, seq: entry.deleted });
            }
            else if (entry.closed !== undefined) {
                const isReopened = log.head?.epoch === epoch && entry.seq <= log.head.seq;
                this.#tell(feed, "closed", { ...at, isErased: entry.closed === "erased", isReopened });
                if (!isReopened && feed.log === log)
                    this.#roomClosed(feed);
            }
        }
    }
    #roomClosed(feed) {
        for (const wire of this.link.wires)
            wire.leave(feed.name);
        this.#unfollow(feed, new HubbubError("room_closed", `\`${feed.name}\` is closed`));
    }
    #expelled(wire, { channel, reason = "kicked" }) {
        wire.leave(channel);
        const feed = this.#feeds.get(channel);
        if (!feed?.isFollowed || this.link.wire?.members.has(channel))
            return;
        const { position } = feed.log;
        this.#unfollow(feed, new HubbubError(reason, `\`${this.user}\` was ${reason} from \`${channel}\``));
        this.#tell(feed, "left", { channel, reason, position });
    }
    #hearNews(name, news) {
        const feed = this.#feeds.get(name);
        if (!feed?.isWatched)
            return;
        this.#tellPresence(feed, feed.roster.take(news));
    }
    #tellPresence(feed, change) {
        if (change)
            this.#tell(feed, "presence", { channel: feed.name, ...change });
    }
    #hearSignal(wire, { channel, from, at, body }) {
        const feed = this.#feeds.get(channel);
        const key = JSON.stringify([channel, from, at, body]);
        const isDouble = (this.#signals.get(key) ?? wire) !== wire;
        if (!isDouble)
            this.#signals.set(key, wire);
        for (const oldest of this.#signals.keys())
            if (this.#signals.size > MAX_SIGNALS)
                this.#signals.delete(oldest);
        if (feed?.isFollowed && !isDouble)
            this.#tell(feed, "signal", { channel, from, at, body });
    }
    #tell(feed, name, event) {
        if (feed?.channel)
            emit(feed.channel, name, event);
        emit(this.#client, name, event);
    }
    async ready(feed, deadline = Infinity) {
        const timer = deadline === Infinity ? undefined : this.time.after(deadline - this.time.now(), () => this.#changed());
        try {
            for (;;) {
                if (this.ended)
                    throw this.ended;
                if (feed && !feed.isFollowed)
                    throw feed.gone ?? notJoined(feed.name);
                const wire = this.link.wire;
                if (wire && (!feed || wire.members.has(feed.name)))
                    return wire;
                if (this.time.now() >= deadline)
                    throw new HubbubError("offline", "there was no connection in time: try again when the client is live");
                await this.#change.promise;
            }
        }
        finally {
            this.time.cancel(timer);
        }
    }
    async request(feed, fields, { isRead }) {
        const deadline = this.time.now() + this.options.requestTimeout;
        for (let failures = 0;; failures += 1) {
            const wire = await this.ready(feed, deadline);
            try {
                return await wire.ask(fields());
            }
            catch (error) {
                const { code } = (error);
                const pause = this.retryPause((error), wire, failures);
                const mayRepeat = isRead || code === "too_fast" || code === "unavailable" || code === "not_connected";
                if (pause === undefined || !mayRepeat || this.time.now() + pause >= deadline)
                    throw error;
                await this.time.sleep(pause);
            }
        }
    }
    async moderate(fields) {
        const { type, ref, ...accepted } = await this.request(null, () => fields, { isRead: false });
        return accepted;
    }
    async signal(channel, feed, to, body) {
        if (this.ended)
            throw this.ended;
        if (feed && !feed.isFollowed)
            throw feed.gone ?? notJoined(feed.name);
        const text = bodyText(body);
        const fields = { action: "signal", ...to };
        checkSize(frameText({ ...fields, ref: "0".repeat(16) }, text));
        const lost = { channel, delivered: 0 };
        const wire = this.link.wires.find(({ members }) => !feed || members.has(feed.name));
        if (!wire)
            return lost;
        try {
            const { delivered } = await wire.ask(fields, text);
            return { channel, delivered };
        }
        catch (error) {
            const { code } = (error);
            this.retryPause((error), wire, 0);
            if (code === "not_a_member" && feed?.isFollowed)
                this.joinAgain(feed, wire);
            else if (code !== "connection_lost" && code !== "timeout" && code !== "not_connected")
                throw error;
            return lost;
        }
    }
    stream(feed) {
        const stream = new Stream(feed, this.options.maxUnread);
        if (this.ended)
            stream.end();
        return stream;
    }
    publish(name, fields, body, options) {
        return this.#outbox.publish(name, fields, body, options);
    }
    joinAgain(feed, wire) {
        wire.leave(feed.name);
        this.#attend(feed);
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
        this.ended = error ?? new HubbubError("closed", "the client is closed: connect anew");
        this.time.end();
        (globalThis).removeEventListener?.("online", this.#wake);
        this.link.end(this.ended);
        this.#outbox.reject(this.ended);
        for (const feed of new Set([...this.#feeds.values(), this.inbox])) {
            for (const join of feed.joins.splice(0))
                join.reject(this.ended);
            for (const stream of [...feed.streams])
                stream.end(error);
        }
        this.#changed();
        this.setStatus("closed", error);
    }
}
function whatToWatch({ name, isWatched, roster }, { watched }) {
    if (isWatched)
        return watched.has(name) && !roster.isStale ? undefined : true;
    return watched.has(name) ? false : undefined;
}
function roomOf(name) {
    return name.slice("room:".length);
}
function target(name) {
    return name.startsWith("room:") ? { room: roomOf(name) } : { channel: name };
}
class Channel extends Emitter {
    #session;
    #feed;
    constructor(session, feed) {
        super();
        this.#session = session;
        this.#feed = feed;
        feed.channel = this;
    }
    get name() {
        return this.#feed.name;
    }
    get position() {
        const { isFollowed, log } = this.#feed;
        return isFollowed && log.position ? { ...log.position } : null;
    }
    join(options = {}) {
        return this.#session.follow(this.#feed, options);
    }
    async history({ before, limit } = {}) {
        const page = await this.#session.request(this.name.startsWith("room:") ? this.#feed : null, () => ({ action: "history", ...target(this.name), ...withoutUndefined({ before, limit }) }), { isRead: true });
        const entries = page.messages;
        const messages = entries.filter(isMessage).map((entry) => toMessage(page.channel, page.epoch, entry));
        return { channel: page.channel, epoch: page.epoch, messages, before: page.more && entries[0] ? entries[0].seq : null };
    }
    [Symbol.asyncIterator]() {
        return this.#session.stream(this.#feed);
    }
}
class Room extends Channel {
    #session;
    #feed;
    constructor(session, feed) {
        super(session, feed);
        this.#session = session;
        this.#feed = feed;
    }
    get id() {
        return roomOf(this.name);
    }
    publish(body, options = {}) {
        return this.#session.publish(this.name, { action: "publish", room: this.id }, body, options);
    }
    leave() {
        return this.#session.leave(this.#feed);
    }
    get presence() {
        const { known } = this.#feed.roster;
        return known && copy(known);
    }
    signal(body) {
        return this.#session.signal(this.name, this.#feed, { room: this.id }, body);
    }
    async who() {
        const ask = () => ({ action: "who", room: this.id });
        const { channel, count, users } = await this.#session.request(this.#feed, ask, { isRead: true });
        return { channel, count, users };
    }
    kick(user) {
        return this.#session.moderate({ action: "kick", room: this.id, user });
    }
    ban(user, until) {
        return this.#session.moderate({ action: "ban", room: this.id, user, until: Number(until) });
    }
    unban(user) {
        return this.#session.moderate({ action: "unban", room: this.id, user });
    }
    delete(seq) {
        return this.#session.moderate({ action: "delete", room: this.id, seq });
    }
    close({ erase = false } = {}) {
        return this.#session.moderate({ action: "close", room: this.id, ...(erase && { erase }) });
    }
    open() {
        return this.#session.moderate({ action: "open", room: this.id });
    }
}
class Client extends Emitter {
    #session;
    #rooms = new Map();
    constructor(options) {
        super();
        this.#session = new Session(this, options);
        this.inbox = new Channel(this.#session, this.#session.inbox);
        this.everyone = new Channel(this.#session, this.#session.everyone);
    }
    get status() {
        return this.#session.status;
    }
    get user() {
        return this.#session.user;
    }
    get state() {
        return this.#session.state;
    }
    room(id) {
        checkId("room", id);
        const room = this.#rooms.get(id) ?? new Room(this.#session, this.#session.feed(`room:${id}`));
        this.#rooms.set(id, room);
        return room;
    }
    async direct(user, body, options = {}) {
        checkId("user", user);
        return this.#session.publish(`user:${user}`, { action: "direct", to: user }, body, options);
    }
    async signal(user, body) {
        checkId("user", user);
        return this.#session.signal(`user:${user}`, null, { to: user }, body);
    }
    kick(user) {
        return this.#session.moderate({ action: "kick", user });
    }
    ban(user, until) {
        return this.#session.moderate({ action: "ban", user, until: Number(until) });
    }
    unban(user) {
        return this.#session.moderate({ action: "unban", user });
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
