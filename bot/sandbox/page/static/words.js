// The page's own texts. The bot's texts come from the bot.

const WORDS = {
  en: {
    sandbox: "sandbox", chats: "Chats", language: "Language of this page", back: "Back to the chats",
    lost: "The sandbox has ended, or can't be reached.", behaviour: "Behind the scenes", messages: "Messages",
    newest: "Newest message", dropHere: "Drop files to send them", notNow: "Not now",
    asFiles: "Send as files, as they are", attach: "Attach a file", menu: "Menu", speaker: "Speak as", message: "Message",
    send: "Send", commands: "Commands", readOnly: "Only its owner writes here.",
    private: "private chat", privateWith: "private chat with the bot, as {name}", group: "group", forum: "forum", channel: "channel",
    general: "General", edited: "edited", forwardedFrom: "Forwarded from {name}", deleted: "Deleted message",
    actions: "More about this message", reply: "Reply", edit: "Edit", delete: "Delete", forward: "Forward",
    copy: "Copy the text", forwardTo: "Forward to", cancel: "Cancel", close: "Close", start: "Start",
    replyTo: "Reply to {name}", editing: "Change the message", fromComputer: "From this computer…",
    empty: "No messages yet. Send a video and say what to change, or just describe the video you want.",
    remove: "Remove {name}", failed: "That did not work: {why}", noAnswer: "The bot did not answer the button.",
    sending: "Sending {name}…", photo: "Photo", video: "Video", audio: "Audio", voice: "Voice message",
    document: "File", animation: "GIF", video_note: "Video message", sticker: "Sticker", album: "Album",
    location: "Location", contact: "Contact", poll: "Poll", dice: "Dice",
    download: "Download {name}", bot: "Bot", you: "You", unread: "{n} unread", opensPage: "opens another page",
    joined: "{name} joined", left: "{name} left", topicMade: "Topic “{name}” was created", pinned: "A message was pinned",
    becameSupergroup: "The group became a supergroup", spoiler: "Show what is hidden", service: "Service message",
    clip_beach: "🏖 Beach, 6 s", clip_phone: "📱 Street, upright", clip_photo: "🖼 Photo", clip_music: "🎵 Music, 10 s",
    clip_voice: "🎤 Voice message", clip_prompt: "📄 A request as a text file", clip_large: "🐘 Video of 25 MB",
    clip_broken: "💥 A file that is no video",
  },
  zh: {
    sandbox: "沙盒", chats: "聊天", language: "本页语言", back: "返回聊天列表",
    lost: "沙盒已结束，或无法连接。", behaviour: "幕后", messages: "消息",
    newest: "最新消息", dropHere: "拖到这里即可发送", notNow: "取消",
    asFiles: "以文件形式原样发送", attach: "添加附件", menu: "菜单", speaker: "发言身份", message: "消息",
    send: "发送", commands: "命令", readOnly: "只有频道主可以在这里发言。",
    private: "私聊", privateWith: "与机器人的私聊，身份：{name}", group: "群组", forum: "论坛", channel: "频道",
    general: "综合", edited: "已编辑", forwardedFrom: "转发自 {name}", deleted: "已删除的消息",
    actions: "更多操作", reply: "回复", edit: "编辑", delete: "删除", forward: "转发",
    copy: "复制文字", forwardTo: "转发到", cancel: "取消", close: "关闭", start: "开始",
    replyTo: "回复 {name}", editing: "修改消息", fromComputer: "从本机选择…",
    empty: "还没有消息。发一段视频，说说想怎么改；或者直接描述你想要的视频。",
    remove: "移除 {name}", failed: "没有成功：{why}", noAnswer: "机器人没有回应这个按钮。",
    sending: "正在发送 {name}…", photo: "照片", video: "视频", audio: "音频", voice: "语音消息",
    document: "文件", animation: "动图", video_note: "视频消息", sticker: "贴纸", album: "相册",
    location: "位置", contact: "联系人", poll: "投票", dice: "骰子",
    download: "下载 {name}", bot: "机器人", you: "你", unread: "{n} 条未读", opensPage: "会打开新页面",
    joined: "{name} 加入了", left: "{name} 离开了", topicMade: "已创建话题“{name}”", pinned: "置顶了一条消息",
    becameSupergroup: "群组已升级为超级群组", spoiler: "显示隐藏内容", service: "服务消息",
    clip_beach: "🏖 海滩，6 秒", clip_phone: "📱 街景，竖屏", clip_photo: "🖼 照片", clip_music: "🎵 音乐，10 秒",
    clip_voice: "🎤 语音消息", clip_prompt: "📄 写在文本文件里的要求", clip_large: "🐘 25 MB 的视频",
    clip_broken: "💥 不是视频的文件",
  },
};

const KEPT = "nemovideo-sandbox-language";

export let language = localStorage.getItem(KEPT) ?? (navigator.language.startsWith("zh") ? "zh" : "en");

/** Add texts of another module: {en: {…}, zh: {…}}. */
export function addWords(words) {
  for (const code of Object.keys(WORDS)) Object.assign(WORDS[code], words[code]);
}

export function t(key, values = {}) {
  const text = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function setLanguage(code) {
  language = code;
  localStorage.setItem(KEPT, code);
  applyWords();
}

/** Set the texts that the page's HTML refers to. */
export function applyWords() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
}

export const timeOf = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", hour12: false });
