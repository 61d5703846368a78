// What the scenarios of JavaScript libraries share: named checks with a deadline, and a person at Discord's own client.
import { WebSocket } from "ws";

const PATIENCE = 10_000;
let failed = 0;

/** Runs one check and prints one line about it; the next ones run in any case. */
export async function check(name, run) {
  try {
    await within(run(), PATIENCE, name);
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${error?.stack ?? error}`);
  }
}

/** Ends the process with the outcome of all checks. */
export function finish() {
  process.exit(failed === 0 ? 0 : 1);
}

export function assert(condition, what) {
  if (!condition) throw new Error(what);
}

export function same(found, wanted, what = "value") {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what} is ${left}, not ${right}`);
}

export async function refused(promise, code) {
  const error = await promise.then(
    () => null,
    (error) => error,
  );
  assert(error, `not refused with ${code}`);
  same(error.code, code, "error code");
  return error;
}

export function within(promise, milliseconds, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${milliseconds} ms in vain for ${what}`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The next event `name` of an emitter for which `matches` holds. */
export function next(emitter, name, matches = () => true) {
  let listener;
  const found = new Promise((resolve) => {
    listener = (...values) => matches(...values) && resolve(values[0]);
    emitter.on(name, listener);
  });
  return within(found, PATIENCE, name).finally(() => emitter.off(name, listener));
}

/** The simulator beside Discord's own routes: people, faults, and what it noticed. */
export class Simulator {
  constructor(api) {
    this.api = api;
    this.origin = new URL(api).origin;
  }

  async people() {
    return (await fetch(`${this.origin}/_sim/people`)).json();
  }

  async ledger() {
    return (await fetch(`${this.origin}/_sim/ledger`)).json();
  }

  async gateway(body) {
    const answer = await fetch(`${this.origin}/_sim/gateway`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert(answer.ok, `POST /_sim/gateway answered ${answer.status}`);
  }
}

/** A person at a client: a gateway session of their own, and the routes that Discord's clients use. */
export class Person {
  static async enter(simulator, username) {
    const person = new Person();
    person.user = (await simulator.people()).find((one) => one.username === username);
    person.api = simulator.api;
    person.heard = [];
    person.waiting = [];
    const { url } = await (await fetch(`${simulator.api}/gateway`)).json();
    person.socket = new WebSocket(`${url}/?v=10&encoding=json`);
    person.socket.on("message", (text) => person.#receive(JSON.parse(text)));
    person.socket.on("error", (error) => console.error("a person's socket:", error));
    const ready = await person.hears("READY");
    person.session = ready.session_id;
    return person;
  }

  #receive({ op, t, d }) {
    if (op === 10) {
      const identify = { op: 2, d: { token: this.user.token, properties: {} } };
      this.socket.send(JSON.stringify(identify));
    } else if (op === 0) {
      this.heard.push({ t, d });
      this.waiting = this.waiting.filter((waits) => !waits(t, d));
    }
  }

  /** An event that came already and was not asked for yet, or the next one. */
  hears(kind, matches = () => true) {
    const index = this.heard.findIndex(({ t, d }) => t === kind && matches(d));
    if (index >= 0) return Promise.resolve(this.heard.splice(index, 1)[0].d);
    const found = new Promise((resolve) => {
      this.waiting.push((t, d) => {
        if (t !== kind || !matches(d)) return false;
        this.heard = this.heard.filter((event) => event.d !== d);
        resolve(d);
        return true;
      });
    });
    return within(found, PATIENCE, `${kind} at ${this.user.username}`);
  }

  async call(method, path, body) {
    const answer = await fetch(`${this.api}${path}`, {
      method,
      headers: { authorization: this.user.token, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw Object.assign(new Error(`${method} ${path}: ${answer.status} ${text}`), JSON.parse(text));
    return text ? JSON.parse(text) : null;
  }

  say(channel, body) {
    return this.call("POST", `/channels/${channel}/messages`, typeof body === "string" ? { content: body } : body);
  }

  async #interact(wish) {
    const nonce = `${Date.now()}${Math.floor(Math.random() * 1e6)}`;
    await this.call("POST", "/interactions", { ...wish, nonce, session_id: this.session });
    return (await this.hears("INTERACTION_CREATE", (event) => event.nonce === nonce)).id;
  }

  async #command(type, guild, channel, name, data) {
    const index = await this.call("GET", `/guilds/${guild}/application-command-index`);
    const command = index.application_commands.find((one) => one.name === name);
    assert(command, `the client is not offered /${name}`);
    const { id, type: kind, version } = command;
    return this.#interact({
      type,
      application_id: command.application_id,
      guild_id: guild,
      channel_id: channel,
      data: { id, name, type: kind, version, ...data },
    });
  }

  command(guild, channel, name, data = {}) {
    return this.#command(2, guild, channel, name, data);
  }

  /** Types into an option and returns the choices that are offered. */
  async choices(guild, channel, name, options) {
    const id = await this.#command(4, guild, channel, name, { options });
    return (await this.hears("APPLICATION_COMMAND_AUTOCOMPLETE_RESPONSE", (event) => event.id === id)).choices;
  }

  /** Uses a component of a message as the client received it. */
  component(message, guild, customId, type = 2, values = undefined) {
    return this.#interact({
      type: 3,
      application_id: message.application_id ?? message.author.id,
      guild_id: guild,
      channel_id: message.channel_id,
      message_id: message.id,
      data: { component_type: type, custom_id: customId, values },
    });
  }

  /** Sends off the form of an INTERACTION_MODAL_CREATE. */
  submit(modal, guild, components) {
    return this.#interact({
      type: 5,
      application_id: modal.application.id,
      guild_id: guild,
      channel_id: modal.channel_id,
      data: { id: modal.id, custom_id: modal.custom_id, components },
    });
  }

  async succeeds(id) {
    await this.hears("INTERACTION_SUCCESS", (event) => event.id === id);
  }

  leave() {
    this.socket.close(1000);
  }
}
