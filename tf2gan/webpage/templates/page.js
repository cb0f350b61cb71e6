const MODEL = JSON.parse(document.getElementById("model").textContent);
const engine = MODEL.address ? new OnServer(MODEL) : new InPage(MODEL);
const at = id => document.getElementById(id);

function say(text, share) {
  at("status").textContent = text;
  at("status").classList.remove("wrong");
  at("progress").hidden = share === undefined;
  if (share === null) at("progress").removeAttribute("value");
  else if (share !== undefined) at("progress").value = share;
}

function tell(error) {
  say(error.message || String(error));
  at("status").classList.add("wrong");
}

// Of what is asked for while a picture is in the making, only the last is made. Returns whether that went well.
function latest(work) {
  let running = null, again = false;
  async function all() {
    let well;
    do {
      again = false;
      try {
        await work();
        well = true;
      } catch (error) {
        tell(error);
        well = false;
      }
    } while (again);
    running = null;
    return well;
  }
  return function run() {
    if (running) again = true;
    else running = all();
    return running;
  };
}

const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));

function button(text, parent, press) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", press);
  parent.append(made);
  return made;
}

async function opened(file) {
  try {
    return await createImageBitmap(file, {colorSpaceConversion: "none"});
  } catch {
    throw new Error(`${file.name || "this"} cannot be read as a picture; possible: PNG, JPEG, WebP, GIF`);
  }
}

// A picture on white, resized to cover width x height, cropped in the middle.
function paint(canvas, source, width, height) {
  const [from, to] = [source.videoWidth || source.width, source.videoHeight || source.height];
  canvas.width = width;
  canvas.height = height;
  canvas.classList.toggle("large", width > 64);
  const context = canvas.getContext("2d", {willReadFrequently: true}), scale = Math.max(width / from, height / to);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, (width - scale * from) / 2, (height - scale * to) / 2, scale * from, scale * to);
}

