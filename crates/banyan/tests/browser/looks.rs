//! Whether a page can be read and touched as it is shown: contrast, width, text within its place, the
//! size of what is pressed, and where everything came from.

use serde_json::Value;

use crate::browser::{Browser, Screen};

/// Everything that is wrong with how the page is shown now.
pub(crate) async fn faults(browser: &Browser) -> Vec<String> {
    let found = browser.run(SCRIPT).await;
    let rows = found.as_array().cloned().unwrap_or_default();
    let mut faults: Vec<String> = rows.iter().map(Value::to_string).collect();
    faults.extend(browser.complaints().await);
    faults
}

/// Every way in which a page is looked at.
pub(crate) const SCREENS: [Screen; 4] = [
    Screen {
        width: 412,
        dark: false,
    },
    Screen {
        width: 412,
        dark: true,
    },
    Screen {
        width: 320,
        dark: false,
    },
    Screen {
        width: 900,
        dark: true,
    },
];

/// Contrast by WCAG 2: 4.5 to 1 for every text, whatever its size.
const SCRIPT: &str = r#"
const faults = [];
const parse = (text) => {
  const parts = text.match(/[\d.]+/g).map(Number);
  return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
};
const over = (top, bottom) => top.rgb.map((c, i) => c * top.alpha + bottom[i] * (1 - top.alpha));
const ground = (element) => {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    layers.push(colour);
    if (colour.alpha === 1) break;
  }
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
};
const light = (rgb) => {
  const [r, g, b] = rgb.map((c) => {
    c /= 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ratio = (a, b) => {
  const [x, y] = [light(a), light(b)].sort((m, n) => n - m);
  return (x + 0.05) / (y + 0.05);
};
const shown = (element) => element.getClientRects().length > 0;
// Where the element's text has to end, a space that hangs over aside; nowhere in what scrolls.
const edge = (element) => {
  let room = element;
  while (getComputedStyle(room).display.startsWith("inline")) room = room.parentElement;
  const style = getComputedStyle(room);
  if (style.overflowX !== "visible") return Infinity;
  const border = room.getBoundingClientRect().right - parseFloat(style.borderRightWidth);
  return border - parseFloat(style.paddingRight) + parseFloat(style.fontSize) / 2;
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let texts = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !shown(element) || element.tagName === "SCRIPT") continue;
  texts += 1;
  const below = ground(element);
  const contrast = ratio(over(parse(getComputedStyle(element).color), below), below);
  if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${walker.currentNode.data.trim()}`);
  const range = document.createRange();
  range.selectNodeContents(walker.currentNode);
  for (const box of range.getClientRects()) {
    if (box.left < -0.5 && !element.closest(".skip") || box.right > innerWidth + 0.5) faults.push(`cut off: ${walker.currentNode.data.trim()}`);
    if (box.right > edge(element)) faults.push(`out of its place: ${walker.currentNode.data.trim()}`);
  }
}
if (texts < 3) faults.push("hardly any text");
for (const field of document.querySelectorAll("input, select, textarea")) {
  if (shown(field) && field.type !== "radio") {
    const below = ground(field);
    if (ratio(parse(getComputedStyle(field).color).rgb, below) < 4.5) faults.push("contrast of a field");
    if (ratio(parse(getComputedStyle(field).borderTopColor).rgb, ground(field.parentElement)) < 3) faults.push("a field's border");
  }
}
if (document.documentElement.scrollWidth > innerWidth) faults.push(`${document.documentElement.scrollWidth} wide in ${innerWidth}`);
for (const target of document.querySelectorAll("a, button, input:not([type=radio]), select, textarea, label.choice")) {
  if (!shown(target) || target.closest(".skip") || getComputedStyle(target).display === "inline") continue;
  const box = target.getBoundingClientRect();
  if (box.height < 44 || box.width < 44) faults.push(`${Math.round(box.width)}×${Math.round(box.height)} to touch: ${target.textContent.trim()}`);
}
for (const entry of performance.getEntriesByType("resource")) {
  if (new URL(entry.name).host !== location.host) faults.push(`loaded from elsewhere: ${entry.name}`);
}
return faults;
"#;
