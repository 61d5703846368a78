// Where one writes: text with mentions, files and replies, and the way into slash commands.
import { byId, bytes, fill, h, icon, iconButton } from "./dom.js";
import { canSend } from "./permissions.js";
import { channelChoices, Picker, rank, userChoices } from "./picker.js";
import { CommandLine, slashItems } from "./slash.js";

const MENTION = /(^|\s)([@#])([\w.-]*)$/;
const MAX_LENGTH = 2000;

/** The list above the composer with a line that says what is being chosen. */
class Panel {
  constructor() {
    this.box = byId("composer-panel");
    this.head = byId("composer-panel-head");
    this.picker = new Picker(byId("composer-picker"), (item) => this.pick(item));
  }

  show(head, input, items, pick, active = 0) {
    this.pick = pick;
    this.box.hidden = !items.length && !head.length;
    this.head.hidden = !head.length;
    fill(this.head, head);
    if (items.length) this.picker.show(input, items, active);
    else this.picker.hide();
  }

  hide() {
    this.box.hidden = true;
    this.picker.hide();
  }

  get open() {
    return !this.box.hidden;
  }

  key = (event) => !this.box.hidden && this.picker.key(event);
}

export class Composer {
  #files = [];
  /** What was chosen from the mention list: the text shown → the text sent. */
  #mentions = new Map();
  #asked = 0;

  /** `onUp` is called for the Up key in an empty field. */
  constructor(onUp) {
    this.onUp = onUp;
    this.text = byId("composer-text");
    this.line = byId("command-line");
    this.panel = new Panel();
    this.command = new CommandLine(this.line, this.panel, () => this.#toText());
    this.picked = byId("composer-file");
    this.text.addEventListener("input", () => this.#typed());
    this.text.addEventListener("keydown", (event) => this.#key(event));
    this.text.addEventListener("blur", () => !this.inCommand && this.panel.hide());
    this.text.addEventListener("paste", ({ clipboardData }) => this.#attach([...clipboardData.files]));
    byId("composer").addEventListener("submit", (event) => { event.preventDefault(); this.#send(); });
    byId("composer-attach").addEventListener("click", () => this.picked.click());
    this.picked.addEventListener("change", () => { this.#attach([...this.picked.files]); this.picked.value = ""; });
  }

  get inCommand() {
    return !this.line.hidden;
  }

  focus() {
    if (!this.text.disabled && !this.inCommand) this.text.focus();
  }

  /** Shows the draft of a channel, and whether this person may write there. */
  show(session, channel) {
    const same = session === this.session && channel?.id === this.channel?.id;
    if (!same && this.session && this.channel) this.session.drafts.set(this.channel.id, { text: this.text.value, reply: this.replyTo });
    Object.assign(this, { session, channel });
    byId("composer").hidden = !channel;
    if (!channel) return;
    const allowed = canSend(session.guild, channel, session.store.self.id);
    const name = channel.recipients ? `@${session.store.nameOf(channel.recipients[0])}` : `#${channel.name}`;
    this.text.disabled = !allowed;
    byId("composer").classList.toggle("locked", !allowed);
    byId("composer-attach").disabled = !allowed;
    this.text.placeholder = allowed ? `Message ${name}` : "You do not have permission to send messages in this channel.";
    this.text.setAttribute("aria-label", this.text.placeholder);
    if (same) return;
    if (this.inCommand) this.#toText(false);
    const draft = session.drafts.get(channel.id) ?? { text: "", reply: null };
    this.text.value = draft.text;
    this.#files = [];
    this.#setReply(draft.reply);
    this.#drawFiles();
    this.#grow();
    this.panel.hide();
  }

  reply(message) {
    this.#setReply(message);
    this.focus();
  }

  #setReply(message) {
    this.replyTo = message;
    const bar = byId("reply-bar");
    bar.hidden = !message;
    if (!message) return;
    const name = this.session.store.nameOf(message.author, this.session.guild);
    fill(bar, h("span", {}, "Replying to ", h("strong", {}, name)), iconButton("close", "Cancel reply", () => this.#setReply(null)));
  }

  #attach(files) {
    if (!files.length) return;
    this.#files = [...this.#files, ...files].slice(0, 10);
    this.#drawFiles();
    this.focus();
  }

  #drawFiles() {
    const bar = byId("files-bar");
    bar.hidden = this.#files.length === 0;
    const remove = (file) => () => {
      this.#files = this.#files.filter((other) => other !== file);
      this.#drawFiles();
    };
    fill(bar, this.#files.map((file) =>
      h("div.file", {}, icon("file"), h("span", {}, file.name, h("span.muted", {}, ` ${bytes(file.size)}`)),
        iconButton("close", `Remove ${file.name}`, remove(file)))));
  }

  #grow() {
    this.text.style.setProperty("height", "auto");
    this.text.style.setProperty("height", `${Math.min(this.text.scrollHeight, innerHeight / 2)}px`);
    const left = MAX_LENGTH - this.text.value.length;
    byId("composer-left").textContent = left < 200 ? String(left) : "";
  }

  #typed() {
    this.#grow();
    const before = this.text.value.slice(0, this.text.selectionStart);
    const mention = MENTION.exec(before);
    if (/^\/[^\n/]*$/.test(this.text.value)) this.#offerCommands();
    else if (mention) this.#offerMentions(mention);
    else this.panel.hide();
    if (this.text.value && !this.text.value.startsWith("/")) this.session.type(this.channel.id);
  }

  async #offerCommands() {
    const asked = (this.#asked += 1);
    const typed = this.text.value.slice(1);
    const items = await slashItems(this.session, typed).catch(() => []);
    if (asked !== this.#asked || this.text.value.slice(1) !== typed) return;
    const exact = typed.endsWith(" ") && items.find(({ entry }) => entry.path === typed.trim());
    const start = ({ entry }) => this.#toCommand(entry);
    if (exact) return start(exact);
    this.panel.show(items.length ? [] : [h("span.muted", {}, "No command matches")], this.text, items, start);
  }

  #offerMentions([, , sign, query]) {
    const choices = sign === "@" ? userChoices(this.session) : channelChoices(this.session);
    const items = rank(choices, query).slice(0, 10);
    this.panel.show([], this.text, items, (item) => {
      const shown = `${sign}${item.label}`;
      this.#mentions.set(shown, item.kind === "user" ? `<@${item.value}>` : `<#${item.value}>`);
      const end = this.text.selectionStart;
      this.text.setRangeText(`${shown} `, end - query.length - 1, end, "end");
      this.panel.hide();
      this.#grow();
    });
  }

  #toCommand(entry) {
    this.text.value = "";
    this.text.hidden = true;
    this.line.hidden = false;
    this.command.start(this.session, this.channel, entry);
  }

  #toText(focus = true) {
    this.line.hidden = true;
    this.text.hidden = false;
    this.line.replaceChildren();
    this.panel.hide();
    this.#grow();
    if (focus) this.focus();
  }

  #key(event) {
    if (event.isComposing || this.panel.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#send();
    } else if (event.key === "Escape") {
      if (this.panel.open) this.panel.hide();
      else this.#setReply(null);
    } else if (event.key === "ArrowUp" && !this.text.value) {
      event.preventDefault();
      this.onUp();
    }
  }

  #send() {
    let content = this.text.value.trim();
    if (this.text.disabled || (!content && !this.#files.length)) return;
    const shown = [...this.#mentions].sort(([a], [b]) => b.length - a.length);
    for (const [text, sent] of shown) content = content.replaceAll(text, sent);
    this.session.send(this.channel.id, content, this.#files, this.replyTo?.id);
    this.text.value = "";
    this.#files = [];
    this.#mentions.clear();
    this.#setReply(null);
    this.#drawFiles();
    this.#grow();
    this.panel.hide();
  }
}
