// The page's state: chats and messages as received, and what is open.

export const state = {
  bot: { id: 0, first_name: "", username: "" },
  chats: new Map(), // by id
  messages: new Map(), // by chat id: a Map by message id, in order
  chat: 0, // ID of the open chat
  thread: 0, // ID of its open topic; 0 outside forums
  speakers: new Map(), // by chat id: who writes
  unread: new Map(), // by chat and topic
  panel: null,
};

export const GENERAL = 1;

/** Return the key of a chat or topic, which has its own row and messages. */
export const placeOf = (chatId, thread) => `${chatId}/${thread}`;

export const threadOf = (chat, message) =>
  chat?.is_forum ? (message.is_topic_message ? message.message_thread_id : GENERAL) : 0;

export const titleOf = (chat) => chat.title ?? [chat.first_name, chat.last_name].filter(Boolean).join(" ");

export const openChat = () => state.chats.get(state.chat);

export function takeChats(chats) {
  state.chats = new Map(chats.map((chat) => [chat.id, chat]));
}

/** Save a message; return whether it is new. */
export function takeMessage(message) {
  const known = state.messages.get(message.chat.id) ?? new Map();
  state.messages.set(message.chat.id, known);
  const isNew = !known.has(message.message_id);
  if (message.deleted) known.delete(message.message_id);
  else known.set(message.message_id, message);
  return isNew && !message.deleted;
}

export function messagesOf(chatId, thread) {
  const chat = state.chats.get(chatId);
  return [...(state.messages.get(chatId)?.values() ?? [])]
    .filter((message) => threadOf(chat, message) === thread)
    .sort((a, b) => a.message_id - b.message_id);
}

/** Return the person that the page writes as in a chat. */
export function speaker(chat = openChat()) {
  return state.speakers.get(chat.id) ?? chat.people[0]?.id ?? 0;
}

export const isFromBot = (message) => message.from?.id === state.bot.id;

export function senderName(message) {
  const from = message.sender_chat ?? message.from;
  if (!from) return titleOf(message.chat);
  return from.title ?? [from.first_name, from.last_name].filter(Boolean).join(" ");
}

/** Where a person may be: their private chats with the bot, and chats that they are a member of. */
export const chatsOf = (personId) =>
  [...state.chats.values()].filter((chat) => chat.people.some((person) => person.id === personId));