function save(canvas, name) {
  canvas.toBlob(blob => {
    if (!blob) { tell(new Error("there is no picture to save yet")); return; }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

// The file that was chosen; the same one can be chosen again.
function chosen(event) {
  const file = event.target.files[0];
  event.target.value = "";
  return file;
}

// Translating.

async function translating() {
  const state = {direction: MODEL.translations[0].signature, source: null, stream: null, asked: 0, drawn: false};
  const choose = at("size"), fixed = MODEL.fixed_size;
  at("sizes").hidden = Boolean(fixed);
  for (const size of MODEL.sizes) choose.add(new Option(size, size, false, size === MODEL.default_size));

  const made = latest(async () => {
    const {source, direction, stream} = state;
    if (!source) return;
    const [width, height] = [source.videoWidth || source.width, source.videoHeight || source.height];
    const scale = Number(choose.value) / Math.max(width, height);
    if (fixed) paint(at("before"), source, fixed[1], fixed[0]);
    else paint(at("before"), source, Math.max(1, Math.round(scale * width)), Math.max(1, Math.round(scale * height)));
    await engine.load(direction, say);
    if (!stream) say("Translating");
    await painted();
    const start = performance.now();
    draw(at("after"), await engine.translated(direction, at("before")));
    at("compare").dataset.made = direction;
    at("save").disabled = false;
    // Not for each picture of a camera: a screen reader reads it out.
    if (!stream) say(`${at("after").width}x${at("after").height} pixels in ${Math.round(performance.now() - start)} ms`);
  });
  const show = source => { state.source = source; return made(); };
  // Opening takes a while: what was asked for last counts.
  const take = async (opening, drawn) => {
    stop();
    const number = ++state.asked;
    try {
      const source = await opening;
      if (number !== state.asked) return;
      state.drawn = drawn;
      await show(source);
    } catch (error) { if (number === state.asked) tell(error); }
  };

  for (const {signature, label} of MODEL.translations) {
    const choice = button(label, at("directions"), () => {
      state.direction = signature;
      mark(choice, at("directions"));
      const own = MODEL.examples.find(example => example.direction === signature);
      if (own && state.drawn) example(own); else made();
    });
    if (signature === state.direction) mark(choice, at("directions"));
  }
  async function loaded(picture) {
    const image = new Image();
    image.src = picture;
    await image.decode();
    return image;
  }
  const example = ({picture}) => take(loaded(picture), true);
  for (const each of MODEL.examples) {
    const choice = button("", at("examples"), () => {
      if (each.direction !== state.direction) {
        state.drawn = false;
        [...at("directions").querySelectorAll("button")][MODEL.translations.findIndex(part => part.signature === each.direction)].click();
      }
      example(each);
    });
    const image = document.createElement("img");
    image.alt = each.title;
    image.src = each.picture;
    choice.append(image);
  }

  const divide = () => { at("after").style.clipPath = `inset(0 ${100 - at("divide").value}% 0 0)`; };
  at("divide").addEventListener("input", divide);
  const drag = event => {
    const box = at("compare").getBoundingClientRect();
    at("divide").value = 100 * (event.clientX - box.left) / box.width;
    divide();
  };
  at("compare").addEventListener("pointerdown", drag);
  at("compare").addEventListener("pointermove", event => { if (event.buttons) drag(event); });
  divide();
  choose.addEventListener("change", made);
  at("file").addEventListener("change", event => {
    const file = chosen(event);
    if (file) take(opened(file), false);
  });
  document.addEventListener("dragover", event => { event.preventDefault(); at("compare").classList.add("dropping"); });
  document.addEventListener("dragleave", () => at("compare").classList.remove("dropping"));
  document.addEventListener("drop", event => {
    event.preventDefault();
    at("compare").classList.remove("dropping");
    const file = event.dataTransfer.files[0];
    if (file) take(opened(file), false); else tell(new Error("this is no file: drop a picture"));
  });
  document.addEventListener("paste", event => {
    const file = [...event.clipboardData.files][0];
    if (file) take(opened(file), false);
  });
  at("save").addEventListener("click", () => save(at("after"), `${MODEL.name}-${at("compare").dataset.made}.png`));

  function stop() {
    state.asked++;
    state.stream?.getTracks().forEach(track => track.stop());
    state.stream = null;
    at("camera").setAttribute("aria-pressed", "false");
  }
  at("camera").hidden = !navigator.mediaDevices?.getUserMedia;
  at("camera").addEventListener("click", async () => {
    const on = at("camera").getAttribute("aria-pressed") === "true", video = at("video");
    stop();
    if (on) return;
    at("camera").setAttribute("aria-pressed", "true");
    const number = state.asked;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: "environment"}});
      if (number !== state.asked) {  // something else was asked for meanwhile
        stream.getTracks().forEach(track => track.stop());
        return;
      }
      state.stream = video.srcObject = stream;
      state.drawn = false;
      say("The camera is on");
      await video.play();
      while (state.stream === stream) {
        if (!await show(video)) stop();
        await painted();
      }
    } catch (error) {
      if (number !== state.asked) return;
      stop();
      tell(new Error(`no camera: ${error.message}`));
    }
  });
  at("examples").hidden = !MODEL.examples.length;
  const first = MODEL.examples.find(each => each.direction === state.direction);
  if (first) await example(first);
  else say("Choose a picture");
}

function mark(chosen, parent) {
  for (const each of parent.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === chosen));
}

// From noise.

