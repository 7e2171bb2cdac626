// The side panel: switches of both services, the bot's jobs, requests to the services, and charges.

import { getJson, nemo } from "./api.js";
import { prefill } from "./composer.js";
import { $, el, toast } from "./dom.js";
import { state, titleOf } from "./store.js";
import { NEMO, NEXT_MESSAGE, TELEGRAM, rememberFirst, reset } from "./switches.js";
import { addWords, t } from "./words.js";

addWords({
  en: {
    jobs: "Jobs", noJobs: "No requests yet.", accounts: "Accounts", charged: "Charged: {n} credits",
    renders: "Renders", messagesSent: "Messages to the AI editor", calls: "Calls to Telegram", uploads: "Files uploaded: {n}",
    credits: "{n} credits", give: "+{n}", giveTo: "Give {n} credits to {id}", tryLogin: "Try /login", noRender: "can't export", expired: "expired", waitingScripts: "Set for the next message: {n}",
    nothing: "Nothing yet.", set: "Set",
    st_queued: "queued", st_running: "running", st_done: "done", st_failed: "failed", st_cancelled: "cancelled",
    st_pending: "queued", st_processing: "running", st_completed: "done", st_ok: "done", st_error: "refused",
    st_dropped: "interrupted", st_lost: "answer lost", done: "Done",
    k_edit: "edit", k_export: "export", k_new: "new project", k_credits: "credits", k_status: "status", k_link: "link",
    k_login: "log in", k_logout: "log out", k_delete_token: "delete a token", k_skill: "skills", k_settings: "settings", k_cancel: "cancel", k_message: "answer", k_extract: "convert", k_post: "post", k_offer_variations: "offer versions", k_variations: "3 versions",
    k_open_project: "open project", k_compare: "compare", k_forget: "erase", k_watch_upload: "watch upload", k_stats: "statistics",
    k_announce: "announce", k_brand: "brand", k_private_answer: "private answer",
  },
  zh: {
    jobs: "任务", noJobs: "还没有任务。", accounts: "账号", charged: "已扣除 {n} 积分",
    renders: "渲染", messagesSent: "发给 AI 剪辑师的消息", calls: "Telegram 调用", uploads: "已上传文件：{n}",
    credits: "{n} 积分", give: "+{n}", giveTo: "给 {id} 增加 {n} 积分", tryLogin: "试试 /login", noRender: "无法导出", expired: "已过期", waitingScripts: "将用于下一条消息：{n}",
    nothing: "暂无。", set: "设置",
    st_queued: "排队中", st_running: "进行中", st_done: "完成", st_failed: "失败", st_cancelled: "已取消",
    st_pending: "排队中", st_processing: "进行中", st_completed: "完成", st_ok: "完成", st_error: "被拒绝",
    st_dropped: "中断", st_lost: "回应丢失", done: "已设置",
    k_edit: "剪辑", k_export: "导出", k_new: "新项目", k_credits: "积分", k_status: "进度", k_link: "链接",
    k_login: "登录", k_logout: "退出登录", k_delete_token: "删除令牌", k_skill: "技能", k_settings: "设置", k_cancel: "取消", k_message: "回复", k_extract: "转换", k_post: "发布", k_offer_variations: "询问版本", k_variations: "三个版本",
    k_open_project: "打开项目", k_compare: "对比", k_forget: "清除数据", k_watch_upload: "等待上传", k_stats: "统计",
    k_announce: "公告", k_brand: "品牌", k_private_answer: "私聊回答",
  },
});

const GIVEN_CREDITS = 1000;

let schema = null;
let changes = Promise.resolve();
const parts = {}; // the nodes that are updated

export async function setUpPanel() {
  $("panel-toggle").addEventListener("click", () => show($("panel").hidden));
  $("panel").addEventListener("keydown", (event) => { if (event.key === "Escape") { show(false); $("panel-toggle").focus(); } });
  schema = await getJson("schema");
}

function show(isShown) {
  $("panel").hidden = !isShown;
  $("panel-toggle").setAttribute("aria-expanded", String(isShown));
  document.body.classList.toggle("with-panel", isShown);
  parts.language = null;
  if (isShown) { drawPanel(); $("panel").querySelector("button").focus(); }
}

/** Run changes one after the other and refresh the panel after each. */
function change(run) {
  changes = changes.then(async () => {
    try {
      await run();
      state.panel = await getJson("panel");
      drawPanel();
    } catch (error) {
      toast(t("failed", { why: error.message }));
    }
  });
}

/** Draw what changed, but keep the switches, so that they keep the keyboard focus. */
export function drawPanel() {
  const panel = state.panel;
  if (!panel) return;
  rememberFirst(panel.settings);
  if ($("panel").hidden) return;
  if (parts.language !== document.documentElement.lang) build();
  for (const [one, box] of parts.boxes) {
    box.checked = one.isOn(panel);
    box.disabled = one.fits?.() === false;
  }
  parts.scripts.textContent = panel.scripts ? t("waitingScripts", { n: panel.scripts }) : "";
  for (const [name, row] of Object.entries(rows(panel))) fill(parts[name], row);
  parts.charged.textContent = t("charged", { n: panel.charged });
  parts.uploads.textContent = t("uploads", { n: panel.uploads });
  drawSettings(panel.settings);
}

