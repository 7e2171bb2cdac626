// Requests to the sandbox: people's actions and switches. URLs are relative, because the page's own contains a key.

async function answered(response) {
  const text = await response.text();
  let body;
  try { body = JSON.parse(text); } catch { body = { error: text }; }
  if (!response.ok) throw new Error(body?.error ?? response.statusText);
  return body;
}

/** Run an action of Telegram's stand-in, such as `write` or `press`. */
export async function telegram(action, values) {
  return answered(await fetch(`telegram/${action}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(values),
  }));
}

/** Run an action with a file. */
export async function upload(action, values, file) {
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) if (value) form.append(name, String(value));
  form.append("file", file, file.name);
  return answered(await fetch(`telegram/${action}`, { method: "POST", body: form }));
}

/** Call the control API of NemoVideo's stand-in. */
export async function nemo(method, path, body) {
  return answered(await fetch(`nemo/control/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  }));
}

export const getJson = async (path) => answered(await fetch(path));

export const fileAddress = (fileId) => `file/${encodeURIComponent(fileId)}`;

/** Listen to the event stream, with `handlers` by event name. */
export function listen(handlers, connected) {
  const source = new EventSource("events");
  source.onopen = () => connected(true);
  source.onerror = () => connected(false);
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
}
