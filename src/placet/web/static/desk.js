// What a script adds to the desk: keys, the reader's own time zone, pointing at findings, passkeys, copying.
// Every page works without it, except for passkeys, which a browser only offers to a script.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const language = document.documentElement.lang;

  // --- times in the reader's zone --------------------------------------------------------------------------------

  const clock = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false,
  });
  for (const time of all("time[data-local]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = time.textContent;
    time.textContent = clock.format(moment);
  }

  // --- menus close when one looks elsewhere ----------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  // --- a form is sent once ---------------------------------------------------------------------------------------

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    for (const button of all("button[type=submit]", form)) button.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const form of all("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of all("[aria-busy]", form)) button.removeAttribute("aria-busy");
    }
  });

  // --- findings and their marks ----------------------------------------------------------------------------------

  const marks = all("[data-marks]");
  const point = (number, on) => {
    for (const mark of marks) {
      if (mark.dataset.marks.split(" ").includes(number)) mark.classList.toggle("is-pointed", on);
    }
    one(`#finding-${number}`)?.classList.toggle("is-pointed", on);
  };
  const watch = (element, numbers) => {
    for (const [name, on] of [["mouseenter", true], ["mouseleave", false], ["focusin", true], ["focusout", false]]) {
      element.addEventListener(name, () => numbers.forEach((number) => point(number, on)));
    }
  };
  for (const finding of all("[data-finding]")) watch(finding, [finding.dataset.finding]);
  for (const mark of marks) watch(mark, mark.dataset.marks.split(" "));

  // --- the ballot ------------------------------------------------------------------------------------------------

  const shared = ["ground", "facts", "reason", "law"];
  const choices = all("details.choice");
  const firstField = (choice) =>
    all("textarea, select, input:not([type=hidden])", choice).find((field) => field.required && !field.value) ||
    one("textarea, select, [data-send]", choice);
  const carry = (choice) => {
    for (const name of shared) {
      const field = one(`[name=${name}]`, choice);
      if (!field || field.value) continue;
      const typed = choices.map((other) => one(`[name=${name}]`, other)).find((other) => other && other.value);
      if (!typed) continue;
      field.value = typed.value;
      field.dispatchEvent(new Event("change"));
    }
  };
  const openChoice = (choice) => {
    choice.open = true;
    const field = firstField(choice);
    field.focus({ preventScroll: true });
    choice.scrollIntoView({ block: "nearest" });
  };
  const send = (choice) => choice.querySelector("form").requestSubmit(one("[data-send]", choice));
  for (const choice of choices) {
    choice.addEventListener("toggle", () => {
      if (!choice.open) return;
      for (const other of choices) if (other !== choice) other.open = false;
      carry(choice);
    });
    choice.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        send(choice);
      }
    });
  }
  for (const link of all("[data-open]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      openChoice(document.getElementById(link.dataset.open));
    });
  }
  for (const select of all("select[data-ground]")) {
    const law = document.getElementById(select.dataset.ground);
    const hint = one("[data-ground-hint]", select.parentElement);
    const usual = hint.textContent;
    const tell = () => {
      const chosen = select.selectedOptions[0];
      hint.textContent = chosen?.dataset.reason || usual;
      law.required = Boolean(chosen && "law" in chosen.dataset);
    };
    select.addEventListener("change", tell);
    tell();
  }
  const bar = one("[data-bar]");
  const panel = one("#decide");
  if (bar && panel && "IntersectionObserver" in window) {
    new IntersectionObserver((seen) => bar.classList.toggle("is-away", seen[0].isIntersecting), {
      rootMargin: "0px 0px -35% 0px",
    }).observe(panel);
  }
  one("#problem")?.focus();

  // --- keys (WCAG 2.1.4: single-letter keys can be switched off) ----------------------------------------------------

  const help = one("#keys-help");
  const stored = (value) => {
    try {
      if (value !== undefined) localStorage.setItem("placet.keys", value);
      return localStorage.getItem("placet.keys");
    } catch {
      return null;
    }
  };
  let keysOn = stored() !== "off";
  const showHints = () => {
    for (const hint of all("[data-key-hint]")) hint.hidden = !keysOn;
  };
  if (help) {
    const box = one("#keys-on");
    const button = one("[data-keys-help]");
    box.checked = keysOn;
    button.hidden = false;
    button.addEventListener("click", () => help.showModal());
    box.addEventListener("change", () => {
      keysOn = box.checked;
      stored(keysOn ? "on" : "off");
      showHints();
    });
    showHints();
    document.addEventListener("keydown", onKey);
  }

  function onKey(event) {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "Escape" && typing) return typing.blur();
    if (!keysOn || typing || help.open || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "?") return act(event, () => help.showModal());
    if (moveInQueue(event)) return;
    const target = all("[data-hotkey]").find((element) => element.dataset.hotkey === event.key.toLowerCase());
    if (!target) return;
    if (!target.matches("details.choice")) return act(event, () => target.click());
    // An approval has no field to fill in: its key opens it, and only a second press sends it.
    const confirm = one("[data-send]", target);
    const again = target.open && document.activeElement === confirm && !event.repeat;
    if (!event.repeat) act(event, () => (again ? send(target) : openChoice(target)));
  }

  function act(event, action) {
    event.preventDefault();
    action();
  }

  function moveInQueue(event) {
    const links = all("[data-rows] .row-title a");
    if (!links.length) return false;
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    const at = links.indexOf(document.activeElement);
    if (step) {
      const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1);
      act(event, () => links[next].focus());
      return true;
    }
    if (event.key === "o" && at >= 0) {
      act(event, () => links[at].click());
      return true;
    }
    return false;
  }

  // --- copying what is shown once ----------------------------------------------------------------------------------

  for (const button of all("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      one("span", button).textContent = button.dataset.done;
    });
  }

  // --- passkeys (WebAuthn Level 3, JSON forms) ----------------------------------------------------------------------

  const toBytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withBytes = (list) => (list || []).map((each) => ({ ...each, id: toBytes(each.id) }));

  const creationOptions = (json) =>
    PublicKeyCredential.parseCreationOptionsFromJSON?.(json) ?? {
      ...json,
      challenge: toBytes(json.challenge),
      user: { ...json.user, id: toBytes(json.user.id) },
      excludeCredentials: withBytes(json.excludeCredentials),
    };
  const requestOptions = (json) =>
    PublicKeyCredential.parseRequestOptionsFromJSON?.(json) ?? {
      ...json,
      challenge: toBytes(json.challenge),
      allowCredentials: withBytes(json.allowCredentials),
    };
  const credentialJson = (credential) => {
    if (credential.toJSON) return credential.toJSON();
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = toText(credential.response[name]);
    }
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return {
      id: credential.id, rawId: toText(credential.rawId), type: credential.type, response,
      clientExtensionResults: credential.getClientExtensionResults(),
      authenticatorAttachment: credential.authenticatorAttachment,
    };
  };
  const post = async (path, body, signal) => {
    const response = await fetch(path, {
      method: "POST", signal,
      headers: {
        "Content-Type": "application/json", Accept: "application/json",
        "X-CSRF-Token": one("meta[name=csrf]").content,
      },
      body: JSON.stringify(body),
    });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.title || "");
    return answer;
  };

  const ceremonies = {
    get: async (options) => {
      const credential = await navigator.credentials.get({ publicKey: requestOptions(options) });
      return post("/sign-in/passkey", { credential: credentialJson(credential), challenge: options.challenge });
    },
    create: async (options) => {
      const credential = await navigator.credentials.create({ publicKey: creationOptions(options) });
      return post("/me/passkeys", { credential: credentialJson(credential), label: one("#passkey-label").value });
    },
  };
  for (const button of all("[data-passkey]")) {
    const notice = one("[data-passkey-problem]");
    const caption = one("span", button);
    const usual = caption.textContent;
    const tell = (text) => {
      notice.hidden = !text;
      one("p", notice).textContent = text;
    };
    button.addEventListener("click", async () => {
      if (button.getAttribute("aria-busy")) return;
      if (!window.PublicKeyCredential) return tell(button.dataset.unsupported);
      tell("");
      button.setAttribute("aria-busy", "true");
      caption.textContent = button.dataset.busy;
      try {
        const answer = await ceremonies[button.dataset.passkey](JSON.parse(button.dataset.options));
        location.assign(answer.next || "/me");
      } catch (error) {
        const cancelled = error.name === "NotAllowedError" || error.name === "AbortError";
        tell(cancelled ? button.dataset.cancelled : error.message || button.dataset.failed);
        button.removeAttribute("aria-busy");
        caption.textContent = usual;
      }
    });
  }

  // --- a pack's file is checked while one types -------------------------------------------------------------------

  const editor = one("textarea[data-check]");
  if (editor) watchPack(editor);

  function watchPack(area) {
    const said = one("[data-said]");
    const list = one("[data-mistakes]");
    const pause = 500;
    let timer = 0;
    let asked = null;
    const tell = (text, state) => {
      said.textContent = text;
      said.classList.toggle("is-busy", state === "busy");
      said.classList.toggle("is-bad", state === "bad");
    };
    const make = (tag, text, name = "") => Object.assign(document.createElement(tag), { textContent: text, className: name });
    const row = (mistake) => {
      const item = make("li", "", "mistake");
      const first = make("p", "");
      const link = make("a", "");
      link.href = `${area.dataset.version}?file=${encodeURIComponent(mistake.file)}&line=${mistake.line}#editor`;
      link.append(make("code", mistake.line ? `${mistake.file}:${mistake.line}` : mistake.file));
      if (mistake.file === area.dataset.file && mistake.line) {
        link.addEventListener("click", (event) => act(event, () => goTo(mistake.line)));
      }
      first.append(link, ` ${mistake.message}`);
      item.append(first);
      if (mistake.quote) item.append(make("pre", mistake.quote, "mistake-line"));
      if (mistake.hint) item.append(make("p", mistake.hint, "hint"));
      return item;
    };
    const goTo = (line) => {
      const lines = area.value.split("\n");
      const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
      area.focus();
      area.setSelectionRange(start, start + (lines[line - 1] || "").length);
      area.scrollTop = ((line - 5) / lines.length) * area.scrollHeight;
    };
    const check = async () => {
      asked?.abort();
      asked = new AbortController();
      const { signal } = asked;
      try {
        const answer = await post(area.dataset.check, { file: area.dataset.file, text: area.value }, signal);
        list.replaceChildren(...answer.mistakes.map(row));
        tell(answer.count ? said.dataset.some.replace("{n}", answer.count) : said.dataset.none, answer.count ? "bad" : "");
        const wrong = answer.mistakes.some((mistake) => mistake.file === area.dataset.file);
        if (wrong) area.setAttribute("aria-invalid", "true");
        else area.removeAttribute("aria-invalid");
      } catch (error) {
        if (error.name !== "AbortError") tell(said.dataset.failed, "busy");
      }
    };
    area.addEventListener("input", () => {
      clearTimeout(timer);
      tell(said.dataset.busy, "busy");
      timer = setTimeout(check, pause);
    });
    const form = area.form;
    window.addEventListener("beforeunload", (event) => {
      if (area.value !== area.defaultValue && !form.dataset.sent) event.preventDefault();
    });
    const line = Number(area.dataset.line);
    if (line) goTo(line);
  }
})();
