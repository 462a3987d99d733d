// The explorer: how a model's accuracy and its trajectories change with the test step.
{
  const models = JSON.parse(document.getElementById("explorer-data").textContent);
  const part = (name) => document.getElementById(`explore-${name}`);
  const LEVELS = 65535, FARTHEST = 3, SIDE = 320;
  const frame = { left: 52, right: 408, top: 22, bottom: 276 };

  const drawn = (name, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const known = (values) => values.filter((value) => value !== null);
  const mean = (values) => known(values).length
    ? known(values).reduce((sum, value) => sum + value, 0) / known(values).length : null;
  const short = (value) => String(Number(value.toPrecision(3)));
  const told = (model, value) => value === null ? "not known"
    : model.score === "accuracy" ? `${(100 * value).toFixed(1)} %` : short(value);
  const setting = (test, i) => test.measure === "steps"
    ? `${test.values[i]} ${test.values[i] === 1 ? "step" : "steps"}` : `tolerance ${test.values[i]}`;
  const named = (test) => test.solver + (test.alone ? ", each sample alone" : "");

  let model, test, places = [];

  // Choices depend on those before them; what was chosen is kept where it still exists.
  const offer = (select, names) => {
    const before = select.value;
    select.replaceChildren(...names.map((name) => new Option(name, name)));
    if (names.includes(before)) select.value = before;
  };
  const distinct = (values) => [...new Set(values)];

  const choose = () => {
    offer(part("task"), distinct(models.map((one) => one.task)));
    const ofTask = models.filter((one) => one.task === part("task").value);
    offer(part("solver"), distinct(ofTask.map((one) => one.solver)));
    const ofSolver = ofTask.filter((one) => one.solver === part("solver").value);
    offer(part("setting"), ofSolver.map((one) => one.name));
    model = ofSolver.find((one) => one.name === part("setting").value);
    offer(part("test"), model.tests.map(named));
    test = model.tests.find((one) => named(one) === part("test").value);
    part("step").disabled = !test;
    part("flow").hidden = !test?.paths.some(Boolean);
    if (test) start();
    else none();
  };

  const none = () => {
    part("told").textContent = "None of its runs trained: there is nothing to test.";
    part("curve").replaceChildren();
    part("curve-told").textContent = "";
  };

  const start = () => {
    const step = part("step");
    step.max = test.values.length - 1;
    const own = test.values.indexOf(model.own);
    step.value = own < 0 ? 0 : own;
    drawCurve();
    if (!part("flow").hidden) drawPlane();
    show();
  };

  const at = () => Number(part("step").value);

  const show = () => {
    const i = at(), score = mean(test.scores[i]);
    const words = `${named(test)}, ${setting(test, i)}: ${model.score} ${told(model, score)}`;
    part("step").setAttribute("aria-valuetext", words);
    part("told").replaceChildren(words + difference(score) + ". ", cellLink());
    const marker = part("curve").querySelector(".now");
    marker.setAttribute("transform", `translate(${places[i]})`);
    marker.setAttribute("visibility", score === null ? "hidden" : "visible");
    if (!part("flow").hidden) movePoints(i);
  };

  const difference = (score) => {
    const trained = model.tests.find((one) => one.solver === model.solver && !one.alone);
    const own = trained && mean(trained.scores[trained.values.indexOf(model.own)] ?? []);
    if (score === null || own === null || own === undefined) return "";
    if (told(model, score) === told(model, own)) return ", as it was trained";
    if (model.score === "error") return `, and ${short(own)} as it was trained`;
    const points = 100 * (score - own);
    return `, ${Math.abs(points).toFixed(1)} points ${points < 0 ? "less" : "more"} than as it was trained`;
  };

  const cellLink = () => {
    const link = document.createElement("a");
    link.href = `#${model.cell}`;
    link.textContent = "Its seeds, history and audit";
    return link;
  };

  // Accuracy against the test step.
  const scale = (low, high, from, to, logarithmic) => {
    const f = logarithmic ? Math.log : (value) => value;
    return (value) => high === low ? (from + to) / 2
      : from + (to - from) * (f(value) - f(low)) / (f(high) - f(low));
  };

  const drawCurve = () => {
    const all = known([...test.scores.flat(), model.flow]), { left, right, top, bottom } = frame;
    const isError = model.score === "error", values = test.values;
    const low = isError ? Math.min(...all.filter((value) => value > 0)) : 0;
    const high = isError ? Math.max(...all) : 1;
    const x = scale(values[0], values.at(-1), left + 14, right - 14, true);
    const toY = scale(low, high, bottom - 6, top + 6, isError);
    const y = (value) => toY(isError ? Math.max(value, low) : value);
    const line = (scores, name) => drawn("polyline", {
      class: name,
      points: scores.flatMap((s, i) => s === null ? [] : [`${x(values[i])},${y(s)}`]).join(" "),
    });
    const means = test.scores.map(mean);
    places = values.map((value, i) => `${x(value)},${means[i] === null ? 0 : y(means[i])}`);
    const own = test.solver === model.solver ? values.indexOf(model.own) : -1;
    part("curve").replaceChildren(
      drawn("path", { class: "axis", d: `M${left},${top}V${bottom}H${right}` }),
      ...[low, (low + high) / 2, high].filter((_, i) => !isError || i !== 1).map((value) =>
        drawn("text", { x: left - 6, y: y(value) + 4, class: "end" },
          isError ? short(value) : String(Math.round(100 * value)))),
      ...labelled(values, x).map((value) =>
        drawn("text", { x: x(value), y: bottom + 18, class: "middle" }, String(value))),
      drawn("text", { x: (left + right) / 2, y: bottom + 38, class: "middle" },
        `test ${test.measure}, ${named(test)}`),
      drawn("text", { x: left - 6, y: top - 10, class: "what" },
        isError ? "test error" : "test accuracy (%)"),
      ...flowLine(y),
      ...model.seeds.map((_, seed) => line(test.scores.map((row) => row[seed]), "seed")),
      line(means, "mean"),
      ...(own < 0 || means[own] === null ? [] : trainedHere(x(values[own]), y(means[own]))),
      drawn("circle", { class: "now", r: 5 }),
    );
    const count = model.seeds.length;
    const left_ = model.left ? ` ${model.left} that failed or did not train left out.` : "";
    part("curve-told").textContent =
      `Mean over ${count} seed${count === 1 ? "" : "s"} (thick), each seed (thin).${left_}`;
    part("curve").setAttribute("aria-label",
      `${model.score} against test ${test.measure}: ` +
      values.map((value, i) => `${value}: ${told(model, means[i])}`).join(", "));
  };

  // The words stand where the frame has room.
  const trainedHere = (x, y) => [
    drawn("circle", { class: "trained", cx: x, cy: y, r: 8 }),
    drawn("text", {
      x: x + (x > 200 ? -12 : 12), y: y + (y < 60 ? 20 : -10), class: `what ${x > 200 ? "end" : ""}`,
    }, "trained here"),
  ];

  const flowLine = (y) => model.flow === null ? [] : [
    drawn("path", { class: "flow", d: `M${frame.left},${y(model.flow)}H${frame.right}` }),
    drawn("text", { x: frame.right, y: y(model.flow) - 5, class: "end what" }, "its flow"),
  ];

  const labelled = (values, x) => {
    const kept = [];
    for (const value of values) {
      if (!kept.length || x(value) - x(kept.at(-1)) > 26) kept.push(value);
    }
    return kept;
  };

  // Trajectories in the plane.
  const drawPlane = () => {
    const { targets, regions, box: [left, right, bottom, top] } = model.plane;
    const points = test.paths.find(Boolean).points;
    const each = (name, kind) => Array.from({ length: points }, (_, i) =>
      drawn(name, { class: `${kind} ink-${targets.length ? targets[i] % 6 : 0}` }));
    part("plane").replaceChildren(
      ...(regions ? areas(regions) : []), ...each("polyline", "path"), ...each("path", "point"),
      drawn("text", { class: "what", x: 6, y: SIDE - 6 }, `(${left}, ${bottom})`),
      drawn("text", { class: "what end", x: SIDE - 6, y: 14 }, `(${right}, ${top})`),
    );
  };

  const areas = (regions) => {
    const rows = regions.split("/"), size = SIDE / rows.length, found = {};
    rows.forEach((row, r) => {
      let x = 0;
      for (const [, run, letter] of row.matchAll(/(\d+)(.)/g)) {
        const width = run * size, y = SIDE - (r + 1) * size;
        found[letter] = `${found[letter] ?? ""}M${x},${y}h${width}v${size}h${-width}z`;
        x += width;
      }
    });
    return Object.entries(found).filter(([letter]) => letter !== "-").map(([letter, d]) =>
      drawn("path", { class: `area tint-${(letter.charCodeAt(0) - 97) % 6}`, d }));
  };

  const paths = (one) => {
    const bytes = Uint8Array.from(atob(one.places), (letter) => letter.charCodeAt(0));
    const levels = new Uint16Array(bytes.buffer), count = one.points, found = [];
    const length = levels.length / count;
    for (let p = 0; p < count; p++) {
      const path = [];
      for (let v = p * length; v < (p + 1) * length; v += 2) {
        if (!levels[v] || !levels[v + 1]) break;  // not finite from here on
        const [x, y] = [levels[v], levels[v + 1]].map((level) => (level / LEVELS - 0.5) * FARTHEST);
        path.push([(0.5 + x) * SIDE, (0.5 - y) * SIDE]);
      }
      found.push(path);
    }
    return found;
  };

  const CIRCLE = (x, y) => `M${x - 3.5},${y}a3.5,3.5 0 1 0 7,0a3.5,3.5 0 1 0 -7,0z`;
  const CROSS = (x, y) => `M${x - 4},${y - 4}l8,8m0,-8l-8,8`;

  const movePoints = (i) => {
    const one = test.paths[i], plane = part("plane"), { targets } = model.plane;
    const lines = plane.querySelectorAll(".path"), ends = plane.querySelectorAll(".point");
    plane.classList.toggle("gave-up", !one);
    if (!one) {
      part("plane-told").textContent = "The solver gave up: there are no trajectories.";
      plane.setAttribute("aria-label", "No trajectories: the solver gave up.");
      return;
    }
    let wrong = 0, outside = 0;
    paths(one).forEach((path, p) => {
      const end = path.at(-1) ?? [-SIDE, -SIDE], [x, y] = end;
      const isWrong = one.classes && one.classes[p] !== targets[p];
      wrong += isWrong;
      outside += x < 0 || y < 0 || x > SIDE || y > SIDE;
      lines[p].setAttribute("points", path.map((place) => place.map(Math.round)).join(" "));
      ends[p].setAttribute("d", (isWrong ? CROSS : CIRCLE)(...end.map((value) => Number(value.toFixed(1)))));
      ends[p].classList.toggle("wrong", isWrong);
    });
    const missed = targets.length ? `${wrong} of ${lines.length} points in the wrong class (crosses). ` : "";
    const away = outside ? `${outside} end outside the frame, which is that of the training setting. ` : "";
    const { seed } = model.plane, untrained = model.seeds.includes(seed) ? "" : ", which did not train";
    const note = `Seed ${seed}${untrained}: from where samples start to where they end (points). ${missed}${away}`;
    part("plane-told").textContent = note +
      (model.plane.regions ? "Background: the class that the head gives to an end state." : "");
    plane.setAttribute("aria-label", `Trajectories of ${lines.length} samples. ${missed}${away}`);
  };

  for (const name of ["task", "solver", "setting", "test"]) {
    part(name).addEventListener("change", choose);
  }
  part("step").addEventListener("input", show);
  choose();
}
