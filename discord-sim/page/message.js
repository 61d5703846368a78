// One message as an element: header, content, attachments, embeds, components, reactions and footers.
import { avatar, bytes, clock, dots, h, hexColour, icon, iconButton, nonce, onRightClick, when } from "./dom.js";
import { components, fileLine, ownUrl, picture } from "./components.js";
import { link, markdown, plain } from "./markdown.js";
import { may, Permission } from "./permissions.js";
import { isEphemeral, roleColour } from "./store.js";

const LOADING = 1 << 7;
const PREVIEW_BYTES = 40000;
const SYSTEM = {
  1: "added someone to the thread.",
  2: "removed someone from the thread.",
  4: (message) => `changed the channel name: ${message.content}`,
  6: "pinned a message to this channel.",
  7: "joined the server.",
  18: (message) => `started a thread: ${message.content}`,
};

export const isSystem = (message) => message.type in SYSTEM;

/** `cx` is `{ session, store, guild, message, grouped, actions }`; `actions` is what the toolbar's buttons do. */
export function messageElement(cx) {
  const { message, store, grouped } = cx;
  const time = new Date(message.timestamp);
  const classes = [
    "message", grouped && "grouped", isEphemeral(message) && "ephemeral",
    store.isMentioned(message) && message.author.id !== store.self?.id && "mentioned",
  ];
  const name = authorName(cx);
  const body = isSystem(message) ? systemLine(cx) : [
    !grouped && h("div.message-head", {}, name, tag(message), h("time.time", { title: time.toString() }, when(time))),
    content(cx),
  ];
  return h("li", {
    class: classes.filter(Boolean).join(" "), testid: "message", key: message.id, tabindex: "-1",
    dataset: { id: message.id, author: message.author.username },
    oncontextmenu: onRightClick((point) => cx.actions.menu(message, point)),
  },
    replyLine(cx), commandLine(cx),
    grouped ? h("time.side-time", {}, clock(time)) : isSystem(message) ? icon("arrow", "system-icon") : face(cx),
    h("div.message-body", {}, body),
    toolbar(cx));
}

function face({ message }) {
  const props = { tabindex: "-1", "aria-hidden": "true", dataset: { user: message.author.id } };
  return h("button.avatar-button", props, avatar(message.author));
}

function authorName({ message, store, guild }) {
  const { author } = message;
  const role = store.colourOf(author.id, guild);
  const props = { tabindex: "-1", dataset: { user: author.id }, vars: role && { colour: hexColour(roleColour(role)) } };
  return h(`button.author${role ? ".coloured" : ""}`, props, store.nameOf(author, guild));
}

function tag(message) {
  if (!message.author.bot && !message.webhook_id) return null;
  return h("span.tag", {}, message.webhook_id && !message.application_id ? "WEBHOOK" : "APP");
}

function systemLine(cx) {
  const said = SYSTEM[cx.message.type];
  const text = typeof said === "function" ? said(cx.message) : said;
  return h("div.system", {}, authorName(cx), " ", text, h("time.time", {}, when(new Date(cx.message.timestamp))));
}

function replyLine({ message, store, guild }) {
  if (message.type !== 19) return null;
  const known = store.log(message.channel_id).messages.find(({ id }) => id === message.message_reference?.message_id);
  const replied = message.referenced_message ?? known;
  if (!replied) return h("div.reply-line", {}, h("em", {}, "The original message is gone"));
  return h("button.reply-line", { tabindex: "-1", dataset: { jump: replied.id } },
    avatar(replied.author, "mini"), h("strong", {}, store.nameOf(replied.author, guild)),
    h("span.reply-text", {}, plain(replied.content, { store, guild }) || "Click to see attachment"));
}

function commandLine({ message, store, guild }) {
  const used = message.interaction ?? message.interaction_metadata;
  const name = message.interaction?.name ?? message.interaction_metadata?.name;
  if (!used?.user || !name || used.type !== 2 || message.grouped) return null;
  return h("div.reply-line", {}, avatar(used.user, "mini"), h("strong", {}, store.nameOf(used.user, guild)), "used",
    h("span.mention", {}, message.type === 23 ? name : `/${name}`));
}

function content(cx) {
  const { message, session } = cx;
  if (message.flags & LOADING) {
    return [h("div.thinking", {}, dots(), `${cx.store.nameOf(message.author, cx.guild)} is thinking…`), footer(cx)];
  }
  if (session.editing === message.id) return editor(cx);
  const edited = message.edited_timestamp && h("span.edited", { title: new Date(message.edited_timestamp).toString() }, "(edited)");
  const text = message.content && markdown(message.content, cx);
  if (text) (text.lastElementChild?.matches(".paragraph") ? text.lastElementChild : text).append(edited || "");
  return [
    text,
    (message.attachments ?? []).map(attachment),
    (message.embeds ?? []).map((embed) => embedElement(embed, cx)),
    message.components?.length > 0 && h("div.components", {}, components(message.components, cx)),
    !text && edited,
    reactions(cx),
    footer(cx),
  ];
}

