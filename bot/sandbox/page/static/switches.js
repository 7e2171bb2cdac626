// The switches, each with its label in both languages and the requests that it sends.

import { nemo, telegram } from "./api.js";
import { openChat, speaker, state } from "./store.js";
import { addWords } from "./words.js";

addWords({
  en: {
    nemoSwitches: "NemoVideo", telegramSwitches: "Telegram", nextMessage: "On the next message",
    s_slowAgent: "Edits take a minute", s_slowRender: "Renders take a minute", s_slowUpload: "Uploads take half a minute",
    s_noCredits: "Nobody has credits left", s_noExport: "The plan has no export", s_rendersFail: "Every render fails",
    s_noGuests: "Guest accounts are used up", s_noLink: "The finished video's link is dead", s_small: "Files over 100 kB are refused",
    s_down: "The service is down (503)",
    s_cutBefore: "The connection breaks before the edit", s_cutAfter: "The connection breaks after the edit",
    s_silent: "The AI editor edits without a word", s_stages: "It adds extras nobody asked for", s_issue: "It mentions a “temporary issue”",
    s_screen: "It mentions buttons and panels", s_busy: "Too many requests (429)", s_failure: "The AI editor fails",
    s_quiet: "It stays silent for 20 seconds", s_forget: "Lose every project", s_expire: "Let all tokens expire",
    s_flood: "Refuse the next 3 sends (429)", s_gateway: "Fail the next 3 calls (502)", s_lost: "Lose the answer to the next send",
    s_slowFiles: "Files download slowly (60 kB/s)", s_cutFile: "Cut off the next file", s_noFlood: "No rate limits",
    s_block: "This person blocks the bot", s_out: "The bot isn't in this group", s_admin: "The bot is an admin of this group", asItWas: "Reset all", once: "once", everySwitch: "All NemoVideo settings",
  },
  zh: {
    nemoSwitches: "NemoVideo", telegramSwitches: "Telegram", nextMessage: "下一条消息",
    s_slowAgent: "剪辑需要一分钟", s_slowRender: "渲染需要一分钟", s_slowUpload: "上传需要半分钟",
    s_noCredits: "所有账号积分为零", s_noExport: "套餐不含导出", s_rendersFail: "每次渲染都失败",
    s_noGuests: "游客账号已用完", s_noLink: "成片链接失效", s_small: "拒收超过 100 kB 的文件",
    s_down: "服务不可用（503）",
    s_cutBefore: "剪辑前连接中断", s_cutAfter: "剪辑后连接中断",
    s_silent: "AI 剪辑师只改不说", s_stages: "顺手加了没要求的内容", s_issue: "提到“临时问题”",
    s_screen: "提到按钮和面板", s_busy: "请求过于频繁（429）", s_failure: "AI 剪辑师出错",
    s_quiet: "沉默 20 秒", s_forget: "忘掉所有项目", s_expire: "所有令牌过期",
    s_flood: "拒绝接下来 3 次发送（429）", s_gateway: "接下来 3 次调用失败（502）", s_lost: "丢失下一次发送的回应",
    s_slowFiles: "文件下载很慢（60 kB/s）", s_cutFile: "下一个文件中途断开", s_noFlood: "不限制发送频率",
    s_block: "当前用户拉黑机器人", s_out: "机器人不在这个群里", s_admin: "机器人是这个群的管理员", asItWas: "全部重置", once: "一次", everySwitch: "NemoVideo 全部设置",
  },
});

let first = null; // the settings when the page was opened, or after a reset

const setting = (changes) => nemo("PATCH", "settings", changes);
const script = (steps) => nemo("POST", "scripts", { steps });
const fault = (values) => telegram("fault", values);
const REGISTERED_CREDITS = 1000;

/** Change all accounts; `change` returns the values for one. */
const onAccounts = (change) =>
  Promise.all(state.panel.accounts.map((account) => nemo("PATCH", `accounts/${account.id}`, change(account))));
const usual = (account) => ({
  credits: account.plan === "anonymous" ? first.anonymous_credits : REGISTERED_CREDITS,
  may_render: account.plan !== "free",
});

/** Return a switch of NemoVideo's settings: on with these values, off with the first ones. */
function ofSettings(id, on, isOn) {
  const back = () => Object.fromEntries(Object.keys(on).map((name) => [
    name, name === "pace" ? Object.fromEntries(Object.keys(on.pace).map((part) => [part, first.pace[part]])) : first[name],
  ]));
  return { id, isOn: (panel) => isOn(panel.settings), set: (wanted) => setting(wanted ? on : back()) };
}

const faultOn = (panel, action) => panel.telegram_faults.find((one) => one.action === action && one.times === null);

