// Wires the parts of the page together.

import { listen } from "./api.js";
import { drawChats, drawTitle, setUpChats } from "./chats.js";
import { compose, drawComposer, say, setUpComposer } from "./composer.js";
import { $ } from "./dom.js";
import { announce, drawMessages, scrollToEnd, setUpMessages } from "./messages.js";
import { drawPanel, setUpPanel } from "./panel.js";
import { openChat, placeOf, speaker, state, takeChats, takeMessage, threadOf } from "./store.js";
import { applyWords, language, setLanguage } from "./words.js";

const FONTS_WITHIN_MS = 3000;

const started = Date.now() / 1000;
let asked = 0;

/** Draw before the browser's next paint, once for all changes until then. */
function drawSoon() {
  if (asked) return;
  // A page in the background doesn't paint, so use a timer.
  asked = document.hidden ? setTimeout(draw, 100) : requestAnimationFrame(draw);
}

function draw() {
  asked = 0;
  drawChats();
  drawTitle();
  drawComposer();
  drawMessages();
  drawPanel(); // some switches belong to the open chat
}

function go(chatId, thread) {
  if (chatId !== state.chat || thread !== state.thread) compose(null);
  state.chat = chatId;
  state.thread = thread;
  state.unread.delete(placeOf(chatId, thread));
  document.body.dataset.view = "chat";
  draw();
  scrollToEnd(); // the chat may have been drawn before, out of sight
  if (!matchMedia("(pointer: coarse)").matches) $("text").focus();
}

function took(message) {
  const isNew = takeMessage(message);
  const thread = threadOf(state.chats.get(message.chat.id), message);
  const isOpen = message.chat.id === state.chat && thread === state.thread;
  if (isNew && isOpen && message.date >= started) announce(message);
  if (isNew && !isOpen && message.date >= started && message.from?.id !== speaker(state.chats.get(message.chat.id))) {
    const place = placeOf(message.chat.id, thread);
    state.unread.set(place, (state.unread.get(place) ?? 0) + 1);
  }
  drawSoon();
}

// Load fallback fonts first: Chromium keeps empty boxes in text that it shaped before they were loaded.
await Promise.race([
  Promise.allSettled([document.fonts.load('1em "Shipped SC"', "中"), document.fonts.load('1em "Shipped Emoji"', "📎")]),
  new Promise((end) => setTimeout(end, FONTS_WITHIN_MS)),
]);
document.body.hidden = false;

setUpChats(go);
setUpMessages({ compose, go, command: say });
setUpPanel();
setUpComposer();
applyWords();
$("language").value = language;
$("language").addEventListener("change", () => { setLanguage($("language").value); draw(); });
$("back").addEventListener("click", () => {
  document.body.dataset.view = "list";
  $("chat-list").querySelector("[aria-current]")?.focus();
});
document.addEventListener("speaker", draw);

listen({
  hello: ({ bot }) => { state.bot = bot; },
  chats: (chats) => {
    takeChats(chats);
    if (!openChat() && chats.length) {
      state.chat = chats[0].id;
      state.thread = 0;
    }
    drawSoon();
  },
  message: took,
  panel: (panel) => { state.panel = panel; drawPanel(); },
}, (isThere) => { $("connection").hidden = isThere; });
