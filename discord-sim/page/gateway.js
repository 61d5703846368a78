// One person's connection to the gateway: IDENTIFY, heartbeats, and RESUME whenever the connection breaks.

const ALL_INTENTS = 0x3ffffff;
const TOKEN_REFUSED = 4004;
const SESSION_GONE = new Set([TOKEN_REFUSED, 4007, 4009]);

/** Calls `onDispatch(type, data)` for every event and `onState("connecting" | "ready" | "offline" | "refused")`. */
export class Gateway {
  #socket;
  #sequence = null;
  #heartbeat;
  #acknowledged = true;
  #retry;
  #failures = 0;
  #closed = false;

  constructor(token, { onDispatch, onState }) {
    Object.assign(this, { token, onDispatch, onState, sessionId: null });
  }

  open() {
    clearTimeout(this.#retry);
    this.#closed = false;
    const url = `${location.origin.replace(/^http/, "ws")}/gateway?v=10&encoding=json`;
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#socket === socket && this.#receive(JSON.parse(data));
    socket.onclose = ({ code }) => this.#socket === socket && this.#lost(code);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#heartbeat);
    this.#socket?.close(1000);
  }

  /** Tries again now instead of after the back-off. */
  hurry() {
    if (this.#retry && !this.#closed) this.open();
  }

  #send(op, d) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ op, d }));
  }

  #receive({ op, d, s, t }) {
    if (s) this.#sequence = s;
    if (op === 0) this.#dispatch(t, d);
    else if (op === 1) this.#send(1, this.#sequence);
    else if (op === 7) this.#socket.close(4000);
    else if (op === 9) this.#invalid(d);
    else if (op === 10) this.#hello(d.heartbeat_interval);
    else if (op === 11) this.#acknowledged = true;
  }

  #dispatch(type, data) {
    if (type === "READY") this.sessionId = data.session_id;
    if (type === "READY" || type === "RESUMED") {
      this.#failures = 0;
      this.onState("ready");
    }
    this.onDispatch(type, data);
  }

  #hello(interval) {
    this.#acknowledged = true;
    const beat = () => {
      if (!this.#acknowledged) return this.#socket.close(4000);
      this.#acknowledged = false;
      this.#send(1, this.#sequence);
    };
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(beat, interval);
    if (this.sessionId) this.#send(6, { token: this.token, session_id: this.sessionId, seq: this.#sequence });
    else this.#identify();
  }

  #identify() {
    const properties = { os: "linux", browser: "discord-sim page", device: "discord-sim page" };
    this.#send(2, { token: this.token, properties, intents: ALL_INTENTS });
  }

  #invalid(resumable) {
    if (!resumable) this.#forget();
    this.#socket.close(4000);
  }

  #forget() {
    this.sessionId = null;
    this.#sequence = null;
  }

  #lost(code) {
    clearInterval(this.#heartbeat);
    if (this.#closed) return;
    if (SESSION_GONE.has(code)) this.#forget();
    this.onState(code === TOKEN_REFUSED ? "refused" : "offline");
    this.#failures += 1;
    this.#retry = setTimeout(() => this.open(), Math.min(5000, 250 * 2 ** Math.min(this.#failures, 5)));
  }
}
