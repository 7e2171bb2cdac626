// The open chat's messages. A node is kept while its message doesn't change, so that a video plays on.

import { telegram } from "./api.js";
import { $, el, marked, safeLink, say, settle, showDialog, showMenu, toast } from "./dom.js";
import { formatted } from "./entities.js";
import { fileOf, gist, kindOf, mediaOf, serviceText } from "./media.js";
import {
  chatsOf, isFromBot, messagesOf, openChat, placeOf, senderName, speaker, state, titleOf,
} from "./store.js";
import { t, timeOf } from "./words.js";

const NEAR_END_PX = 120;
const ANSWER_WITHIN_S = 15;

const shown = new Map(); // by the key of a bubble: {mark, node}
let shownPlace = "";
let follows = true; // the end was in view
let hooks; // {compose, go, command}: actions of other parts of the page

export function setUpMessages(given) {
  hooks = given;
  const list = $("messages");
  list.addEventListener("scroll", () => {
    follows = isAtEnd();
    if (follows) $("newest").hidden = true;
  });
  // Keep the end in view when a phone is rotated or opens its keyboard.
  new ResizeObserver(() => { if (follows) scrollToEnd(); }).observe(list);
  $("newest").addEventListener("click", scrollToEnd);
}

const isAtEnd = () => {
  const list = $("messages");
  return list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX;
};

export function scrollToEnd() {
  const list = $("messages");
  list.scrollTop = list.scrollHeight;
  $("newest").hidden = true;
}

/** Draw the messages; keep the scroll position, or follow the end if it is in view. */
export function drawMessages() {
  const chat = openChat();
  const list = $("messages");
  if (!chat) return;
  const place = placeOf(state.chat, state.thread);
  const opened = place !== shownPlace;
  if (opened) {
    shownPlace = place;
    shown.clear();
    list.replaceChildren();
  }
  follows = opened || isAtEnd();
  const bubbles = gathered(messagesOf(state.chat, state.thread));
  const keys = new Set(bubbles.map((bubble) => bubble[0].message_id));
  for (const [key, { node }] of shown) {
    if (!keys.has(key)) { node.remove(); shown.delete(key); }
  }
  let before = null;
  for (const bubble of bubbles) {
    const node = drawn(bubble, chat);
    const next = before === null ? list.firstChild : before.nextSibling;
    if (node !== next) list.insertBefore(node, next);
    before = node;
  }
  list.classList.toggle("empty", bubbles.length === 0);
  if (bubbles.length === 0) drawEmpty(list, chat);
  else list.querySelector(".nothing")?.remove();
  if (follows) scrollToEnd();
  else if (bubbles.length) $("newest").hidden = isAtEnd();
}

function drawEmpty(list, chat) {
  list.replaceChildren(el("li", { class: "nothing" },
    el("p", {}, chat.about || t("empty")),
    chat.type === "private" && el("button", { type: "button", class: "main", onclick: () => hooks.command("/start") }, t("start"))));
}

/** Group messages into bubbles: an album is one bubble. */
function gathered(messages) {
  const bubbles = [];
  for (const message of messages) {
    const last = bubbles.at(-1);
    if (message.media_group_id && last?.[0].media_group_id === message.media_group_id) last.push(message);
    else bubbles.push([message]);
  }
  return bubbles;
}

function drawn(bubble, chat) {
  const key = bubble[0].message_id;
  const mark = bubble.map((message) => `${message.message_id}.${message.versions}`).join() + speaker(chat);
  const old = shown.get(key);
  if (old?.mark === mark) return old.node;
  const node = bubbleNode(bubble, chat);
  if (old) {
    const [article, made] = [old.node.querySelector("article"), node.querySelector("article")];
    if (article && made) {
      article.className = made.className;
      settle(article, made);
    }
    old.node.className = node.className;
    settle(old.node, node);
  }
  shown.set(key, { mark, node: old?.node ?? node });
  return old?.node ?? node;
}

function bubbleNode(bubble, chat) {
  const first = bubble[0];
  const told = serviceText(first);
  if (told) return el("li", { class: "service", id: `m${first.message_id}` }, told);
  const worded = bubble.find((message) => message.text || message.caption) ?? first;
  const text = worded.text ?? worded.caption ?? "";
  const mine = first.from?.id === speaker(chat) && !first.sender_chat;
  const media = bubble.map(mediaOf).filter(Boolean);
  const act = { command: hooks.command, link: followed };
  const body = text && el("div", { class: "text" }, formatted(text, worded.entities ?? worded.caption_entities, act));
  const files = bubble.map(fileOf).join();
  const pictures = marked(files && `media ${files}`, media.length > 1 ? el("div", { class: "album" }, media) : media[0]);
  const only = kindOf(first) === "sticker" || kindOf(first) === "video_note";
  return el("li", { class: `message ${mine ? "mine" : ""} ${only ? "bare" : ""}`, id: `m${first.message_id}` },
    marked("article", el("article", {
      class: media.length ? "bubble with-media" : "bubble", "aria-label": mine ? t("you") : senderName(first),
    },
      chat.type !== "private" && !mine && el("strong", { class: `sender hue${(first.from?.id ?? 0) % 7}` }, senderName(first)),
      origin(first),
      quote(first),
      worded.show_caption_above_media ? [body, pictures] : [pictures, body],
      el("footer", {},
        first.edit_date && el("span", {}, t("edited")),
        el("time", { datetime: new Date(first.date * 1000).toISOString() }, timeOf(first.date))))),
    keyboard(worded.reply_markup ? worded : first),
    marked("more", el("button", {
      type: "button", class: "icon more", "aria-label": t("actions"), "aria-haspopup": "menu",
      onclick: (event) => showMenu(event.currentTarget, actions(latest(worded), chat)),
    }, "⋯")));
}