function rows(panel) {
  return {
    jobs: panel.jobs.map((job) => line(
      [nameOf(job.chat), job.text].filter(Boolean).join(": "), job.state,
      [kindWord(job.kind), job.attempt > 1 && `×${job.attempt}`, job.files && `📎 ${job.files}`])),
    accounts: panel.accounts.map((account) => ({
      ...line(account.id, "", [
        t("credits", { n: account.credits }), !account.may_render && t("noRender"), account.expired && t("expired")]),
      buttons: accountButtons(account),
    })),
    renders: [...panel.renders].reverse().map((render) => line(
      render.error || `${render.progress} %`, render.status, [render.id.slice(0, 8)])),
    sent: [...panel.messages].reverse().map((message) => line(message.text, message.ended ? "done" : "running", [])),
    calls: [...panel.calls].reverse().map((call) => line(
      call.method, call.state, [call.error?.description])),
  };
}

const nameOf = (chatId) => (state.chats.has(chatId) ? titleOf(state.chats.get(chatId)) : String(chatId));

const kindWord = (kind) => {
  const word = t(`k_${kind}`);
  return word.startsWith("k_") ? kind : word;
};

/** Return the buttons of an account: one gives credits, one tries the token of a registered account. */
function accountButtons(account) {
  const credits = account.credits + GIVEN_CREDITS;
  return [
    {
      text: t("give", { n: GIVEN_CREDITS }),
      label: t("giveTo", { n: GIVEN_CREDITS, id: account.id }),
      run: () => change(() => nemo("PATCH", `accounts/${account.id}`, { credits })),
    },
    account.token && { text: t("tryLogin"), run: () => { show(false); prefill(`/login ${account.token}`); } },
  ].filter(Boolean);
}

const line = (text, status, more) => ({ text, status, more: more.filter(Boolean).join(" · ") });

function fill(list, lines) {
  const mark = JSON.stringify(lines);
  if (list.dataset.mark === mark) return;
  list.dataset.mark = mark;
  list.replaceChildren(...(lines.length ? lines : [line(t("nothing"), "", [])]).map((one) => el("li", {},
    el("span", { class: "what" }, one.text),
    el("span", { class: "more-words" }, one.more),
    (one.buttons ?? []).map((button) => el("button", { type: "button", "aria-label": button.label, onclick: button.run }, button.text)),
    one.status && el("span", { class: `status ${one.status}` }, t(`st_${one.status}`)))));
}

function build() {
  parts.language = document.documentElement.lang;
  parts.boxes = [];
  for (const name of ["jobs", "accounts", "renders", "sent", "calls"]) parts[name] = el("ul", { class: "lines", tabIndex: 0 });
  for (const name of ["scripts", "charged", "uploads"]) parts[name] = el("p", { class: "figure" });
  parts.settings = el("div", { class: "settings" });
  parts.inputs = null;
  $("panel").replaceChildren(
    el("header", { class: "bar" }, el("h2", {}, t("behaviour")),
      el("button", { type: "button", onclick: () => change(reset) }, t("asItWas")),
      el("button", { type: "button", class: "icon", "aria-label": t("close"), onclick: () => { show(false); $("panel-toggle").focus(); } }, "✕")),
    el("div", { class: "sections" },
      section("jobs", parts.jobs),
      section("nemoSwitches", switches(NEMO)),
      section("nextMessage", switches(NEXT_MESSAGE), parts.scripts),
      section("telegramSwitches", switches(TELEGRAM)),
      section("accounts", parts.charged, parts.uploads, parts.accounts),
      section("renders", parts.renders),
      section("messagesSent", parts.sent),
      section("calls", parts.calls),
      el("details", {}, el("summary", {}, t("everySwitch")), parts.settings)));
}

const section = (name, ...content) => el("section", { "aria-label": t(name) }, el("h3", {}, t(name)), ...content);

function switches(table) {
  return el("div", { class: "switches" }, table.map((one) => {
    const label = t(`s_${one.id}`);
    if (!one.set) {
      return el("button", {
        type: "button",
        "data-switch": one.id,
        onclick: () => change(async () => { await one.run(); toast(`${t("done")}: ${label}`); }),
      }, label);
    }
    const box = el("input", { type: "checkbox", role: "switch", "data-switch": one.id });
    box.addEventListener("change", () => {
      const wanted = box.checked; // the box may be drawn again before the change runs
      change(() => one.set(wanted));
    });
    parts.boxes.push([one, box]);
    return el("label", {}, box, el("span", {}, label));
  }));
}

/** Build a form of all settings from their schema: checkboxes, choices and fields. */
function drawSettings(now) {
  if (!schema) return;
  if (!parts.inputs) {
    parts.inputs = new Map();
    const of = (properties, path) => Object.entries(properties).flatMap(([name, kind]) => {
      const at = [...path, name];
      return kind.$ref ? of(schema.$defs.Pace.properties, at) : [field(at, kind)];
    });
    parts.settings.replaceChildren(...of(schema.properties, []));
  }
  for (const [path, input] of parts.inputs) {
    if (input === document.activeElement) continue;
    const value = path.split(".").reduce((part, name) => part[name], now);
    if (input.type === "checkbox") input.checked = value;
    else input.value = value ?? "";
  }
}

function field(at, kind) {
  const path = at.join(".");
  const types = kind.anyOf?.map((one) => one.type) ?? [kind.type];
  const isNumber = types.some((type) => type === "integer" || type === "number");
  const input = kind.enum
    ? el("select", {}, kind.enum.map((one) => el("option", { value: one }, one)))
    : el("input", { type: kind.type === "boolean" ? "checkbox" : isNumber ? "number" : "text", step: "any" });
  input.addEventListener("change", () => {
    const value = input.type === "checkbox" ? input.checked
      : input.value === "" && types.includes("null") ? null : isNumber ? Number(input.value) : input.value;
    change(() => nemo("PATCH", "settings", at.reduceRight((inner, name) => ({ [name]: inner }), value)));
  });
  parts.inputs.set(path, input);
  return el("label", {}, el("code", {}, path), input);
}
