// Slash commands: what the picker offers, and the line in which a chosen command's options are filled in.
import { avatar, fill, h } from "./dom.js";
import { channelPermissions, mayUse } from "./permissions.js";
import { channelChoices, rank, roleChoices, userChoices } from "./picker.js";

const [SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER] = [1, 2, 3, 4, 5, 6];
const [CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT] = [7, 8, 9, 10, 11];
const AUTOCOMPLETE_DELAY_MS = 250;

/** Every command and subcommand that this person may use here, as items of the picker. */
export async function slashItems(session, query) {
  const { guild, channel, store } = session;
  if (!guild) return [];
  const bits = channelPermissions(guild, channel, store.self.id);
  const commands = (await session.commands(guild.id)).filter((command) => (command.type ?? 1) === 1 && mayUse(command, bits));
  const wanted = query.toLowerCase().trim();
  const items = commands.flatMap(entries).filter(({ path }) => path.includes(wanted));
  items.sort((a, b) => !a.path.startsWith(wanted) - !b.path.startsWith(wanted) || a.path.localeCompare(b.path));
  let last;
  return items.slice(0, 50).map((entry) => {
    const { application } = entry.command;
    const heading = application && application.id !== last && application.name;
    last = application?.id;
    return {
      entry, heading, label: `/${entry.path}`, detail: entry.description, testid: `slash-item-${entry.path}`,
      picture: avatar({ id: application?.id, username: application?.name }, "tiny"), pills: entry.options.map(({ name }) => name),
    };
  });
}

/** A command's runnable forms: itself, or its subcommands. `steps` leads to the options inside the data that is sent. */
function entries(command) {
  const below = (options, path, steps) => options.flatMap((option) => {
    const inner = { path: [...path, option.name], steps: [...steps, { type: option.type, name: option.name }] };
    if (option.type === GROUP) return below(option.options ?? [], inner.path, inner.steps);
    return { command, path: inner.path.join(" "), steps: inner.steps, options: option.options ?? [], description: option.description };
  });
  const options = command.options ?? [];
  if (options.some(({ type }) => type === SUBCOMMAND || type === GROUP)) return below(options, [command.name], []);
  return [{ command, path: command.name, steps: [], options, description: command.description }];
}

/** The composer while a command is being filled in. `done()` gives the composer back to text. */
export class CommandLine {
  #fields = [];
  #timer;
  #asked = 0;

  constructor(line, panel, done) {
    Object.assign(this, { line, panel, done });
    line.addEventListener("focusout", () => setTimeout(() => !line.contains(document.activeElement) && panel.hide()));
  }

  start(session, channel, entry) {
    Object.assign(this, { session, channel, entry });
    this.#fields = [];
    this.more = h("input.more", {
      type: "text", "aria-label": "More options", testid: "command-more", oninput: () => this.#offerOptions(),
      onfocus: () => this.#offerOptions(), onkeydown: (event) => this.#key(event, null),
    });
    this.error = h("span.command-error", { role: "alert" });
    for (const option of entry.options.filter(({ required }) => required)) this.#add(option);
    this.#draw();
    (this.#fields[0]?.input ?? this.more).focus();
  }

  #draw() {
    const left = this.#remaining().length;
    this.more.placeholder = left ? `+${left} optional` : "Enter to send";
    fill(this.line, h("span.command-name", {}, `/${this.entry.path}`), this.#fields.map(({ element }) => element), this.more, this.error);
  }

  #remaining() {
    return this.entry.options.filter((option) => !this.#fields.some((field) => field.option === option));
  }

  #add(option) {
    const field = { option, value: undefined };
    const props = {
      "aria-label": `${option.name}: ${option.description}`, testid: `option-input-${option.name}`,
      onfocus: () => this.#offer(field), onkeydown: (event) => this.#key(event, field),
    };
    if (option.type === ATTACHMENT) field.input = h("input", { type: "file", onchange: () => this.#wrong(field, ""), ...props });
    else field.input = h("input", { type: "text", maxlength: option.max_length ?? 6000, oninput: () => this.#typed(field), ...props });
    field.element = h("label.option-field", {}, h("span", {}, option.name), field.input);
    this.#fields.push(field);
    this.#size(field);
    return field;
  }

  #typed(field) {
    field.value = undefined;
    this.#size(field);
    this.#wrong(field, "");
    this.#offer(field);
  }

  #size({ input, option }) {
    if (option.type !== ATTACHMENT) input.size = Math.min(40, Math.max(6, input.value.length + 1));
  }

  #next(field) {
    const at = this.#fields.indexOf(field);
    (this.#fields.slice(at + 1).find(({ input }) => !input.value)?.input ?? this.more).focus();
  }

  /** Shows what may be chosen for the option that has the focus. */
  #offer(field) {
    const { option, input } = field;
    const optional = !option.required && h("span.pill", {}, "optional");
    const head = [h("strong", {}, option.name), h("span.muted", {}, option.description), optional];
    const pick = (item) => {
      Object.assign(field, { value: item.value });
      input.value = item.label;
      this.#size(field);
      this.#wrong(field, "");
      this.#next(field);
    };
    const choices = field.value === undefined ? this.#choices(option) : [];
    const settled = choices && rank(choices, input.value).slice(0, 25);
    this.panel.show(head, input, settled ?? [], pick, 0);
    if (option.autocomplete && field.value === undefined) this.#complete(field, head, pick);
  }

  #choices({ type, choices, channel_types: types }) {
    if (choices?.length) return choices.map((choice) => ({ label: choice.name, value: choice.value }));
    if (type === BOOLEAN) return [{ label: "True", value: true }, { label: "False", value: false }];
    if (type === USER) return userChoices(this.session);
    if (type === CHANNEL) return channelChoices(this.session, types);
    if (type === ROLE) return roleChoices(this.session);
    if (type === MENTIONABLE) return [...userChoices(this.session), ...roleChoices(this.session)];
    return null;
  }

