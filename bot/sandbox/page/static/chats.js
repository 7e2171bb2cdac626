// The list of chats, with the topics of forums below them.

import { $, el } from "./dom.js";
import { gist } from "./media.js";
import { messagesOf, openChat, placeOf, state, titleOf } from "./store.js";
import { t, timeOf } from "./words.js";

const rows = new Map(); // by chat and topic

let go;

export function setUpChats(given) {
  go = given;
  // A list of buttons with arrow key navigation.
  $("chat-list").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...$("chat-list").querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(buttons.length - 1, at + step))].focus();
  });
}

const KIND_ORDER = { private: 0, supergroup: 1, group: 1, channel: 2 };

export function drawChats() {
  const chats = [...state.chats.values()].sort((a, b) => KIND_ORDER[a.type] - KIND_ORDER[b.type]);
  const places = chats.flatMap((chat) => (chat.is_forum ? chat.topics.map((topic) => [chat, topic]) : [[chat, null]]));
  const list = $("chat-list");
  const wanted = places.map(([chat, topic]) => row(chat, topic));
  if (wanted.length !== list.children.length || wanted.some((node, index) => node !== list.children[index])) {
    list.replaceChildren(...wanted);
  }
}

/** Return the row of a chat or topic, which stays the same node. */
function row(chat, topic) {
  const thread = topic?.id ?? 0;
  const place = placeOf(chat.id, thread);
  if (!rows.has(place)) {
    const button = el("button", { type: "button", class: topic ? "topic" : "", onclick: () => go(chat.id, thread) });
    rows.set(place, el("li", {}, button));
  }
  const node = rows.get(place);
  const last = messagesOf(chat.id, thread).at(-1);
  const unread = state.unread.get(place) ?? 0;
  const name = topic ? topicName(topic) : titleOf(chat);
  const button = node.firstChild;
  if (chat.id === state.chat && thread === state.thread) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  button.replaceChildren(
    el("span", { class: `avatar hue${Math.abs(chat.id) % 7}`, "aria-hidden": "true" }, topic ? "#" : [...name][0]),
    el("span", { class: "about" },
      el("span", {},
        el("strong", {}, topic ? `${titleOf(chat)} · ${name}` : name),
        unread > 0 && el("span", { class: "count", "aria-label": t("unread", { n: unread }) }, String(unread))),
      el("span", {},
        el("span", { class: "gist" }, last ? gist(last) : kindName(chat)),
        last && el("time", {}, timeOf(last.date)))));
  return node;
}

const topicName = (topic) => (topic.id === 1 ? t("general") : topic.name);

function kindName(chat) {
  if (chat.type === "private") return t("private");
  if (chat.type === "channel") return t("channel");
  return t(chat.is_forum ? "forum" : "group");
}

export function drawTitle() {
  const chat = openChat();
  if (!chat) return;
  const topic = chat.topics.find((one) => one.id === state.thread);
  $("chat-title").textContent = chat.type === "private" ? state.bot.first_name : titleOf(chat) + (topic ? ` · ${topicName(topic)}` : "");
  const people = chat.people.map((person) => person.name).join(", ");
  $("chat-about").textContent = chat.type === "private" ? t("privateWith", { name: titleOf(chat) })
    : [kindName(chat), people].filter(Boolean).join(": ");
}