function editor({ message, actions }) {
  const field = h("textarea", {
    rows: "1", "aria-label": "Edit message", testid: "edit", maxlength: "2000", key: `edit:${message.id}`,
    onkeydown: (event) => {
      if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape") || event.shiftKey) return;
      event.preventDefault();
      event.stopPropagation();
      actions.finishEdit(message, event.key === "Enter" ? field.value : null);
    },
  });
  field.value = message.content;
  return [field, h("div.hint", {}, "Esc to cancel · Enter to save")];
}

function footer({ message, session, actions }) {
  const failed = session.clicks.get(message.id) === "failed" &&
    h("div.failed", { role: "alert", testid: "interaction-failed" }, icon("warning"), "This interaction failed");
  const ephemeral = isEphemeral(message) && h("div.only-you", { testid: "ephemeral" }, icon("eye"), "Only you can see this · ",
    h("button.text-link", { testid: "dismiss", onclick: () => actions.dismiss(message) }, "Dismiss message"));
  return [failed, ephemeral];
}

function reactions({ message, actions }) {
  if (!message.reactions?.length) return null;
  return h("div.reactions", {}, message.reactions.map((reaction) => {
    const name = reaction.emoji.id ? `:${reaction.emoji.name}:` : reaction.emoji.name;
    const toggle = () => actions.react(message, reaction);
    const props = { "aria-pressed": String(reaction.me), key: `${message.id}:${name}`, onclick: toggle };
    return h("button.reaction", props, name, h("span", {}, String(reaction.count)));
  }));
}

function toolbar({ message, session, guild, store, actions }) {
  const own = message.author.id === store.self?.id;
  const channel = store.channel(message.channel_id);
  const mayDelete = !isEphemeral(message) && (own || (guild && channel && may(guild, channel, store.self?.id, Permission.MANAGE_MESSAGES)));
  if (session.editing === message.id) return null;
  return h("div.toolbar", { role: "group", "aria-label": "Message actions" },
    !isEphemeral(message) && !isSystem(message) && iconButton("reply", "Reply", () => actions.reply(message)),
    own && !isSystem(message) && iconButton("pencil", "Edit", () => actions.edit(message)),
    mayDelete && iconButton("trash", "Delete", () => actions.remove(message)),
    iconButton("more", "More", (event) => actions.menu(message, event.currentTarget)));
}

function attachment(file) {
  const type = file.content_type ?? "";
  const own = ownUrl(file.url);
  if (type.startsWith("image/") && own) return h("div.attachment", {}, picture(file.url, file.description ?? file.filename));
  const readable = own && (/^text\/|json|xml/.test(type) || /\.(txt|log|md|csv|json|html?|ya?ml)$/i.test(file.filename));
  return h("div.attachment", { testid: "attachment" }, fileLine(file.filename, file.size, file.url, readable && preview(file, own)));
}

/** The beginning of a text file, fetched when it is unfolded. */
function preview(file, url) {
  const id = `preview-${nonce()}`;
  const text = h("pre.preview", { id, tabindex: "0", hidden: true });
  const toggle = h("button.icon-button", {
    "aria-expanded": "false", "aria-controls": id, "aria-label": `Show ${file.filename}`, title: "Show the file",
    testid: "preview",
    onclick: async () => {
      text.hidden = !text.hidden;
      toggle.setAttribute("aria-expanded", String(!text.hidden));
      if (text.textContent) return;
      text.textContent = "Loading…";
      try {
        const response = await fetch(url);
        const whole = await response.text();
        const rest = whole.length > PREVIEW_BYTES ? `\n… ${bytes(whole.length - PREVIEW_BYTES)} more` : "";
        text.textContent = response.ok ? whole.slice(0, PREVIEW_BYTES) + rest : `The file could not be read (${response.status})`;
      } catch {
        text.textContent = "The file could not be read";
      }
    },
  }, icon("chevron"));
  return [toggle, text];
}

function embedElement(embed, cx) {
  const colour = typeof embed.color === "number" ? { bar: hexColour(embed.color) } : undefined;
  const { author: by } = embed;
  const author = by && h("div.embed-author", {}, by.url ? link(by.url, by.name) : by.name);
  const title = embed.title && h("div.embed-title", {}, embed.url ? link(embed.url, plain(embed.title, cx)) : markdown(embed.title, cx));
  const fields = embed.fields?.length > 0 && h("div.embed-fields", {}, embed.fields.map((field) =>
    h(`div.embed-field${field.inline ? ".inline" : ""}`, {},
      h("div.embed-field-name", {}, markdown(field.name, cx)), markdown(field.value, cx))));
  const foot = [embed.footer?.text, embed.timestamp && when(new Date(embed.timestamp))].filter(Boolean).join(" · ");
  return h("article.embed", { vars: colour, testid: "embed" },
    h("div.embed-main", {}, author, title, embed.description && h("div.embed-description", {}, markdown(embed.description, cx)), fields),
    embed.thumbnail?.url && h("div.thumbnail", {}, picture(embed.thumbnail.url, "")),
    embed.image?.url && h("div.embed-image", {}, picture(embed.image.url, "")),
    foot && h("div.embed-foot", {}, foot));
}
