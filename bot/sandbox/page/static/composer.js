// The composer: text, files, replies, edits, and the list of commands.

import { getJson, telegram, upload } from "./api.js";
import { $, el, showMenu, toast } from "./dom.js";
import { gist } from "./media.js";
import { scrollToEnd } from "./messages.js";
import { openChat, senderName, speaker, state } from "./store.js";
import { t } from "./words.js";

const ALBUM_KINDS = new Set(["photo", "video"]);

const TALLEST_PX = 176;
const LONGEST_TEXT = /[^]{1,4096}/g;

let clips = [];
let attached = []; // Files
let aboutTo = null; // {replyTo} or {editing}
let option = -1; // index of the chosen command
let known = ""; // the bot's commands when they were last listed
let sendings = Promise.resolve(); // sends run one after the other, in order

export async function setUpComposer() {
  $("composer").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  $("text").addEventListener("input", () => { grow(); drawCommands(); });
  $("text").addEventListener("keydown", keyed);
  $("text").addEventListener("blur", () => setTimeout(() => { $("commands").hidden = true; }, 200));
  $("text").addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) { event.preventDefault(); attach(event.clipboardData.files); }
  });
  // The text keeps the focus: losing it would close the list.
  $("menu-button").addEventListener("mousedown", (event) => event.preventDefault());
  $("menu-button").addEventListener("click", () => {
    const isOpen = !$("commands").hidden;
    $("text").value = isOpen ? "" : "/";
    drawCommands();
    $("text").focus();
  });
  $("attach").addEventListener("click", (event) => showMenu(event.currentTarget, [
    { text: t("fromComputer"), run: () => $("files").click() },
    ...clips.map((clip) => ({ text: t(`clip_${clip.name.split(".")[0]}`), run: () => sendClip(clip) })),
  ]));
  $("files").addEventListener("change", () => { attach($("files").files); $("files").value = ""; });
  $("about-to-end").addEventListener("click", () => compose(null));
  $("speaker").addEventListener("change", () => {
    state.speakers.set(state.chat, Number($("speaker").value));
    document.dispatchEvent(new Event("speaker"));
  });
  takesDrops($("chat"));
  clips = await getJson("clips");
}

function takesDrops(area) {
  const hint = $("drop-hint");
  area.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files") || !canWrite()) return;
    event.preventDefault();
    hint.hidden = false;
  });
  area.addEventListener("dragleave", (event) => { if (!area.contains(event.relatedTarget)) hint.hidden = true; });
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    hint.hidden = true;
    attach(event.dataTransfer.files);
  });
}

const canWrite = () => Boolean(openChat()?.people.length);

/** Update the composer for the open chat. */
export function drawComposer() {
  const chat = openChat();
  if (!chat) return;
  $("composer").hidden = !canWrite() || chat.type === "channel";
  $("read-only").hidden = !$("composer").hidden;
  const choice = $("speaker");
  choice.hidden = chat.people.length < 2;
  const names = chat.people.map((person) => person.name).join();
  if (choice.dataset.names !== names) { // not at every message: it may be open
    choice.dataset.names = names;
    choice.replaceChildren(...chat.people.map((person) => el("option", { value: String(person.id) }, person.name)));
  }
  choice.value = String(speaker(chat));
  $("text").placeholder = t("message");
  $("menu-button").hidden = chat.type !== "private" || chat.commands.length === 0;
  const commands = JSON.stringify(chat.commands);
  if (commands !== known && document.activeElement === $("text")) drawCommands();
  known = commands;
}

/** Put a text into the composer, for the person to send. */
export function prefill(text) {
  compose(null);
  $("text").value = text;
  grow();
  $("text").focus();
}

/** Start a reply or an edit; null ends it. */
export function compose(what) {
  if (aboutTo?.editing && !what?.editing) $("text").value = "";
  aboutTo = what;
  $("about-to").hidden = what === null;
  if (what?.replyTo) $("about-to-text").textContent = `${t("replyTo", { name: senderName(what.replyTo) })}: ${gist(what.replyTo)}`;
  if (what?.editing) {
    $("about-to-text").textContent = t("editing");
    $("text").value = what.editing.text ?? what.editing.caption ?? "";
  }
  grow();
  if (what) $("text").focus();
}

function attach(files) {
  attached.push(...files);
  drawAttached();
  $("text").focus();
}

function drawAttached() {
  $("attached").hidden = $("as-files-row").hidden = attached.length === 0;
  $("attached").replaceChildren(...attached.map((file, index) => el("li", {},
    el("span", {}, file.name),
    el("button", {
      type: "button", class: "icon", "aria-label": t("remove", { name: file.name }),
      onclick: () => { attached.splice(index, 1); drawAttached(); $("text").focus(); },
    }, "✕"))));
}

function grow() {
  const text = $("text");
  text.style.height = "auto";
  const wanted = text.scrollHeight + text.offsetHeight - text.clientHeight;
  text.style.height = `${Math.min(wanted, TALLEST_PX)}px`;
  text.style.overflowY = wanted > TALLEST_PX ? "auto" : "hidden";
}

