// The page's only script. It fetches the regions of the screen whenever the server announces a change, replaces what
// differs, and sends presses, commands and forms to the server. All HTML comes from the server.
const app = document.getElementById("app");
const at = (id) => document.getElementById(id);
const REGIONS = ["alarm", "sidebar", "head", "hints", "log", "thread-log", "modal-body"];

// The page's own words, in the language of its reader.
const own = (words) => JSON.parse(app.dataset.words)[words];

// --- the address -------------------------------------------------------------------------------------------------

document.cookie = `zone=${Intl.DateTimeFormat().resolvedOptions().timeZone};path=/;samesite=strict`;

function address() {
  return `/fragment${location.pathname}${location.search}`;
}

function go(href) {
  history.pushState(null, "", href);
  document.body.classList.remove("drawer-is-open");
  refresh(true);
}

addEventListener("popstate", () => refresh(true));

// --- replacing what differs ----------------------------------------------------------------------------------------

const atBottom = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 60;

// What the server sent last, per element. The element itself may differ by what people did to it (open, typed, chosen).
const sent = new WeakMap();

function fill(region, html, fresh) {
  if (sent.get(region) === html) return;
  sent.set(region, html);
  const next = document.createElement("template");
  next.innerHTML = html;
  const wanted = [...next.content.childNodes];
  if (fresh || !wanted.some((node) => node.dataset?.key)) return swapAll(region, wanted);
  const known = new Map([...region.children].map((node) => [node.dataset.key, node]));
  const final = wanted.map((node) => {
    const old = known.get(node.dataset?.key);
    if (old) return renew(old, node);
    source(node);
    node.classList?.add("arrived");
    return node;
  });
  for (const node of [...region.childNodes]) if (!final.includes(node)) node.remove();
  final.forEach((node, index) => region.childNodes[index] === node || region.insertBefore(node, region.childNodes[index] ?? null));
}

function renew(old, node) {
  const html = source(node);
  if (source(old) === html) return old;
  if (old.querySelector("[data-input]")) return renewForm(old, node, html);
  const edited = old.dataset.edits !== node.dataset.edits;
  carry(old, node);
  const focused = focusIn(old);
  old.replaceWith(node);
  sent.set(node, html);
  if (edited) node.classList.add("flash");
  if (focused) node.querySelector(focused)?.focus();
  return node;
}

// A form is replaced block by block, so that text typed into unchanged blocks stays.
function renewForm(old, node, html) {
  sent.set(old, html);
  fill(old, node.innerHTML, false);
  return old;
}

function source(node) {
  if (!sent.has(node)) sent.set(node, node.outerHTML);
  return sent.get(node);
}

function swapAll(region, nodes) {
  carry(region, { querySelectorAll: () => nodes.flatMap((n) => n.querySelectorAll ? [n, ...n.querySelectorAll("details")] : []).filter((n) => n.matches("details")) });
  const focused = focusIn(region);
  for (const node of nodes) if (node.dataset?.key) source(node);
  region.replaceChildren(...nodes);
  if (focused) region.querySelector(focused)?.focus();
}

function carry(old, next) {
  const before = new Map([...old.querySelectorAll("details[data-keep]")].map((one) => [one.dataset.keep, one.open]));
  for (const one of next.querySelectorAll("details")) if (before.has(one.dataset.keep)) one.open = before.get(one.dataset.keep);
}

function focusIn(box) {
  const one = document.activeElement;
  if (!one || !box.contains(one) || one === box) return null;
  if (one.dataset.focus) return `[data-focus="${CSS.escape(one.dataset.focus)}"]`;
  return one.id ? `#${CSS.escape(one.id)}` : one.getAttribute("href") ? `a[href="${CSS.escape(one.getAttribute("href"))}"]` : null;
}

// --- updates from the server -------------------------------------------------------------------------------------------

let isFetching = false;
let again = false;
let moved = false;
let unread = app.dataset.unread; // opening the page has marked it as read, so the first answer does not know it any more

async function refresh(fresh = false) {
  moved ||= fresh;
  if (isFetching) { again = true; return; }
  isFetching = true;
  do {
    again = false;
    const isNew = moved;
    moved = false;
    try {
      const answer = await fetch(address(), { headers: { "x-seen": document.hidden ? "0" : "1" } });
      if (answer.ok) show(await answer.json(), isNew);
    } catch { lost(true); }
  } while (again || moved);
  isFetching = false;
}