export const NEMO = [
  ofSettings("slowAgent", { pace: { edit_s: 60, generate_s: 60 } }, (now) => now.pace.edit_s >= 60),
  ofSettings("slowRender", { pace: { render_s: 60 } }, (now) => now.pace.render_s >= 60),
  ofSettings("slowUpload", { pace: { upload_s: 30 } }, (now) => now.pace.upload_s >= 30),
  {
    id: "noCredits",
    isOn: (panel) => panel.settings.anonymous_credits === 0,
    set: async (wanted) => {
      await setting({ anonymous_credits: wanted ? 0 : first.anonymous_credits });
      await onAccounts((account) => ({ credits: wanted ? 0 : usual(account).credits }));
    },
  },
  {
    id: "noExport",
    isOn: (panel) => !panel.settings.anonymous_may_render,
    set: async (wanted) => {
      await setting({ anonymous_may_render: !wanted });
      await onAccounts((account) => ({ may_render: !wanted && usual(account).may_render }));
    },
  },
  ofSettings("rendersFail", { render_fails: -1 }, (now) => now.render_fails === -1),
  ofSettings("noLink", { media_missing: true }, (now) => now.media_missing),
  ofSettings("noGuests", { anonymous_per_address: 0 }, (now) => now.anonymous_per_address === 0),
  ofSettings("small", { upload_limit_bytes: 100000 }, (now) => now.upload_limit_bytes === 100000),
  {
    id: "down",
    isOn: (panel) => panel.nemo_faults.some((one) => one.times < 0),
    set: async (wanted) => {
      if (!wanted) return nemo("DELETE", "faults");
      const endpoints = ["anonymous-token", "session", "message", "upload", "credits", "state", "render", "render-status"];
      return Promise.all(endpoints.map((endpoint) => nemo("POST", "faults", { endpoint, status: 503, times: -1 })));
    },
  },
];

export const NEXT_MESSAGE = [
  { id: "cutBefore", run: () => script([{ thought: "Let me think" }, { cut: true }]) },
  { id: "cutAfter", run: () => script([{ thought: "Let me think" }, { cut: true }, { wait_s: 2 }, { agent: true }]) },
  { id: "silent", run: () => nemo("POST", "scripts", { script: "silent_edit", args: { prompt: "add calm music" } }) },
  { id: "stages", run: () => nemo("POST", "scripts", { script: "two_stages", args: { prompt: "make a 3 second video of a cat" } }) },
  { id: "issue", run: () => nemo("POST", "scripts", { script: "trailing_issue" }) },
  {
    id: "screen",
    run: () => nemo("POST", "scripts", { script: "screen_talk", args: { language: openChat()?.language ?? "en" } }),
  },
  { id: "failure", run: () => nemo("POST", "scripts", { script: "agent_failure" }) },
  { id: "busy", run: () => nemo("POST", "faults", { endpoint: "message", status: 429 }) },
  { id: "quiet", run: () => script([{ wait_s: 20 }, { agent: true }]) },
  {
    id: "forget",
    run: () => Promise.all(state.panel.sessions.map((id) => nemo("DELETE", `sessions/${encodeURIComponent(id)}`))),
  },
  { id: "expire", run: () => onAccounts(() => ({ expired: true })) },
];

const inGroup = () => openChat() !== undefined && openChat().type !== "private" && openChat().type !== "channel";

const makeBot = (status) =>
  telegram("set_member", { chat: state.chat, user: speaker(), member: state.bot.id, status });

const SENDS = ["sendMessage", "sendVideo", "sendPhoto", "sendDocument", "sendMediaGroup"];
const tooMany = { error_code: 429, description: "Too Many Requests: retry after 5", retry_after: 5 };

export const TELEGRAM = [
  { id: "flood", run: () => fault({ methods: SENDS, action: "error", times: 3, ...tooMany }) },
  { id: "gateway", run: () => fault({ action: "error", times: 3, error_code: 502, description: "Bad Gateway" }) },
  { id: "lost", run: () => fault({ methods: SENDS, action: "drop", when: "after" }) },
  { id: "cutFile", run: () => fault({ methods: ["file"], action: "cut", after_bytes: 20000 }) },
  {
    id: "slowFiles",
    isOn: (panel) => Boolean(faultOn(panel, "slow")),
    set: (wanted) => (wanted
      ? fault({ methods: ["file"], action: "slow", bytes_per_s: 60000, times: null })
      : telegram("release", { id: faultOn(state.panel, "slow")?.id })),
  },
  { id: "noFlood", isOn: (panel) => !panel.flood_limits, set: (wanted) => telegram("flood_limits", wanted ? { off: true } : {}) },
  {
    id: "block",
    isOn: () => Boolean(state.chats.get(speaker())?.blocked),
    set: (wanted) => telegram("block", { user: speaker(), blocked: wanted }),
  },
  { id: "out", fits: inGroup, isOn: () => inGroup() && openChat().bot === "left", set: (wanted) => makeBot(wanted ? "left" : "member") },
  {
    id: "admin",
    fits: inGroup,
    isOn: () => inGroup() && openChat().bot === "administrator",
    set: (wanted) => makeBot(wanted ? "administrator" : "member"),
  },
];

export function rememberFirst(settings) {
  first ??= settings;
}

/** Reset everything except the logs of requests and charges. */
export async function reset() {
  await nemo("POST", "reset", {});
  await nemo("DELETE", "scripts");
  await telegram("clear_faults", {});
  await telegram("flood_limits", {});
  first = await nemo("GET", "settings");
  await onAccounts(usual);
}
