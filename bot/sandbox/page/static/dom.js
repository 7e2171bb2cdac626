// Build the page's nodes. What people write becomes text nodes and nothing else.

export const $ = (id) => document.getElementById(id);

/** Create an element with properties and children: nodes, texts, or nothing. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Name a node by what it shows, so that `settle` can keep it. */
export function marked(mark, node) {
  if (node) node.mark = mark;
  return node;
}

/**
 * Give a node the children of another. Children with the same mark stay, so that a video plays on and a button
 * isn't replaced while it is pressed.
 */
export function settle(parent, made) {
  const old = new Map([...parent.children].filter((child) => child.mark).map((child) => [child.mark, child]));
  const wanted = [...made.childNodes].map((child) => old.get(child.mark) ?? child);
  for (const child of [...parent.childNodes]) if (!wanted.includes(child)) child.remove();
  let at = parent.firstChild;
  for (const child of wanted) {
    if (child === at) at = at.nextSibling;
    else parent.insertBefore(child, at);
  }
}

/** Return a URL that may be opened, or nothing: only schemes that are links in Telegram. */
export function safeLink(address) {
  try {
    const url = new URL(address.includes(":") ? address : `https://${address}`);
    return ["http:", "https:", "mailto:", "tel:", "tg:"].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

let toastTimer;

export function toast(text) {
  const box = $("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, 4000);
}

/** Announce a text to screen readers. */
export function say(text) {
  const box = $("said");
  box.append(el("p", {}, text));
  while (box.children.length > 5) box.firstChild.remove();
}

/** A dialog that closes by Escape, by its buttons and by a click beside it. */
export function showDialog(label, ...content) {
  const dialog = $("dialog");
  dialog.setAttribute("aria-label", label);
  dialog.replaceChildren(...content);
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  dialog.showModal();
  return dialog;
}

/** A menu below a button; items are {text, run}. */
export function showMenu(button, items) {
  const menu = $("menu");
  const close = (back = true) => {
    menu.hidden = true;
    menu.replaceChildren();
    document.removeEventListener("pointerdown", outside, true);
    button.setAttribute("aria-expanded", "false");
    if (back) button.focus();
  };
  const outside = (event) => { if (!menu.contains(event.target)) close(false); };
  menu.replaceChildren(...items.map(({ text, run }) =>
    el("button", { type: "button", role: "menuitem", onclick: () => { close(); run(); } }, text)));
  menu.onkeydown = (event) => {
    const at = [...menu.children].indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) menu.children[(at + step + items.length) % items.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  menu.hidden = false;
  const place = button.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(place.left, innerWidth - width - 8))}px`;
  const below = place.bottom + height + 8 < innerHeight;
  menu.style.top = `${Math.max(8, below ? place.bottom + 4 : place.top - height - 4)}px`;
  button.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside, true);
  menu.firstChild.focus();
}