function show(screen, isNew) {
  const thread = at("thread");
  const movedThread = app.dataset.thread !== screen.state["data-thread"];
  const scrolls = [at("log"), at("thread-log")].map((box) => [box, box.scrollTop, atBottom(box)]);
  document.title = screen.title;
  for (const [name, value] of Object.entries(screen.state)) app.setAttribute(name, value);
  for (const id of REGIONS) fill(at(id), screen.regions[id], isNew && id.endsWith("log"));
  thread.hidden = !screen.state["data-thread"];
  const say = at("say");
  say.placeholder = screen.state["data-say"];
  say.setAttribute("aria-label", screen.state["data-say"]);
  say.form.hidden = screen.state["data-tab"] === "home";
  for (const [box, top, wasLow] of scrolls) {
    const low = wasLow || (isNew && box.id === "log") || (movedThread && box.id === "thread-log");
    box.scrollTop = low && screen.state["data-tab"] !== "home" ? box.scrollHeight : top;
  }
  if (isNew) {
    const first = unread || screen.state["data-unread"];
    unread = "";
    if (first) at("log").querySelector(`[data-key="${CSS.escape(first)}"]`)?.scrollIntoView();
  }
  dialog(screen.state["data-modal"]);
}

function dialog(view) {
  const modal = at("modal");
  if (view && !modal.open) {
    modal.showModal();
    (modal.querySelector("[autofocus]") ?? modal.querySelector("[data-input] :is(input, textarea, select)"))?.focus();
  }
  if (!view && modal.open) modal.close();
  modal.setAttribute("aria-labelledby", "modal-title");
}

function lost(yes) {
  if (yes) toast(own("The sandbox has stopped: this page is no longer updated."), 0);
  else if (at("toast").dataset.lost) at("toast").replaceChildren();
  at("toast").dataset.lost = yes ? "1" : "";
}

const stream = new EventSource("/events");
stream.onmessage = (event) => { lost(false); if (event.data !== app.dataset.version) refresh(); };
stream.onerror = () => lost(true);
setInterval(() => refresh(), 30000); // "3 minutes ago" changes without an event
addEventListener("visibilitychange", () => document.hidden || refresh());
addEventListener("pagehide", () => stream.close());

// --- requests to the server --------------------------------------------------------------------------------------------------

let toastTimer = 0;

function toast(words, milliseconds = 6000) {
  clearTimeout(toastTimer);
  at("toast").textContent = words;
  if (milliseconds) toastTimer = setTimeout(() => at("toast").replaceChildren(), milliseconds);
}

async function send(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ me: app.dataset.me, channel: app.dataset.channel, ...body }),
    });
    const result = await answer.json();
    if (result.error) toast(result.error);
    if (result.version !== app.dataset.version) refresh();
    return result;
  } catch {
    lost(true);
    return {};
  }
}

function container(node) {
  const view = node.closest("[data-view]");
  const message = node.closest("[data-key][data-channel]");
  if (view) return { view: view.dataset.view };
  if (node.closest("[data-home]")) return { home: true };
  return { channel: message?.dataset.channel, ts: message?.dataset.ts, ephemeral: message?.dataset.ephemeral };
}

async function press(node, value) {
  const confirm = node.dataset.confirm && JSON.parse(node.dataset.confirm);
  if (confirm && !(await sure(confirm))) return;
  node.setAttribute("aria-busy", "true");
  const block = node.closest("[data-block-id]")?.dataset.blockId;
  await send("/press", { ...container(node), action_id: node.dataset.actionId, block_id: block, value });
  node.removeAttribute("aria-busy");
}

function sure(confirm) {
  const box = at("confirm");
  const make = (name, words, look) => Object.assign(document.createElement(name), { textContent: words, className: look ?? "" });
  const row = make("div", "");
  const title = Object.assign(make("h2", confirm.title || own("Are you sure?")), { id: "confirm-title" });
  const no = make("button", confirm.deny || own("Cancel"), "button button-default");
  const yes = make("button", confirm.confirm || own("Yes"), `button button-${confirm.style}`);
  row.append(no, yes);
  box.replaceChildren(title, make("p", confirm.text), row);
  box.setAttribute("aria-labelledby", "confirm-title");
  box.showModal();
  return new Promise((resolve) => {
    box.onclose = () => resolve(box.returnValue === "yes");
    box.returnValue = "";
    no.onclick = () => box.close("no");
    yes.onclick = () => box.close("yes");
  });
}

function values(form) {
  return [...form.querySelectorAll("[data-input]")].map((one) => {
    const field = one.querySelector("select, textarea, input");
    const ticked = [...one.querySelectorAll("input:checked")].map((tick) => tick.value);
    const several = field?.multiple ? [...field.selectedOptions].map((option) => option.value) : null;
    const block = one.closest("[data-block-id]").dataset.blockId;
    const value = one.querySelector(".ticks") ? ticked : several ?? field?.value ?? "";
    return { block_id: block, action_id: one.dataset.input, type: one.dataset.kind, value, required: "required" in one.dataset };
  });
}