function keyed(event) {
  const list = $("commands");
  if (event.isComposing) return; // Enter chooses a word in a Chinese input method.
  if (!list.hidden && ["ArrowDown", "ArrowUp", "Tab", "Escape", "Enter"].includes(event.key)) {
    if (commandKeyed(event.key, [...list.children])) { event.preventDefault(); return; }
  }
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); submit(); }
  else if (event.key === "Escape" && aboutTo) { event.stopPropagation(); compose(null); }
}

/** Handle a key while commands are listed; return whether it was for the list. */
function commandKeyed(key, options) {
  if (key === "Escape") { $("commands").hidden = true; return true; }
  if (key === "Enter" || key === "Tab") {
    if (option < 0) return false;
    options[option].click();
    return true;
  }
  option = (option + (key === "ArrowDown" ? 1 : -1) + options.length) % options.length;
  options.forEach((one, index) => one.setAttribute("aria-selected", String(index === option)));
  options[option].scrollIntoView({ block: "nearest" });
  $("text").setAttribute("aria-activedescendant", options[option].id);
  return true;
}

function drawCommands() {
  const text = $("text").value;
  const fitting = /^\/\w*$/.test(text)
    ? (openChat()?.commands ?? []).filter((one) => one.command.startsWith(text.slice(1)))
    : [];
  option = -1;
  $("text").removeAttribute("aria-activedescendant");
  $("commands").hidden = fitting.length === 0;
  $("commands").replaceChildren(...fitting.map((one, index) => el("li", {
    role: "option", id: `command${index}`, "aria-selected": "false",
    onclick: () => { $("commands").hidden = true; $("text").value = ""; grow(); say(`/${one.command}`); },
  }, el("strong", {}, `/${one.command}`), el("span", {}, one.description))));
}

function where(chat) {
  return {
    chat: chat.id, user: speaker(chat), thread: state.thread,
    reply_to: aboutTo?.replyTo && aboutTo.replyTo.chat.id === chat.id ? aboutTo.replyTo.message_id : undefined,
  };
}

/** Send a text to the open chat, such as a tapped command. */
export function say(text) {
  const chat = openChat();
  // In a group a tapped command names the bot that it is for.
  const named = chat.type !== "private" && /^\/\w+$/.test(text) ? `${text}@${state.bot.username}` : text;
  const values = { ...where(chat), text: named };
  compose(null);
  return inTurn(() => telegram("write", values));
}

function inTurn(send) {
  scrollToEnd(); // as Telegram does, wherever somebody was reading
  sendings = sendings.then(send).catch((error) => toast(t("failed", { why: error.message })));
  return sendings;
}

function submit() {
  const chat = openChat();
  const text = $("text").value.trim();
  if (!chat || (!text && !attached.length)) return;
  const { editing } = aboutTo ?? {};
  if (editing) {
    const field = editing.text === undefined ? "caption" : "text";
    inTurn(() => telegram("edit", { chat: chat.id, message: editing.message_id, [field]: text }));
  } else if (attached.length) {
    sendFiles(attached, text, $("as-files").checked);
    attached = [];
    $("as-files").checked = false;
    drawAttached();
  } else {
    const values = where(chat);
    // Like Telegram's clients, split a text that is too long.
    for (const piece of text.match(LONGEST_TEXT)) inTurn(() => telegram("write", { ...values, text: piece }));
  }
  aboutTo = null;
  $("about-to").hidden = true;
  $("text").value = "";
  $("commands").hidden = true;
  grow();
}

function kindFor(file) {
  if (file.type === "image/gif") return "animation";
  if (/^image\/(jpeg|png|webp)$/.test(file.type)) return "photo";
  if (file.type.startsWith("video/")) return "video";
  if (file.type === "audio/ogg") return "voice";
  return file.type.startsWith("audio/") ? "audio" : "document";
}

function sendFiles(files, caption, asFiles, kind = null) {
  const kinds = files.map((file) => kind ?? (asFiles ? "document" : kindFor(file)));
  const isAlbum = files.length > 1 && (kinds.every((one) => ALBUM_KINDS.has(one)) || new Set(kinds).size === 1);
  const album = isAlbum ? String(Math.floor(Math.random() * 1e15)) : undefined;
  const values = where(openChat());
  files.forEach((file, index) => inTurn(() => {
    if (file.size > 5e6) toast(t("sending", { name: file.name }));
    return upload("write", { ...values, kind: kinds[index], album, caption: index ? undefined : caption }, file);
  }));
}

async function sendClip(clip) {
  try {
    const response = await fetch(`clip/${clip.name}`);
    const blob = await response.blob();
    const caption = $("text").value.trim();
    sendFiles([new File([blob], clip.name, { type: blob.type })], caption, false, clip.kind);
    $("text").value = "";
    compose(null);
  } catch (error) {
    toast(t("failed", { why: error.message }));
  }
}
