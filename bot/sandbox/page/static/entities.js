// Formatted text, as Telegram marks it: entities with offsets in UTF-16, which is how JavaScript counts too.

import { el, safeLink } from "./dom.js";
import { t } from "./words.js";

const TAGS = {
  bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote",
};

/**
 * Return a text with its entities as nodes.
 *
 * @param {string} text
 * @param {object[]} entities As in a Message; they nest but never overlap.
 * @param {{command: function, link: function}} act What a tapped command or link does.
 */
export function formatted(text, entities, act) {
  const sorted = [...(entities ?? [])].sort((a, b) => a.offset - b.offset || b.length - a.length);
  return within(text, 0, text.length, sorted, act);
}

function within(text, start, end, entities, act) {
  const nodes = [];
  let at = start;
  for (let index = 0; index < entities.length; index += 1) {
    const entity = entities[index];
    const stop = Math.min(entity.offset + entity.length, end);
    if (entity.offset < at || stop <= entity.offset) continue;
    if (entity.offset > at) nodes.push(text.slice(at, entity.offset));
    const inner = entities.slice(index + 1).filter((one) => one.offset < stop);
    nodes.push(marked(entity, text.slice(entity.offset, stop), within(text, entity.offset, stop, inner, act), act));
    at = stop;
  }
  if (at < end) nodes.push(text.slice(at, end));
  return nodes;
}

function marked(entity, text, inner, act) {
  switch (entity.type) {
    case "url": return link(text, inner, act);
    case "text_link": return link(entity.url, inner, act);
    case "email": return link(`mailto:${text}`, inner, act);
    case "phone_number": return link(`tel:${text}`, inner, act);
    case "mention": return link(`https://t.me/${text.slice(1)}`, inner, act);
    case "bot_command":
      return el("button", { type: "button", class: "link", onclick: () => act.command(text) }, inner);
    case "spoiler": {
      const hidden = el("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": t("spoiler") }, inner);
      const show = () => { hidden.className = ""; hidden.removeAttribute("aria-label"); hidden.removeAttribute("role"); };
      hidden.addEventListener("click", show);
      hidden.addEventListener("keydown", (event) => { if (event.key === "Enter") show(); });
      return hidden;
    }
    default: {
      const tag = TAGS[entity.type];
      return tag ? el(tag, {}, inner) : el("span", {}, inner);
    }
  }
}

function link(address, inner, act) {
  const url = safeLink(address);
  if (url === null) return el("span", {}, inner);
  return el("a", {
    href: url.href,
    target: "_blank",
    rel: "noopener noreferrer",
    onclick: (event) => { if (act.link(url)) event.preventDefault(); },
  }, inner);
}