async function sampling() {
  const state = {label: 0, walking: false, walks: 0}, size = MODEL.latent_size, open = MODEL.latent_distribution === "uniform" ? 1 : 4;
  const value = id => Math.min(Math.max(Math.trunc(Number(at(id).value)) || 0, 0), Number.MAX_SAFE_INTEGER);
  const truncation = () => Number(at("truncation").value) >= open ? Infinity : Number(at("truncation").value);
  const ofSeed = seed => latentOf(seed, size, MODEL.latent_distribution, MODEL.purpose, truncation());
  Object.assign(at("truncation"), {min: 0.05, max: open, value: open});

  const sliders = MODEL.strong.map((direction, i) => {
    const label = document.createElement("label"), slider = document.createElement("input");
    Object.assign(slider, {type: "range", min: -MODEL.reach, max: MODEL.reach, step: 0.05, value: 0, id: `direction-${i}`});
    label.append(String(i + 1), slider);
    at("along").append(label);
    slider.addEventListener("input", () => made());
    return {slider, direction};
  });
  at("along").hidden = at("centre").hidden = !sliders.length;

  const current = () => {
    const blend = Number(at("blend").value);
    const latent = Float32Array.from(blend ? between(ofSeed(value("seed")), ofSeed(value("second")), blend, MODEL.latent_distribution)
                                           : ofSeed(value("seed")));
    for (const {slider, direction} of sliders) {
      const strength = Number(slider.value);
      if (strength) for (let i = 0; i < size; i++) latent[i] += strength * direction[i];
    }
    return latent;
  };
  const made = latest(async () => {
    await engine.load("latents", say);
    const start = performance.now(), images = await engine.sampled(current(), MODEL.num_classes ? state.label : null);
    draw(at("picture"), images);
    at("save-sample").disabled = false;
    at("truncation-is").textContent = truncation() === Infinity ? "none" : truncation().toFixed(2);
    at("reading").textContent = "";
    if (state.walking) return;
    say(`${images.dims[2]}x${images.dims[1]} pixels in ${Math.round(performance.now() - start)} ms`);
    if (MODEL.classifies) {
      const probabilities = await engine.read(at("picture")), best = probabilities.indexOf(Math.max(...probabilities));
      at("reading").textContent = `Read as ${MODEL.classes[best]}, ${(100 * probabilities[best]).toFixed(0)} %`;
    }
  });

  at("classes").hidden = !MODEL.num_classes;
  for (let label = 0; label < (MODEL.num_classes ?? 0); label++) {
    const choice = button(MODEL.class_names?.[label] ?? String(label), at("classes"), () => {
      state.label = label;
      mark(choice, at("classes"));
      made();
    });
    if (!label) mark(choice, at("classes"));
  }
  for (const id of ["seed", "second", "blend", "truncation"]) at(id).addEventListener("input", () => made());
  at("new").addEventListener("click", () => {
    at("seed").value = Math.floor(Math.random() * 1e6);
    at("blend").value = 0;
    made();
  });
  at("centre").addEventListener("click", () => {
    for (const {slider} of sliders) slider.value = 0;
    made();
  });
  at("save-sample").addEventListener("click", () => save(at("picture"), `${MODEL.name}-seed-${value("seed")}.png`));
  at("walk").addEventListener("click", async () => {
    const number = ++state.walks;
    state.walking = !state.walking;
    at("walk").setAttribute("aria-pressed", String(state.walking));
    let last = performance.now(), blend = Number(at("blend").value);  // a slider's own value has fewer digits
    while (state.walking && number === state.walks) {
      const now = performance.now();
      blend += (now - last) / 2500;
      last = now;
      if (blend >= 1) {  // on from the second seed to the next
        at("seed").value = value("second");
        at("second").value = value("second") + 1;
        blend = 0;
      }
      at("blend").value = blend;
      if (!await made()) {
        state.walking = false;
        at("walk").setAttribute("aria-pressed", "false");
      }
      await painted();
    }
  });
  await made();
}

// Classifying.

function reading() {
  const [height, width] = MODEL.classify_shape;
  let asked = 0;
  at("to-read").addEventListener("change", async event => {
    const file = chosen(event), number = ++asked;
    if (!file) return;
    try {
      const picture = await opened(file);
      if (number !== asked) return;
      paint(at("read"), picture, width, height);
      const probabilities = await engine.read(at("read"));
      if (number !== asked) return;
      at("probabilities").replaceChildren(...probabilities.map((value, i) => {
        const row = document.createElement("li"), meter = document.createElement("meter");
        meter.value = value;
        meter.setAttribute("aria-label", MODEL.classes[i]);
        row.append(MODEL.classes[i], meter, `${(100 * value).toFixed(1)} %`);
        return row;
      }));
      say(`${file.name} is read`);
    } catch (error) { tell(error); }
  });
}

(async () => {
  try {
    at("main").hidden = false;
    if (MODEL.classifies) {
      await engine.load("classify", say);
      reading();
    }
    if (MODEL.latent_size) await sampling();
    if (MODEL.translations.length) await translating();
    document.documentElement.dataset.ready = "yes";
  } catch (error) { tell(error); }
})();
