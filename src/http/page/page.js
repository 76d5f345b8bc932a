"use strict";
// The page follows /api/export/events and asks for nothing that it isn't asked for. Data reach the document as text only.

const API = "/api/export/";
const DAY = 24 * 60 * 60 * 1000;
// The daemon says something every 15 s at least.
const SILENCE = 40 * 1000;
const RUNS = 30;
const ROWS = 20;

const el = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const format = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

let status = null;
let link = null;
let transitions = [];
let runs = [];
let next = null;
// How far this computer's clock is behind the daemon's, in ms.
let behind = 0;
let samples = [];

// The day isn’t torn from its month.
const clock = (ms) => format.format(ms).replace(" ", "\u00a0");
const now = () => Date.now() + behind;
const count = (n, one, many = `${one}s`) => `${number.format(n)} ${n === 1 ? one : many}`;

function show(id, text) {
  const node = el(id);
  // A text that stays the same isn't read out again.
  if (node.textContent !== text) node.textContent = text;
}

function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return m < 10 && s % 60 ? `${m} min ${s % 60} s` : `${m} min`;
  const h = Math.floor(m / 60);
  if (h < 48) return m % 60 ? `${h} h ${m % 60} min` : `${h} h`;
  return `${Math.floor(h / 24)} days`;
}

function took(ms) {
  if (ms < 100) return "less than 0.1 s";
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : span(ms);
}

function make(name, text, ...classes) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  node.classList.add(...classes);
  return node;
}

