// Only makes forms nicer; every page works without it.
"use strict";

// A form that was sent says so and is not sent twice.
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const button = form.querySelector("button[data-busy]");
    if (button) {
      button.dataset.idle = button.textContent;
      button.textContent = button.dataset.busy;
      button.setAttribute("aria-disabled", "true");
    }
  });
}

// A page that comes back out of the browser's memory can be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
    const button = form.querySelector("button[data-idle]");
    if (button) {
      button.textContent = button.dataset.idle;
      button.removeAttribute("aria-disabled");
    }
  }
});

// How many characters are left, counted as the server counts them.
for (const area of document.querySelectorAll("textarea[data-most]")) {
  const most = Number(area.dataset.most);
  const left = document.createElement("p");
  left.className = "hint";
  left.setAttribute("role", "status");
  area.after(left);
  const count = () => {
    const used = [...area.value.trim()].length;
    left.textContent = used > most ? `超出 ${used - most} 字` : `还可写 ${most - used} 字`;
    left.classList.toggle("fault", used > most);
  };
  area.addEventListener("input", count);
  count();
}
