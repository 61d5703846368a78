// Discord's markdown, turned straight into elements: what people write never passes through an HTML parser.
import { append, h, timeStyles } from "./dom.js";

const FENCE = /```(?:([\w+#.-]+)\n)?\n?([\s\S]+?)\n?```/;
const LIST_ITEM = /^( *)([-*]|\d{1,3}\.) +(.*)$/;
const HEADING = /^(#{1,3}|-#) +(.+)$/;
const URL_TEXT = "https?:\\/\\/[^\\s<>]*[^\\s<>.,:;\"'\\])}!?*_~|]";

/** Inline rules, tried in this order where the text stands; each gives an element or text. */
const INLINE = [
  [/^\\([^\w\s])/, ([, char]) => char],
  [/^(`{1,2})([\s\S]*?[^`])\1(?!`)/, ([, , code]) => h("code", {}, code)],
  [/^\*\*\*(?=\S)([\s\S]+?)\*\*\*(?!\*)/, ([, inner], cx) => h("strong", {}, h("em", {}, inline(inner, cx)))],
  [/^\*\*(?=\S)([\s\S]+?)\*\*(?!\*)/, ([, inner], cx) => h("strong", {}, inline(inner, cx))],
  [/^__(?=\S)([\s\S]+?)__(?!_)/, ([, inner], cx) => h("u", {}, inline(inner, cx))],
  [/^\*(?=[^\s*])((?:\*\*|[^*])+?)\*(?!\*)/, ([, inner], cx) => h("em", {}, inline(inner, cx))],
  [/^_(?=\S)((?:__|[^_])+?)_(?!\w)/, ([, inner], cx) => h("em", {}, inline(inner, cx)), "word"],
  [/^~~(?=\S)([\s\S]+?)~~/, ([, inner], cx) => h("s", {}, inline(inner, cx))],
  [/^\|\|([\s\S]+?)\|\|/, ([, inner], cx) => spoiler(inline(inner, cx))],
  [
    new RegExp(`^\\[([^\\]]+)\\]\\(<?(${URL_TEXT}\\/?)>?(?: "[^"]*")?\\)`),
    ([, text, url], cx) => link(url, inline(text, { ...cx, links: false })),
  ],
  [new RegExp(`^<(${URL_TEXT}\\/?)>`), ([, url]) => link(url, url)],
  [new RegExp(`^${URL_TEXT}\\/?`), ([url], cx) => (cx.links === false ? url : link(url, url))],
  [/^<@!?(\d{5,20})>/, ([, id], cx) => mentionUser(id, cx)],
  [/^<@&(\d{5,20})>/, ([, id], cx) => mentionRole(id, cx)],
  [/^<#(\d{5,20})>/, ([, id], cx) => mentionChannel(id, cx)],
  [/^@(everyone|here)\b/, ([text]) => h("span.mention", {}, text)],
  [/^<\/([\w -]+):\d+>/, ([, name]) => h("span.mention", {}, `/${name}`)],
  [/^<a?:(\w+):\d+>/, ([, name]) => h("span.emoji-name", {}, `:${name}:`)],
  [/^<t:(-?\d{1,13})(?::([tTdDfFRs]))?>/, ([, unix, style], cx) => timestamp(Number(unix) * 1000, style, cx)],
];
const PLAIN = /^[^\\`*_~|[<@\n]+?(?=[\\`*_~|[<@\n]|https?:\/\/|$)|^[\s\S]/u;

/** Renders a message's content. `cx` is `{ store, guild }`, used to name what is mentioned. */
export function markdown(text, cx) {
  const parts = [];
  let rest = text ?? "";
  for (let match = FENCE.exec(rest); match; match = FENCE.exec(rest)) {
    parts.push(blocks(rest.slice(0, match.index).replace(/\n$/, ""), cx), h("pre", {}, h("code", {}, match[2])));
    rest = rest.slice(match.index + match[0].length).replace(/^\n/, "");
  }
  const root = h("div.markdown", {}, parts, blocks(rest, cx));
  if (/^(?:[\p{Extended_Pictographic}\u200d\ufe0f\u{1f3fb}-\u{1f3ff}]\s*){1,12}$/u.test(text ?? "")) root.classList.add("jumbo");
  return root;
}

function blocks(text, cx) {
  const lines = text ? text.split("\n") : [];
  const out = [];
  let paragraph = [];
  const flush = () => {
    if (paragraph.length) out.push(h("div.paragraph", {}, inline(paragraph.join("\n"), cx)));
    paragraph = [];
  };
  while (lines.length) {
    if (lines[0].startsWith(">>> ")) {
      flush();
      out.push(h("blockquote", {}, blocks(lines.splice(0).join("\n").slice(4), cx)));
    } else if (lines[0].startsWith("> ")) {
      flush();
      out.push(h("blockquote", {}, blocks(take(lines, (line) => line.startsWith("> ")).map((line) => line.slice(2)).join("\n"), cx)));
    } else if (HEADING.test(lines[0])) {
      flush();
      const [, marks, title] = HEADING.exec(lines.shift());
      out.push(marks === "-#" ? h("div.subtext", {}, inline(title, cx)) : h(`h${marks.length}`, {}, inline(title, cx)));
    } else if (LIST_ITEM.test(lines[0])) {
      flush();
      out.push(list(take(lines, (line) => LIST_ITEM.test(line)), cx));
    } else {
      paragraph.push(lines.shift());
    }
  }
  flush();
  return out;
}

function take(lines, wanted) {
  const end = lines.findIndex((line) => !wanted(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

/** Nested lists by indentation. */
function list(lines, cx) {
  const [, indent, mark] = LIST_ITEM.exec(lines[0]);
  const root = /\d/.test(mark) ? h("ol", { start: parseInt(mark, 10) }) : h("ul");
  while (lines.length) {
    const [, , , text] = LIST_ITEM.exec(lines.shift());
    const inner = take(lines, (line) => LIST_ITEM.exec(line)[1].length > indent.length);
    root.append(h("li", {}, inline(text, cx), inner.length > 0 && list(inner, cx)));
  }
  return root;
}

function inline(text, cx) {
  const out = [];
  let before = "";
  while (text) {
    const wordBefore = /\w$/.test(before);
    const [match, make] = firstMatch(text, wordBefore);
    before = match[0];
    out.push(make(match, cx));
    text = text.slice(before.length);
  }
  return out;
}

function firstMatch(text, wordBefore) {
  for (const [pattern, make, kind] of INLINE) {
    const match = !(kind === "word" && wordBefore) && pattern.exec(text);
    if (match) return [match, make];
  }
  return [PLAIN.exec(text), ([plain]) => plain];
}

/** A link to the web; other schemes than http(s) stay text. */
export function link(url, ...children) {
  if (!/^https?:\/\//i.test(url)) return h("span", {}, children);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, children);
}

export function spoiler(...children) {
  const reveal = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    if (!cover.classList.contains("revealed")) event.preventDefault();
    cover.classList.add("revealed");
    cover.removeAttribute("role");
  };
  const props = { role: "button", tabindex: "0", "aria-label": "Spoiler", onclick: reveal, onkeydown: reveal };
  const cover = h("span.spoiler", props, h("span", {}, children));
  return cover;
}

function mentionUser(id, { store, guild }) {
  const user = guild?.members.get(id)?.user ?? store.users.get(id);
  if (!user) return h("span.mention", {}, `<@${id}>`);
  return h("button.mention", { dataset: { user: id } }, `@${store.nameOf(user, guild)}`);
}

function mentionRole(id, { guild }) {
  const role = guild?.roles.get(id);
  const colour = role?.color ? `#${role.color.toString(16).padStart(6, "0")}` : undefined;
  return h(`span.mention${colour ? ".coloured" : ""}`, { vars: colour && { colour } }, role ? `@${role.name}` : "@unknown-role");
}

function mentionChannel(id, { store }) {
  const channel = store.channel(id);
  if (!channel) return h("span.mention", {}, "# unknown");
  return h("button.mention", { dataset: { channel: id } }, `# ${channel.name ?? "direct message"}`);
}

function timestamp(ms, style = "f") {
  const date = new Date(ms);
  const full = Number.isNaN(date.getTime()) ? "Invalid date" : timeStyles.F(date);
  const text = Number.isNaN(date.getTime()) ? full : timeStyles[style](date);
  return h("time.timestamp", { title: full, datetime: String(ms), dataset: { style } }, text);
}

/** Keeps "3 minutes ago" true; called every few seconds. */
export function refreshTimestamps(root) {
  for (const time of root.querySelectorAll('time[data-style="R"]')) {
    time.textContent = timeStyles.R(new Date(Number(time.getAttribute("datetime"))));
  }
}

export const plain = (text, cx) => append(document.createElement("div"), inline(text ?? "", cx)).textContent;
