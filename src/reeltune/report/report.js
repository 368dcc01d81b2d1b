"use strict";
(function () {
  // Tables: a click on a heading sorts by it.
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const heading = button.closest("th");
      const table = heading.closest("table");
      const column = heading.cellIndex;
      const direction = heading.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const rows = Array.from(table.tBodies[0].rows);
      rows.sort((a, b) => {
        const x = value(a), y = value(b);
        if (x === "" || y === "") return (x === "") - (y === "");
        const difference = Number(x) - Number(y);
        return sign * (Number.isNaN(difference) ? x.localeCompare(y) : difference);
      });
      table.tBodies[0].append(...rows);
    });
  }

  // Parallel coordinates: dragging along an axis keeps the trials inside.
  const chart = document.querySelector(".axes");
  if (!chart) return;
  const lines = Array.from(chart.querySelectorAll("polyline"), (line) => ({
    line,
    heights: line.dataset.heights.split(",").map((text) => (text === "" ? null : Number(text))),
  }));
  const count = document.getElementById("brushed");
  const ranges = new Map();

  function update() {
    let kept = 0;
    for (const { line, heights } of lines) {
      const inside = Array.from(ranges).every(
        ([axis, [low, high]]) => heights[axis] !== null && heights[axis] >= low && heights[axis] <= high,
      );
      line.classList.toggle("faded", !inside);
      kept += inside;
    }
    count.textContent = ranges.size ? kept + " of " + lines.length + " trials" : "";
  }

  chart.querySelectorAll(".axis").forEach((axis, index) => {
    const brush = document.createElement("div");
    brush.className = "brush";
    let start = null;
    const height = (event) => {
      const box = axis.getBoundingClientRect();
      return Math.min(1, Math.max(0, 1 - (event.clientY - box.top) / box.height));
    };
    axis.addEventListener("pointerdown", (event) => {
      start = height(event);
      axis.setPointerCapture(event.pointerId);
    });
    axis.addEventListener("pointermove", (event) => {
      if (start === null) return;
      const now = height(event);
      const [low, high] = [Math.min(start, now), Math.max(start, now)];
      ranges.set(index, [low - 0.005, high + 0.005]);
      brush.style.bottom = 100 * low + "%";
      brush.style.height = 100 * (high - low) + "%";
      axis.append(brush);
      update();
    });
    axis.addEventListener("pointerup", (event) => {
      if (start !== null && Math.abs(height(event) - start) < 0.01) {
        ranges.delete(index);
        brush.remove();
        update();
      }
      start = null;
    });
  });
  document.querySelector(".reset").addEventListener("click", () => {
    ranges.clear();
    chart.querySelectorAll(".brush").forEach((brush) => brush.remove());
    update();
  });
})();