async function submit(form) {
  const given = values(form);
  const missing = given.filter((one) => one.required && !one.value.length);
  const result = missing.length
    ? { errors: Object.fromEntries(missing.map((one) => [one.block_id, own("Please complete this required field.")])) }
    : await send("/submit", { view: form.querySelector("[data-view]").dataset.view, values: given });
  for (const block of form.querySelectorAll("[data-block-id]")) {
    const complaint = block.querySelector(".complaint");
    if (complaint) complaint.textContent = result.errors?.[block.dataset.blockId] ?? "";
  }
}

const closeModal = () => send("/close", { view: at("modal").querySelector("[data-view]")?.dataset.view });

function closeThread() {
  const here = new URL(location.href);
  here.searchParams.delete("thread");
  go(here.pathname + here.search);
  at("say").focus();
}

// --- input ----------------------------------------------------------------------------------------------------------

function grow(box) {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

// Like Slack's menus: one at a time, closed by a press elsewhere or Escape, above its button where there is no room below.
function closeMenus(but) {
  for (const menu of document.querySelectorAll("details.overflow[open]")) if (menu !== but) menu.open = false;
}

addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!menu.matches?.("details.overflow") || !menu.open) return;
  closeMenus(menu);
  const list = menu.querySelector(".overflow-menu");
  const room = (menu.closest("#log, #thread-log, .modal-blocks") ?? document.documentElement).getBoundingClientRect();
  list.classList.remove("above", "leftwards");
  list.classList.toggle("above", list.getBoundingClientRect().bottom > room.bottom);
  list.classList.toggle("leftwards", list.getBoundingClientRect().right > room.right);
}, true);

addEventListener("click", (event) => {
  const on = (selector) => event.target.closest?.(selector);
  closeMenus(on("details.overflow"));
  const plain = !(event.ctrlKey || event.metaKey || event.shiftKey);
  let node;
  if ((node = on("a[data-nav]")) && plain) { event.preventDefault(); go(node.getAttribute("href")); }
  else if ((node = on("[data-fill]"))) { at("say").value = node.dataset.fill; grow(at("say")); at("say").focus(); }
  else if ((node = on("[data-shortcut]"))) send("/shortcut", { callback_id: node.dataset.shortcut, ts: node.dataset.ts, channel: node.closest("[data-channel]")?.dataset.channel ?? app.dataset.channel });
  else if ((node = on("[data-stage]"))) send("/stage", { stage: node.dataset.stage });
  else if ((node = on("[data-dismiss]"))) send("/dismiss", { ephemeral: node.dataset.dismiss });
  else if (on("[data-close-thread]")) closeThread();
  else if (on("[data-close-modal]")) closeModal();
  else if ((node = on("[data-drawer]"))) drawer(node.dataset.drawer === "open");
  else if ((node = on("button[data-act], a[data-act]"))) { press(node, node.dataset.value); node.closest("details.overflow")?.removeAttribute("open"); }
  else if (document.body.classList.contains("drawer-is-open") && !on("#drawer")) drawer(false);
});

function drawer(open) {
  document.body.classList.toggle("drawer-is-open", open);
  (open ? at("drawer").querySelector("a, button, select") : document.querySelector("[data-drawer=open]"))?.focus();
}

addEventListener("change", (event) => {
  const node = event.target;
  if (node.id === "me") { location.href = `/?me=${encodeURIComponent(node.value)}`; return; }
  const act = node.closest("[data-act]");
  if (!act || node.closest("[data-input]")) return;
  const ticked = [...act.querySelectorAll("input:checked")].map((one) => one.value);
  press(act, act.matches("select") ? node.value : ticked.join(","));
});

addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.id === "modal-body") { submit(form); return; }
  const box = form.elements.text;
  const words = box.value.trim();
  if (!words) return;
  box.value = "";
  grow(box);
  const thread = form.dataset.composer === "reply" ? app.dataset.thread : "";
  send(words.startsWith("/") && !thread ? "/command" : "/say", { text: words, thread });
});

addEventListener("input", (event) => event.target.matches(".composer textarea") && grow(event.target));

addEventListener("keydown", (event) => {
  if (event.target.matches?.(".composer textarea") && event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  const menu = document.querySelector("details.overflow[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  else if (document.body.classList.contains("drawer-is-open")) drawer(false);
  else if (!at("thread").hidden) closeThread();
});

at("modal").addEventListener("cancel", (event) => { event.preventDefault(); closeModal(); });

// --- start ----------------------------------------------------------------------------------------------------------

refresh(true);
