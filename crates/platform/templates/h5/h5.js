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

// The code of a health card lives for a short while: it is exchanged for a new one before that is
// over, and at once when its holder looks at it again.
const box = document.querySelector("[data-lives-ms]");
if (box) {
  const lives = Number(box.dataset.livesMs);
  const [left, over, another] = [".left", ".over", ".actions a"].map((css) => box.querySelector(css));
  const source = box.querySelector("img").getAttribute("src");
  let picture = box.querySelector("img");
  let until = Date.now() + lives;
  let asking = false;
  // Tries that failed, and until when the next one waits.
  let failed = 0;
  let rest = 0;
  const exchange = () => {
    if (asking) return;
    asking = true;
    const asked = Date.now();
    const next = new Image(picture.width, picture.height);
    next.alt = picture.alt;
    next.onload = () => {
      picture.replaceWith(next);
      picture = next;
      until = asked + lives;
      asking = false;
      failed = 0;
      show();
    };
    next.onerror = () => {
      asking = false;
      failed += 1;
      rest = Date.now() + 3000;
      show();
    };
    // Another address each time, or the browser takes the picture that it has.
    next.src = `${source}?${asked}`;
  };
  const show = () => {
    const now = Date.now();
    const seconds = Math.ceil((until - now) / 1000);
    left.textContent = `还有 ${Math.max(seconds, 1)} 秒有效，会自动更换`;
    box.classList.toggle("gone", now >= until);
    over.hidden = now < until;
    if (!document.hidden && until - now < lives / 6 && failed < 3 && now >= rest) exchange();
  };
  // Where even the first picture does not come, the next try says so.
  const missed = () => {
    until = 0;
    show();
  };
  if (picture.complete && !picture.naturalWidth) missed();
  else picture.addEventListener("error", missed);
  another.addEventListener("click", (event) => {
    // Where pictures don't come any more, the page itself says why.
    if (failed) return;
    event.preventDefault();
    exchange();
  });
  document.addEventListener("visibilitychange", show);
  setInterval(show, 250);
  show();
}

// Whoever shows his credential learns that an institution waits for his password.
const waiting = document.querySelector("[data-waiting]");
if (waiting) {
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(waiting.dataset.waiting, { cache: "no-store" });
      if (answer.ok) waiting.hidden = answer.status !== 200;
    } catch {
      // The next look may find the line again.
    }
  };
  setInterval(look, 3000);
  document.addEventListener("visibilitychange", look);
}