/** Return the current version of a message, because buttons outlive the version they were drawn for. */
const latest = (message) => state.messages.get(message.chat.id)?.get(message.message_id) ?? message;

function origin(message) {
  const from = message.forward_origin;
  if (!from) return null;
  const name = from.sender_user?.first_name ?? from.sender_user_name ?? (from.chat ?? from.sender_chat)?.title ?? "";
  return el("p", { class: "origin" }, t("forwardedFrom", { name }));
}

function quote(message) {
  const to = message.reply_to_message;
  if (!to || (message.is_topic_message && to.forum_topic_created)) return null;
  const target = state.messages.get(message.chat.id)?.get(to.message_id);
  const words = message.quote?.text ?? (target ? gist(target) : t("deleted"));
  return el("button", {
    type: "button", class: "quote",
    onclick: () => {
      const node = $(`m${to.message_id}`);
      node?.scrollIntoView({ block: "center" });
      node?.classList.add("found");
      setTimeout(() => node?.classList.remove("found"), 1500);
    },
  }, el("strong", {}, senderName(to)), el("span", {}, words));
}

function keyboard(message) {
  const rows = message.reply_markup?.inline_keyboard;
  if (!rows) return null;
  return marked(`keyboard ${JSON.stringify(rows)}`, el("div", { class: "keyboard" }, rows.map((row) => el("div", { class: "keys" }, row.map((button) => {
    const url = button.url && safeLink(button.url);
    if (url) {
      return el("a", {
        href: url.href, title: button.text, target: "_blank", rel: "noopener noreferrer",
        onclick: (event) => { if (followed(url)) event.preventDefault(); },
      }, button.text, el("span", { "aria-hidden": "true" }, " ↗"), el("span", { class: "unseen" }, t("opensPage")));
    }
    return el("button", { type: "button", class: button.style ?? "", title: button.text, onclick: (event) => press(message, button, event.currentTarget) }, button.text);
  })))));
}

async function press(message, button, node) {
  node.classList.add("waiting");
  try {
    const pressed = await telegram("press", {
      chat: message.chat.id, message: message.message_id, user: speaker(),
      ...(button.callback_data ? { data: button.callback_data } : { button: button.text }),
    });
    if (!pressed.callback) return;
    const answer = await telegram("callback", { id: pressed.callback, timeout_s: ANSWER_WITHIN_S });
    if (answer === null) toast(t("noAnswer"));
    else if (answer.url) { const url = safeLink(answer.url); if (url && !followed(url)) open(url.href, "_blank", "noopener"); }
    else if (answer.text && answer.show_alert) {
      showDialog(answer.text, el("p", {}, answer.text),
        el("button", { type: "button", class: "main", onclick: () => $("dialog").close() }, t("close")));
    } else if (answer.text) toast(answer.text);
  } catch (error) {
    toast(t("failed", { why: error.message }));
  } finally {
    node.classList.remove("waiting");
  }
}

/** Open a link to the bot on the page; return whether it was one. */
function followed(url) {
  if (url.hostname !== "t.me" || url.pathname.slice(1).toLowerCase() !== state.bot.username.toLowerCase()) return false;
  const person = speaker();
  hooks.go(person, 0);
  const payload = url.searchParams.get("start");
  if (payload !== null) hooks.command(`/start ${payload}`.trim());
  return true;
}

function actions(message, chat) {
  // A channel's readers can't write there, so use somebody who may forward.
  const me = chat.type === "channel" ? 0 : speaker(chat);
  const mine = message.from?.id === me && !message.sender_chat;
  const text = message.text ?? message.caption;
  const canWrite = chat.type !== "channel";
  const to = { chat: chat.id, message: message.message_id };
  return [
    canWrite && { text: t("reply"), run: () => hooks.compose({ replyTo: message }) },
    mine && text !== undefined && { text: t("edit"), run: () => hooks.compose({ editing: message }) },
    { text: t("forward"), run: () => chooseTarget(message, me) },
    text && { text: t("copy"), run: () => navigator.clipboard.writeText(text) },
    (mine || (chat.type === "private" && isFromBot(message)))
      && { text: t("delete"), run: () => telegram("delete", to).catch((error) => toast(error.message)) },
  ].filter(Boolean);
}

function chooseTarget(message, me) {
  const people = me ? [me] : [...new Set([...state.chats.values()].flatMap((chat) => chat.people.map((one) => one.id)))];
  const targets = people.flatMap((person) => chatsOf(person).flatMap((chat) =>
    (chat.is_forum ? chat.topics : [{ id: 0 }]).map((topic) => ({ person, chat, topic }))));
  // Everyone is in the groups, so use the first person.
  const unique = [...new Map(targets.reverse().map((one) => [placeOf(one.chat.id, one.topic.id), one])).values()].reverse();
  const send = async ({ person, chat, topic }) => {
    $("dialog").close();
    try {
      await telegram("forward", {
        user: person, source: message.chat.id, message: message.message_id, chat: chat.id, thread: topic.id,
      });
      hooks.go(chat.id, topic.id);
    } catch (error) {
      toast(t("failed", { why: error.message }));
    }
  };
  showDialog(t("forwardTo"), el("h2", {}, t("forwardTo")),
    el("div", { class: "targets" }, unique.map((one) => el("button", { type: "button", onclick: () => send(one) },
      titleOf(one.chat), one.topic.name ? ` · ${one.topic.name}` : ""))),
    el("button", { type: "button", onclick: () => $("dialog").close() }, t("cancel")));
}

/** Announce a new message to screen readers. */
export function announce(message) {
  if (message.from?.id !== speaker()) say(`${senderName(message)}: ${gist(message)}`);
}
