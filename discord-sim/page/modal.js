// Forms that applications open (Discord's modals): fields, checks, and sending them back.
import { h, iconButton, nonce } from "./dom.js";
import { preset, select } from "./components.js";
import { markdown } from "./markdown.js";
import { dialog } from "./overlay.js";

const PARAGRAPH = 2;

/** Opens the form of an INTERACTION_MODAL_CREATE event. */
export function openModal(session, modal) {
  const fields = modal.components.map((component, index) => topField(component, index, session));
  const general = h("div.form-error", { role: "alert" });
  const submit = h("button.primary", { type: "submit", testid: "modal-submit" }, "Submit");
  const app = modal.application?.name ?? "the application";
  const form = h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); send(); } },
    h("header", {}, h("h2", {}, modal.title), iconButton("close", "Close", () => box.close())),
    h("div.form-fields", {}, fields.map((field) => field.element), general),
    h("div.form-note", {}, `This form will be submitted to ${app}.`),
    h("footer", {}, h("button.plain", { testid: "modal-cancel", onclick: () => box.close() }, "Cancel"), submit));
  const box = dialog(form, { label: modal.title, testid: "modal", className: "form" });
  (box.querySelector("input, textarea, .select") ?? submit).focus();

  async function send() {
    general.textContent = "";
    const wrong = fields.filter((field) => !field.check());
    if (wrong.length) return wrong[0].element.querySelector("input, textarea, .select")?.focus();
    submit.disabled = true;
    submit.classList.add("waiting");
    const files = [];
    try {
      await session.interactions.submit(modal, fields.map((field) => field.answer(files)).filter(Boolean), files);
      box.close();
    } catch (error) {
      submit.disabled = false;
      submit.classList.remove("waiting");
      const left = spread(error.errors, fields);
      general.textContent = left.join(" ") || (error.errors ? "" : error.status ? error.message : "Something went wrong. Try again.");
    }
  }
}

/** One entry of the form: `{ element, check(), answer(files), fail(text) }`. */
function topField(component, index, session) {
  if (component.type === 10) return { element: markdown(component.content, session), check: () => true, answer: () => null, fail() {} };
  const labelled = component.type === 18;
  const inner = labelled ? component.component : component.components[0];
  const title = labelled ? component.label : inner.label;
  const id = `field-${nonce()}-${index}`;
  const control = controls[inner.type](inner, session, id, title);
  const required = inner.required !== false && inner.type !== 23;
  const error = h("div.field-error", { id: `${id}-error`, role: "alert" });
  const group = [21, 22].includes(inner.type);
  const element = h("div.field", group ? { role: "group", "aria-labelledby": `${id}-label` } : {},
    h(group ? "div.field-label" : "label.field-label", { id: `${id}-label`, for: group ? null : id },
      title, required && h("span.required", { "aria-hidden": "true" }, " *")),
    component.description && h("div.field-description", { id: `${id}-about` }, component.description),
    control.element, error);
  const fail = (text) => {
    error.textContent = text;
    element.classList.toggle("wrong", Boolean(text));
  };
  const check = () => {
    const said = problem(inner, control.value(), required);
    fail(said);
    return !said;
  };
  const answer = (files) => {
    const value = control.value();
    const sent = { type: inner.type, custom_id: inner.custom_id };
    if (inner.type === 19) sent.values = value.map((file) => String(files.push(file) - 1));
    else if (Array.isArray(value)) sent.values = value;
    else sent.value = value;
    return labelled ? { type: 18, id: component.id, component: sent } : { type: 1, components: [sent] };
  };
  return { element, check, answer, fail };
}

function problem(component, value, required) {
  const many = Array.isArray(value);
  const size = many ? value.length : typeof value === "string" ? value.length : 1;
  const unit = many ? "choices" : "characters";
  const least = (many ? component.min_values : component.min_length) ?? 0;
  const most = (many ? component.max_values : component.max_length) ?? Infinity;
  if (size === 0 || value === null) return required ? "This field is required" : "";
  if (size < least) return `At least ${least} ${unit} are needed`;
  if (size > most) return `No more than ${most} ${unit}`;
  return "";
}

const controls = {
  4(component, session, id) {
    const paragraph = component.style === PARAGRAPH;
    const counter = component.max_length && h("span.counter", { "aria-hidden": "true" });
    const count = () => counter && (counter.textContent = `${input.value.length}/${component.max_length}`);
    const input = h(paragraph ? "textarea" : "input", {
      id, type: paragraph ? null : "text", rows: paragraph ? "4" : null,
      placeholder: component.placeholder, maxlength: component.max_length ?? 4000,
      "aria-describedby": `${id}-about ${id}-error`, testid: `input-${component.custom_id}`, oninput: count,
    });
    input.value = component.value ?? "";
    count();
    return { element: h("div.counted", {}, input, counter), value: () => input.value };
  },
  19(component, session, id) {
    const input = h("input", { id, type: "file", multiple: (component.max_values ?? 1) > 1, testid: `input-${component.custom_id}` });
    return { element: input, value: () => [...input.files] };
  },
  21: (component, session, id) => options(component, "radio", id, (chosen) => chosen[0] ?? null),
  22: (component, session, id) => options(component, "checkbox", id, (chosen) => chosen),
  23(component, session, id) {
    const input = h("input", { id, type: "checkbox", checked: component.default === true, testid: `input-${component.custom_id}` });
    return { element: input, value: () => input.checked };
  },
};
for (const type of [3, 5, 6, 7, 8]) {
  controls[type] = (component, session, id, label) => {
    let values = preset(component);
    const element = select(component, session, { label, onchange: (picked) => (values = picked) });
    element.id = id;
    return { element, value: () => values };
  };
}

function options(component, type, id, read) {
  const inputs = component.options.map((option) => h("input", { type, name: id, value: option.value, checked: option.default === true }));
  const element = h("div.options", { testid: `input-${component.custom_id}` }, component.options.map((option, index) =>
    h("label.choice", {}, inputs[index], h("span", {}, option.label, option.description && h("span.muted", {}, option.description)))));
  return { element, value: () => read(inputs.filter((input) => input.checked).map((input) => input.value)) };
}

/** Puts Discord's form errors beside their fields; answers those that belong to none. */
function spread(errors, fields) {
  const rest = [];
  const walk = (node, index, underComponents) => {
    for (const { message } of node?._errors ?? []) {
      if (index === undefined || !fields[index]) rest.push(message);
      else fields[index].fail(message);
    }
    for (const [key, inner] of Object.entries(node ?? {})) {
      if (key === "_errors") continue;
      walk(inner, index ?? (underComponents && /^\d+$/.test(key) ? Number(key) : undefined), key === "components");
    }
  };
  walk(errors, undefined, false);
  return rest;
}
