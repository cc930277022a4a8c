"use strict";
const items = [...document.querySelectorAll(".item")];
const dialog = document.querySelector("#enlarged");
const search = document.querySelector("#search");
let enlarged = null;

// The key figures show the pictures of the figures below: each picture is in the file once.
for (const image of document.querySelectorAll("[data-copy]")) {
  image.src = document.querySelector(`#${image.dataset.copy} img`).src;
}

function enlarge(figure) {
  enlarged = figure;
  const copy = dialog.querySelector("figure");
  const parts = [figure.querySelector("img"), figure.querySelector("figcaption")];
  copy.replaceChildren(...parts.map((part) => part.cloneNode(true)));
  if (!dialog.open) dialog.showModal();
}

// The next or previous figure that the search shows.
function turn(step) {
  const figures = items.filter((item) => item.tagName === "FIGURE" && !item.hidden);
  enlarge(figures.at((figures.indexOf(enlarged) + step) % figures.length));
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of items) {
    const text = `${item.dataset.search} ${item.textContent}`.toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
    document.querySelector(`[data-for="${item.id}"]`).hidden = item.hidden;
  }
  const shown = items.filter((item) => !item.hidden).length;
  document.querySelector("#matches").textContent = words.length ? `${shown} of ${items.length}` : "";
  document.querySelector("header").hidden = words.length > 0;
  for (const section of document.querySelectorAll("nav section, main > section")) {
    section.hidden = !section.querySelector(".item:not([hidden]), li:not([hidden])");
  }
}

search.addEventListener("input", filter);
dialog.querySelector("button").addEventListener("click", () => dialog.close());
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") turn(1);
  if (event.key === "ArrowLeft") turn(-1);
});
for (const link of document.querySelectorAll(".zoom")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    enlarge(document.querySelector(link.hash));
  });
}