function shape(name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// --- Asking -------------------------------------------------------------------------------------------------------

let prompting = null;

function askForToken(again) {
  prompting ??= new Promise((resolve) => {
    const dialog = el("token");
    if (again) show("token-text", "This isn’t the token. It is the one that is configured as http.token.");
    el("token-input").value = "";
    dialog.addEventListener("close", () => {
      const token = el("token-input").value.trim();
      el("token-input").value = "";
      prompting = null;
      if (token) sessionStorage.setItem("token", token);
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return prompting;
}

async function ask(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem("token");
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const response = await fetch(path, { cache: "no-store", ...options, headers });
    const date = Date.parse(response.headers.get("date"));
    if (date) behind = Math.abs(date - Date.now()) < 2000 ? 0 : date - Date.now();
    if (response.status !== 401) return response;
    // Another question may have been answered meanwhile.
    if (sessionStorage.getItem("token") === token) {
      sessionStorage.removeItem("token");
      await askForToken(token !== null);
    }
  }
}

async function data(path, options) {
  const body = await (await ask(API + path, options)).json();
  if (!body.success) throw new Error(`${body.message}: ${body.error}`);
  return body;
}

// --- Following ----------------------------------------------------------------------------------------------------

function connected(yes) {
  const mark = el("live");
  if (mark.dataset.live === (yes ? "yes" : "no")) return;
  mark.dataset.live = yes ? "yes" : "no";
  show("live-text", yes ? "Live" : "Not connected to the daemon");
  document.body.toggleAttribute("data-stale", !yes);
  for (const button of document.querySelectorAll("main button")) button.disabled = !yes;
  const trouble = el("trouble");
  trouble.hidden = yes;
  trouble.textContent = yes ? "" : "Not connected to the daemon. What is shown is what it said last. Trying again …";
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function askOnce() {
  gotStatus((await data("status")).data);
  gotLink((await data("connectivity")).data);
  if (el("live").dataset.live === "yes") return;
  connected(true);
  await refresh();
}

async function follow() {
  let failures = 0;
  for (;;) {
    const abort = new AbortController();
    let silence = setTimeout(() => abort.abort(), SILENCE);
    try {
      const response = await ask(`${API}events`, { signal: abort.signal });
      if (response.status === 503) {
        // As many listen already as may: then this page asks every now and then.
        await askOnce();
        failures = 0;
        await pause(3000);
        continue;
      }
      if (!response.ok) throw new Error(response.statusText);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        clearTimeout(silence);
        silence = setTimeout(() => abort.abort(), SILENCE);
        const parts = (text + value).split("\n\n");
        text = parts.pop();
        parts.forEach(take);
        if (failures > 0 || el("live").dataset.live !== "yes") {
          failures = 0;
          connected(true);
          await refresh();
        }
      }
      // The daemon ends each stream after some minutes.
    } catch {
      failures += 1;
      connected(false);
    } finally {
      clearTimeout(silence);
      abort.abort();
    }
    await pause(Math.min(10_000, 250 * 2 ** failures));
  }
}

function take(part) {
  const field = (name) => part.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const [event, text] = [field("event"), field("data")];
  if (event === "status") gotStatus(JSON.parse(text));
  if (event === "connectivity") gotLink(JSON.parse(text));
}

function gotStatus(told) {
  const before = status;
  status = told;
  if (told.status === "running") {
    if (before?.export_id !== told.export_id) samples = [];
    samples.push([performance.now(), told.processed_records]);
    while (samples.length > 2 && samples.at(-1)[0] - samples[0][0] > 10_000) samples.shift();
  }
  const isNews = before && (before.status !== told.status || before.export_id !== told.export_id);
  drawStatus();
  if (isNews) reload();
}

function gotLink(told) {
  const last = transitions.at(-1);
  if (told.state !== "unknown" && last?.state !== told.state) {
    transitions.push({ since: told.since, state: told.state, reason: told.reason });
  }
  link = told;
  drawLink();
  drawStrip();
}

let reloading = null;

// After a change: soon, and once for many of them.
function reload() {
  reloading ??= setTimeout(() => {
    reloading = null;
    Promise.all([loadRuns(), loadRecords()]).catch(() => {});
  }, 300);
}

async function refresh() {
  const past = data("connectivity/history").then((body) => {
    transitions = body.data.transitions;
    drawStrip();
  });
  await Promise.all([past, loadRuns(), loadRecords()]).catch(() => {});
}

// --- Drawing ------------------------------------------------------------------------------------------------------

const STATES = { online: "Connected", offline: "Can’t be reached", unknown: "Not known yet" };

function drawLink() {
  if (!link) return;
  el("link").dataset.state = link.state;
  show("link-state", STATES[link.state]);
  el("link-why").hidden = link.state !== "offline";
  show("link-detail", link.reason ? `${link.reason}: ${link.detail ?? ""}` : "");
  show("link-hint", link.hint ?? "");
  drawTimes();
}

function drawTimes() {
  if (link) {
    const ago = link.since ? span(now() - Date.parse(link.since)) : "";
    const tries = link.state === "offline" ? `, ${count(link.attempts, "failed attempt")}` : "";
    show("link-since", ago && link.state !== "unknown" ? `for ${ago}${tries}` : "The first attempt is under way.");
    const left = link.next_probe ? Date.parse(link.next_probe) - now() : null;
    const until = left === null ? "" : left > 500 ? `Next try in ${span(left)}` : "Trying now …";
    show("link-next", link.state === "offline" ? until : "");
  }
  if (status) {
    const oldest = status.oldest_pending_time;
    const age = oldest ? `The oldest was first seen ${span(now() - Date.parse(oldest))} ago.` : "";
    show("pending-age", status.pending_records === 0 ? "Nothing waits." : age || " ");
  }
}

const EXPORTS = { idle: "Idle", running: "Running", completed: "Completed", failed: "Broke off" };

function drawStatus() {
  const s = status;
  const isRunning = s.status === "running";
  show("pending", number.format(s.pending_records));
  show("pending-unit", s.pending_records === 1 ? "row" : "rows");
  const waits = s.waiting_for ? `Rows can’t be sent: ${s.waiting_for}` : s.paused ? "Automatic exports are paused." : "";
  el("waiting-for").hidden = !waits;
  show("waiting-for", waits);
  el("pause").hidden = s.paused;
  el("resume").hidden = !s.paused;

  const by = s.trigger === "manual" ? "by hand" : "automatically";
  show("export-state", s.status === "idle" ? "Idle" : `${EXPORTS[s.status]}, started ${by}`);
  el("bar").hidden = !isRunning;
  const part = s.total_records > 0 ? s.processed_records / s.total_records : 0;
  el("bar").setAttribute("aria-valuenow", String(Math.floor(part * 100)));
  el("bar-fill").style.width = `${part * 100}%`;
  const of = `${number.format(s.processed_records)} of ${count(s.total_records, "row")}`;
  show("export-numbers", s.status === "idle" ? "No export is running." : of);
  show("export-pace", isRunning ? pace() : s.error_message ? s.error_message : lasted());
  el("counts").hidden = s.status === "idle";
  show("c-sent", number.format(s.successful_records - s.updated_records));
  show("c-updated", number.format(s.updated_records));
  show("c-duplicates", number.format(s.duplicate_records));
  show("c-rejected", number.format(s.failed_records));
  el("start").hidden = isRunning;
  el("stop").hidden = !isRunning;
  el("reset").hidden = isRunning || s.status === "idle";
  drawTimes();
}

function pace() {
  const [[t0, n0], [t1, n1]] = [samples[0], samples.at(-1)];
  if (t1 - t0 < 500 || n1 <= n0) return " ";
  const rate = ((n1 - n0) * 1000) / (t1 - t0);
  const left = ((status.total_records - n1) * 1000) / rate;
  return `${number.format(rate < 10 ? Number(rate.toFixed(1)) : Math.round(rate))} rows a second, about ${span(left)} left`;
}

function lasted() {
  if (!status.start_time || !status.end_time) return " ";
  const ended = Date.parse(status.end_time);
  return `took ${took(ended - Date.parse(status.start_time))}, ended ${clock(ended)}`;
}

function drawStrip() {
  const [end, begin] = [now(), now() - DAY];
  const strip = el("strip");
  const parts = [];
  const total = { online: 0, offline: 0 };
  let outages = 0;
  transitions.forEach((one, at) => {
    const from = Math.max(begin, Date.parse(one.since));
    const to = at + 1 < transitions.length ? Date.parse(transitions[at + 1].since) : end;
    if (to <= begin || !(one.state in total)) return;
    total[one.state] += to - from;
    outages += one.state === "offline" ? 1 : 0;
    // Told by height, too: what is down doesn't reach the top.
    const low = one.state === "offline";
    const x = ((from - begin) / DAY) * 1440;
    // An outage of a minute is to be seen, too.
    const width = Math.max(4, ((to - from) / DAY) * 1440);
    parts.push(shape("rect", { class: one.state, x: Math.min(x, 1440 - width), width, y: low ? 16 : 0, height: low ? 12 : 28 }));
  });
  strip.replaceChildren(...parts);
  if (parts.length === 0) return;
  const outage = outages === 0 ? "no outage" : `${count(outages, "outage")}, ${span(total.offline)} in all`;
  show("strip-text", `In the last 24 hours: ${outage}; connected for ${span(total.online)}, as far as is known.`);
}

async function loadRuns() {
  runs = (await data(`history?limit=${RUNS}`)).data.exports;
  el("runs-none").hidden = runs.length > 0;
  el("past").hidden = runs.length === 0;
  el("runs-body").replaceChildren(...runs.slice(0, 8).map(runRow));
  drawChart();
}

function runRow(run) {
  const row = make("tr");
  const result = make("td");
  result.append(make("span", EXPORTS[run.status].toLowerCase(), "result", run.status));
  if (run.error_message) result.append(make("span", run.error_message, "sub"));
  const time = run.end_time ? took(Date.parse(run.end_time) - Date.parse(run.start_time)) : "–";
  row.append(
    make("td", clock(Date.parse(run.start_time))),
    result,
    make("td", run.trigger === "manual" ? "by hand" : "automatic", "more"),
    make("td", number.format(run.successful_records), "n"),
    make("td", number.format(run.skipped_records), "n", "more"),
    make("td", number.format(run.failed_records), "n"),
    make("td", time, "n", "more"),
  );
  return row;
}

function drawChart() {
  const chart = el("chart");
  const most = Math.max(1, ...runs.map((run) => run.processed_records));
  const step = 600 / RUNS;
  const bars = [];
  [...runs].reverse().forEach((run, at) => {
    let y = 96;
    const x = (RUNS - runs.length + at) * step + step * 0.15;
    for (const [part, n] of [["sent", run.successful_records], ["skipped", run.skipped_records], ["failed", run.failed_records]]) {
      if (n === 0) continue;
      // What is small is seen all the same.
      const height = Math.max(2, (n / most) * 88);
      y -= height;
      bars.push(shape("rect", { class: part, x, y: Math.max(0, y), width: step * 0.7, height }));
    }
  });
  chart.replaceChildren(...bars);
  chart.setAttribute("aria-label", `Rows of the last ${count(runs.length, "export")}; at most ${count(most, "row")}. The table below tells them.`);
}

const NONE = {
  rejected: "No row is rejected.",
  duplicate: "No row was left out as a duplicate.",
  held: "No row is held: none was taken back.",
};

const outcome = () => document.querySelector("input[name=outcome]:checked").value;

async function loadRecords(more = false) {
  const wanted = outcome();
  const after = more && next ? `&after=${encodeURIComponent(next)}` : "";
  const page = (await data(`records?outcome=${wanted}&limit=${ROWS}${after}`)).data;
  if (wanted !== outcome()) return;
  next = page.next;
  const rows = page.records.map((record) => {
    const row = make("tr");
    const why = make("td", record.reason);
    const of = record.duplicate_of?.$oid ?? (record.duplicate_of ? JSON.stringify(record.duplicate_of) : null);
    if (of) why.append(make("span", `duplicate of ${of}`, "sub"));
    if (record.code !== null) why.append(make("span", `MongoDB’s code ${record.code}`, "sub"));
    row.append(
      make("td", record.key),
      why,
      make("td", number.format(record.attempts), "n", "more"),
      make("td", clock(Date.parse(record.last_at)), "n", "more"),
    );
    return row;
  });
  const body = el("records-body");
  if (more) body.append(...rows);
  else body.replaceChildren(...rows);
  const isEmpty = body.childElementCount === 0;
  el("records").hidden = isEmpty;
  el("records-none").hidden = !isEmpty;
  show("records-none", NONE[wanted]);
  el("retry").hidden = isEmpty || wanted === "duplicate";
  el("more").hidden = !next;
}

// --- Doing --------------------------------------------------------------------------------------------------------

let toasting = null;

function toast(text) {
  show("toast", text);
  el("toast").hidden = false;
  clearTimeout(toasting);
  toasting = setTimeout(() => { el("toast").hidden = true; }, 6000);
}

function confirmed(title, text, ok, withOptions = false) {
  const dialog = el("confirm");
  show("confirm-title", title);
  show("confirm-text", text);
  show("confirm-ok", ok);
  el("start-options").hidden = !withOptions;
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok"), { once: true });
  });
}

function on(id, work) {
  const button = el(id);
  button.addEventListener("click", async () => {
    // Not disabled: who uses the keyboard would lose the place.
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    try {
      const said = await work();
      if (said) toast(said);
    } catch (error) {
      toast(error.message);
    } finally {
      button.ariaBusy = "false";
    }
  });
}

const post = async (path) => data(path, { method: "POST" });

on("test", async () => {
  const body = await post("test-mongodb-connection");
  return `${body.message}: ${count(body.data.existing_records, "document")} in ${body.data.database}.${body.data.collection}`;
});
on("start", async () => {
  const text = "Every row is compared with MongoDB itself. What is there already isn’t written twice.";
  if (!(await confirmed("Export every row?", text, "Export", true))) return null;
  const query = new URLSearchParams();
  if (el("batch-size").value) query.set("batch_size", el("batch-size").value);
  if (el("skip-duplicates").value) query.set("skip_duplicates", el("skip-duplicates").value);
  return (await post(`sqlite-to-mongodb?${query}`)).message;
});
on("stop", async () => {
  const text = "It ends at its next batch. What was sent stays; the rows that are left wait for the next export.";
  return (await confirmed("Stop the export?", text, "Stop")) ? (await post("stop")).message : null;
});
on("reset", async () => {
  const text = "The status goes back to idle. Nothing that was delivered is forgotten, and no row is sent again.";
  return (await confirmed("Reset the status?", text, "Reset")) ? (await post("reset-export-status")).message : null;
});
on("pause", async () => (await post("pause")).message);
on("resume", async () => (await post("resume")).message);
on("retry", async () => {
  const text = "All rejected and all held rows are sent once more. Those that MongoDB refuses again stay here.";
  if (!(await confirmed("Send rejected and held rows again?", text, "Send"))) return null;
  const body = await post("records/retry");
  reload();
  return `${body.message}: ${count(body.data.released, "row")}`;
});
on("more", async () => { await loadRecords(true); });
for (const radio of document.querySelectorAll("input[name=outcome]")) {
  radio.addEventListener("change", () => loadRecords().catch((error) => toast(error.message)));
}
el("token").addEventListener("cancel", (event) => event.preventDefault());

setInterval(() => { if (!document.hidden) drawTimes(); }, 1000);
setInterval(() => { if (!document.hidden) drawStrip(); }, 60_000);
follow();