  #complete(field, head, pick) {
    clearTimeout(this.#timer);
    const asked = (this.#asked += 1);
    this.#timer = setTimeout(async () => {
      const options = this.#fields
        .filter((other) => other === field || (other.input.value && other.option.type !== ATTACHMENT))
        .map((other) => other === field
          ? { type: field.option.type, name: field.option.name, value: field.input.value, focused: true }
          : this.#sent(other));
      const { command } = this.entry;
      const choices = await this.session.interactions.autocomplete(command, this.channel.id, this.#nest(options)).catch(() => null);
      if (asked !== this.#asked || document.activeElement !== field.input) return;
      const items = (choices ?? []).map((choice) => ({ label: choice.name, value: choice.value }));
      // Free text stays what was typed unless an arrow key reaches for a suggestion.
      const active = field.option.type === STRING ? -1 : 0;
      this.panel.show(choices ? head : [...head, h("span.failed", {}, "Loading options failed")], field.input, items, pick, active);
    }, AUTOCOMPLETE_DELAY_MS);
  }

  #offerOptions() {
    const items = this.#remaining().map((option) => ({ label: option.name, detail: option.description, option }));
    const found = rank(items, this.more.value);
    const pick = ({ option }) => {
      this.more.value = "";
      const { input } = this.#add(option);
      this.#draw();
      input.focus();
    };
    const head = [h("strong", {}, `/${this.entry.path}`), h("span.muted", {}, this.entry.description)];
    this.panel.show(head, this.more, found, pick, this.more.value ? 0 : -1);
  }

  #key(event, field) {
    if (event.isComposing || this.panel.key(event)) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.#finish();
    } else if (event.key === "Backspace" && !(field?.input ?? this.more).value) {
      event.preventDefault();
      this.#back(field);
    }
  }

  /** Backspace in an empty field: an optional option goes, before the first one the command itself. */
  #back(field) {
    const at = field ? this.#fields.indexOf(field) : this.#fields.length;
    if (field && !field.option.required) this.#fields.splice(at, 1);
    if (at === 0 && (!field || field.option.required)) return this.#finish();
    this.#draw();
    (this.#fields[at - 1]?.input ?? this.more).focus();
  }

  #wrong(field, text) {
    field.element.classList.toggle("wrong", Boolean(text));
    this.error.textContent = text;
  }

  /** What is wrong with a field, or "". Settles typed text that equals one of the choices. */
  #check(field) {
    const { option, input } = field;
    const text = input.value.trim();
    if (!text) return option.required ? `${option.name} is required` : "";
    const number = Number(text.replace(",", "."));
    const choices = field.value === undefined ? this.#choices(option) : null;
    if (choices) {
      const same = choices.find(({ label, value }) => label.toLowerCase() === text.toLowerCase() || value === text);
      if (!same) return `${option.name}: choose one of the list`;
      field.value = same.value;
    } else if (field.value === undefined && (option.type === INTEGER || option.type === NUMBER)) {
      if (Number.isNaN(number) || (option.type === INTEGER && !Number.isInteger(number))) return `${option.name}: a number is needed`;
      if (number < (option.min_value ?? -Infinity)) return `${option.name}: at least ${option.min_value}`;
      if (number > (option.max_value ?? Infinity)) return `${option.name}: at most ${option.max_value}`;
      field.value = number;
    } else if (text.length < (option.min_length ?? 0)) {
      return `${option.name}: at least ${option.min_length} characters`;
    }
    return "";
  }

  #sent({ option, input, value }) {
    return { type: option.type, name: option.name, value: value ?? input.value };
  }

  #nest(options) {
    return this.entry.steps.reduceRight((inner, { type, name }) => [{ type, name, options: inner }], options);
  }

  #submit() {
    for (const field of this.#fields) {
      const said = this.#check(field);
      this.#wrong(field, said);
      if (said) return field.input.focus();
    }
    const files = [];
    const filled = this.#fields.filter(({ input }) => input.value);
    const options = filled.map((field) => {
      if (field.option.type !== ATTACHMENT) return this.#sent(field);
      return { type: ATTACHMENT, name: field.option.name, value: String(files.push(field.input.files[0]) - 1) };
    });
    const text = [this.entry.path, ...filled.map(({ option, input }) => `${option.name}: ${input.value}`)].join(" ");
    this.session.run(this.entry.command, this.channel.id, text, this.#nest(options), files);
    this.#finish();
  }

  #finish() {
    this.panel.hide();
    this.done();
  }
}
