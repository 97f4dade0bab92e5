// Sends what somebody tries out, and shows what came back. The key stays in its field.
"use strict";

const key = document.getElementById("key");

document.getElementById("key-form").addEventListener("submit", (event) => event.preventDefault());

for (const form of document.querySelectorAll("form.try")) {
  form.querySelector("button").disabled = false;
  form.querySelector(".unscripted").remove();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

async function send(form) {
  const button = form.querySelector("button");
  const shown = form.querySelector("output");
  const options = { method: form.dataset.verb, headers: {}, credentials: "omit", cache: "no-store" };
  if (key.value) {
    options.headers.Authorization = "Bearer " + key.value.trim();
  }
  const body = form.querySelector("textarea");
  if (body) {
    options.headers["Content-Type"] = "application/json";
    options.body = body.value;
  }
  button.disabled = true;
  shown.textContent = "正在发送…";
  try {
    const began = performance.now();
    const reply = await fetch(address(form), options);
    const text = await reply.text();
    const millis = Math.round(performance.now() - began);
    show(shown, "HTTP " + reply.status + "，" + millis + " 毫秒", pretty(text));
  } catch (error) {
    show(shown, "没有送到前置机，请检查网络或请求头中的密钥", String(error));
  } finally {
    button.disabled = false;
  }
}

// The path with its parts filled in, and the query with those that were given.
function address(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.in === "path") {
      path = path.replace("{" + input.name + "}", encodeURIComponent(input.value));
    } else if (input.value) {
      query.set(input.name, input.value);
    }
  }
  const asked = query.toString();
  return asked ? path + "?" + asked : path;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function show(output, line, text) {
  const said = document.createElement("p");
  said.textContent = line;
  const content = document.createElement("pre");
  content.tabIndex = 0;
  content.textContent = text;
  output.replaceChildren(said, content);
}
