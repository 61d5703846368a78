// Clicks, commands and forms: POST /interactions, then the gateway events that tell how it ended.
import { attachments } from "./api.js";
import { nonce } from "./dom.js";

const PATIENCE_MS = 15000;

export class Interactions {
  #waiting = new Map();

  constructor(session) {
    this.session = session;
  }

  /** Presses a button or sends a select menu's values. */
  component(message, component, values) {
    const data = { component_type: component.type, custom_id: component.custom_id };
    if (values) Object.assign(data, { type: component.type, values });
    const about = { message_id: message.id, message_flags: message.flags ?? 0 };
    return this.#send(3, message.application_id ?? message.author.id, message.channel_id, data, about);
  }

  /** `options` as Discord nests them; `target` is the user or message of a context-menu command. */
  command(command, channelId, options = [], files = [], target) {
    const { id, name, type = 1, version } = command;
    const data = { id, name, type, version, options, attachments: attachments(files) };
    if (target) data.target_id = target;
    return this.#send(2, command.application_id, channelId, data, {}, files);
  }

  /** Asks the application for choices; the option that is being typed carries `focused: true`. */
  autocomplete(command, channelId, options) {
    const { id, name, version } = command;
    return this.#send(4, command.application_id, channelId, { id, name, type: 1, version, options });
  }

  submit(modal, components, files) {
    const data = { id: modal.id, custom_id: modal.custom_id, components };
    if (files.length) data.attachments = attachments(files);
    return this.#send(5, modal.application?.id ?? modal.application_id, modal.channel_id, data, {}, files);
  }

  /** Resolves when Discord says that it succeeded (autocomplete: with the choices); rejects when it failed. */
  async #send(type, applicationId, channelId, data, more = {}, files = []) {
    const { session } = this;
    const guildId = session.store.channel(channelId)?.guild_id;
    const id = nonce();
    const outcome = new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#end(id, "reject", new Error("no answer")), PATIENCE_MS);
      this.#waiting.set(id, { resolve, reject, timer });
    });
    outcome.catch(() => {});
    const place = { application_id: applicationId, guild_id: guildId, channel_id: channelId };
    const body = { type, ...place, session_id: session.gateway.sessionId, nonce: id, data, ...more };
    try {
      await session.api.post("/interactions", body, files);
    } catch (error) {
      this.#end(id, "reject", error);
    }
    return outcome;
  }

  #end(id, how, value) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting[how](value);
  }

  /** The gateway's side of it. */
  event(type, data) {
    if (type === "INTERACTION_SUCCESS") this.#end(data.nonce, "resolve");
    else if (type === "INTERACTION_FAILURE") this.#end(data.nonce, "reject", new Error(data.reason_code ?? "failed"));
    else if (type === "APPLICATION_COMMAND_AUTOCOMPLETE_RESPONSE") this.#end(data.nonce, "resolve", data.choices ?? []);
    else if (type === "INTERACTION_MODAL_CREATE") {
      this.#end(data.nonce, "resolve");
      this.session.page.modal(this.session, data);
    }
  }
}
