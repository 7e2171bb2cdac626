// Videos, pictures, sounds and files of a message.

import { fileAddress } from "./api.js";
import { el, showDialog } from "./dom.js";
import { t } from "./words.js";

export const KINDS = ["animation", "video", "photo", "audio", "voice", "video_note", "document", "sticker"];

export const kindOf = (message) => KINDS.find((kind) => kind in message) ?? null;

const seconds = (count) => `${Math.floor(count / 60)}:${String(Math.round(count % 60)).padStart(2, "0")}`;

export function sizeOf(bytes) {
  if (!bytes) return "";
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Return the ID of a message's file; empty without one. */
export function fileOf(message) {
  const kind = kindOf(message);
  return kind === "photo" ? message.photo.at(-1).file_id : (message[kind]?.file_id ?? "");
}

/** Return the text of a service message, such as who joined; empty for any other. */
export function serviceText(message) {
  const name = message.from?.first_name ?? "";
  if (message.new_chat_members) return t("joined", { name: message.new_chat_members.map((one) => one.first_name).join(", ") });
  if (message.left_chat_member) return t("left", { name: message.left_chat_member.first_name });
  if (message.forum_topic_created) return t("topicMade", { name: message.forum_topic_created.name });
  if (message.pinned_message) return t("pinned", { name });
  if (message.migrate_to_chat_id || message.migrate_from_chat_id) return t("becameSupergroup");
  return "";
}

/** Return a short description of a message. */
export function gist(message) {
  const text = message.text ?? message.caption ?? "";
  const kind = kindOf(message) ?? ["location", "contact", "poll", "dice"].find((one) => one in message);
  const what = message.document?.file_name ?? (kind ? t(kind) : "");
  return [serviceText(message), what, text.split("\n")[0]].filter(Boolean).join(" · ");
}

/** Return a message's media as a node; null for a text. */
export function mediaOf(message) {
  const kind = kindOf(message);
  switch (kind) {
    case "video": return video(message.video, false);
    case "animation": return video(message.animation, true);
    case "video_note": return el("div", { class: "round" }, video(message.video_note, false));
    case "photo": return photo(message.photo);
    case "audio": return sound(message.audio, "audio");
    case "voice": return sound(message.voice, "voice");
    case "document": return file(message.document);
    case "sticker": return picture(message.sticker, t("sticker"), "sticker");
    default: return other(message);
  }
}

/** Replace media that can't be shown by a download link. */
function shownOr(node, media, instead = node) {
  node.addEventListener("error", () => instead.replaceWith(file(media)), { once: true });
  return instead;
}

function video(media, isAnimation) {
  const label = `${t(isAnimation ? "animation" : "video")} ${media.duration ? seconds(media.duration) : ""}`;
  const node = el("video", {
    src: fileAddress(media.file_id),
    poster: media.thumbnail && fileAddress(media.thumbnail.file_id),
    preload: "metadata",
    playsinline: "",
    tabindex: "0",
    "aria-label": label,
  });
  shape(node, media.width, media.height);
  const box = el("div", { class: "video" }, node);
  if (isAnimation) Object.assign(node, { muted: true, loop: true, autoplay: !reduced(), controls: reduced() });
  else {
    // The browser's controls cover the picture, so show them only during playback.
    const start = el("button", { type: "button", class: "play", "aria-label": `▶ ${label}`, onclick: () => node.play() });
    const badge = el("span", { class: "badge", "aria-hidden": "true" }, media.duration ? seconds(media.duration) : "▶");
    node.addEventListener("play", () => {
      const wasOnIt = box.matches(":hover, :focus-within");
      const showControls = () => { node.controls = true; };
      for (const event of ["pointerenter", "pointerdown", "focusin"]) box.addEventListener(event, showControls);
      if (start === document.activeElement) node.focus();
      if (wasOnIt) showControls();
      start.remove();
      badge.remove();
    }, { once: true });
    box.append(start, badge);
  }
  return shownOr(node, media, box);
}

const reduced = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function shape(node, width, height) {
  if (width && height) {
    node.style.aspectRatio = `${width} / ${height}`;
    // Like Telegram, limit the height so that the text stays visible on a phone.
    node.style.width = `${Math.min(1, (width / height) * 0.9) * 24}rem`;
  }
}

function photo(sizes) {
  const largest = sizes.at(-1);
  const node = picture(largest, t("photo"), "");
  shape(node, largest.width, largest.height);
  const button = el("button", {
    type: "button",
    class: "photo",
    onclick: () => showDialog(t("photo"), picture(largest, t("photo"), "whole")),
  }, node);
  return shownOr(node, largest, button);
}

const picture = (media, label, name) => el("img", { src: fileAddress(media.file_id), alt: label, class: name });

function sound(media, kind) {
  const name = [media.performer, media.title ?? media.file_name].filter(Boolean).join(" – ");
  return el("div", { class: "sound" },
    el("span", {}, kind === "voice" ? `🎤 ${t("voice")}` : `🎵 ${name || t("audio")}`),
    el("audio", { src: fileAddress(media.file_id), controls: true, preload: "metadata", "aria-label": name || t(kind) }));
}

function file(media) {
  const name = media.file_name ?? t("document");
  return el("a", {
    class: "file",
    href: `${fileAddress(media.file_id)}?download`,
    download: name,
    "aria-label": t("download", { name }),
  }, el("span", { class: "disc", "aria-hidden": "true" }, "↓"), el("span", {}, name, el("small", {}, sizeOf(media.file_size))));
}

function other(message) {
  if (message.location) return el("p", {}, `📍 ${message.location.latitude}, ${message.location.longitude}`);
  if (message.contact) return el("p", {}, `👤 ${message.contact.first_name} ${message.contact.phone_number ?? ""}`);
  if (message.dice) return el("p", { class: "large" }, `${message.dice.emoji} ${message.dice.value}`);
  if (message.poll) {
    return el("div", {}, el("strong", {}, message.poll.question),
      el("ul", {}, message.poll.options.map((option) => el("li", {}, option.text))));
  }
  return null;
}
