// The forms of /docs: each sends its call and shows the answer. Answers are shown as text, whatever is in them.
"use strict";

const maxShown = 200000; // characters of an answer
const key = document.getElementById("key");
document.getElementById("key-form").addEventListener("submit", (event) => event.preventDefault());

// shellWord quotes a word for a shell.
const shellWord = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

// readForm returns the call of a form.
function readForm(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = {};
  let body;
  let curlBody = "";
  for (const field of form.querySelectorAll("[data-where]")) {
    const value = field.value;
    switch (field.dataset.where) {
      case "path":
        path = path.replace("{" + field.name + "}", encodeURIComponent(value));
        break;
      case "query":
        if (value !== "") query.set(field.name, value);
        break;
      case "header":
        if (value !== "") headers[field.name] = value;
        break;
      case "image":
        body = field.files[0];
        headers["Content-Type"] = "application/octet-stream";
        curlBody = " --data-binary @" + shellWord(body ? body.name : "image");
        break;
      case "form":
        body = body || new URLSearchParams();
        if (value !== "") {
          body.set(field.name, value);
          curlBody += " --data-urlencode " + (field.type === "password" ? field.name + "=\"$EDGELENS_KEY\"" : shellWord(field.name + "=" + value));
        }
        break;
      case "body":
        body = value;
        headers["Content-Type"] = "application/json";
        curlBody = " -d " + shellWord(value);
        break;
    }
  }
  const text = query.toString();
  return { method: form.dataset.method, url: path + (text ? "?" + text : ""), headers, body, curlBody };
}

// curlOf returns the same call for a shell; a key is not in it.
function curlOf(call) {
  let text = "curl";
  if (call.method !== "GET") text += " -X " + call.method;
  if (key.value) text += " -H 'Authorization: Bearer '\"$EDGELENS_KEY\"";
  for (const [name, value] of Object.entries(call.headers)) text += " -H " + shellWord(name + ": " + value);
  return text + call.curlBody + " " + shellWord(location.origin + call.url);
}

// authorize adds the key, or the token of the browser's session that a change needs.
async function authorize(call, changes) {
  if (key.value) {
    call.headers.Authorization = "Bearer " + key.value.trim();
    return;
  }
  if (!changes) return;
  const session = await fetch("/api/session");
  const described = session.ok ? await session.json() : {};
  if (described.csrf_token) call.headers["X-CSRF-Token"] = described.csrf_token;
}

// pretty indents JSON, and returns other text as it is.
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// showText shows a body as it arrives, so that a stream is seen, too.
async function showText(answer, into) {
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
    if (text.length > maxShown) {
      into.textContent = text.slice(0, maxShown) + "\n... (the rest is not shown)";
      await reader.cancel();
      return;
    }
    into.textContent = text;
  }
  into.textContent = pretty(text);
}

async function send(form) {
  const outcome = form.querySelector(".outcome");
  const line = outcome.querySelector(".line");
  const body = outcome.querySelector(".body");
  const image = outcome.querySelector(".image");
  const stop = form.querySelector(".stop");
  const call = readForm(form);
  outcome.querySelector(".curl").textContent = curlOf(call);
  outcome.hidden = false;
  line.textContent = "Sending...";
  body.textContent = "";
  if (image.src) URL.revokeObjectURL(image.src);
  image.removeAttribute("src");
  image.hidden = true;
  const ending = new AbortController();
  stop.hidden = false;
  stop.onclick = () => ending.abort();
  const start = performance.now();
  try {
    await authorize(call, "changes" in form.dataset);
    const answer = await fetch(call.url, { method: call.method, headers: call.headers, body: call.body, signal: ending.signal });
    const type = answer.headers.get("Content-Type") || "";
    line.textContent = answer.status + " " + answer.statusText + ", " + Math.round(performance.now() - start) + " ms" + (type ? ", " + type : "") +
      ", request " + (answer.headers.get("X-Request-Id") || "unknown");
    if (type.startsWith("image/")) {
      image.src = URL.createObjectURL(await answer.blob());
      image.hidden = false;
    } else if (answer.body) {
      await showText(answer, body);
    }
  } catch (error) {
    line.textContent += error.name === "AbortError" ? " Stopped." : " The call failed: " + error.message;
  } finally {
    stop.hidden = true;
  }
}

for (const form of document.querySelectorAll(".try form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
