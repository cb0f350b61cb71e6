// What computes. An engine has
//   load(signature, progress): makes it ready;
//   sampled(latent, label): a picture, {dims: [1, height, width, channels], data: values in [0, 1]};
//   translated(signature, canvas): a picture of the same size;
//   read(canvas): the probabilities of the classes.

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64), found = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
  return found;
}

async function unpacked(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// From values in [0, 1], [1, height, width, 1 or 3], to a canvas.
function draw(canvas, {dims, data}) {
  const [, height, width, channels] = dims, picture = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = Math.round(255 * data[channels * i + (channels === 1 ? 0 : c)]);
    picture.data[4 * i + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  canvas.classList.toggle("large", width > 64);
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// The pixels of a canvas, as `draw` takes them.
function pixelsOf(canvas, channels) {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = new Float32Array(canvas.width * canvas.height * channels);
  for (let i = 0; i < canvas.width * canvas.height; i++) {
    if (channels === 1) found[i] = Math.round(0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]) / 255;
    else for (let c = 0; c < 3; c++) found[3 * i + c] = data[4 * i + c] / 255;
  }
  return {dims: [1, canvas.height, canvas.width, channels], data: found};
}

// In the page itself, by ONNX Runtime. A model is in a file beside the page: a script, which a page from disk may load.
class InPage {
  constructor(model) {
    this.model = model;
    this.sessions = {};
    this.texts = {};
    window.tf2ganModel = (signature, text) => { this.texts[signature] = text; };
  }

  load(signature, progress) {
    this.sessions[signature] ??= this.session(signature, progress).catch(error => {
      delete this.sessions[signature];
      throw error;
    });
    return this.sessions[signature];
  }

  async session(signature, progress) {
    const {file, bytes} = this.model.files[signature], what = `Loading ${file}, ${(bytes / 1e6).toFixed(1)} MB`;
    progress(what, 0);
    if (location.protocol === "file:") await this.byScript(file);
    else await this.byFetch(signature, share => progress(what, share));
    const text = this.texts[signature];
    delete this.texts[signature];
    if (typeof text !== "string") throw new Error(`${file} is not whole: copy the folder again`);
    progress("Starting the runtime", null);
    const ort = await this.runtime();
    return ort.InferenceSession.create(bytesOf(text), {executionProviders: ["wasm"]});
  }

  runtime() {
    this.started ??= this.start().catch(error => {
      delete this.started;
      throw error;
    });
    return this.started;
  }

  async start() {
    if (!window.DecompressionStream) throw new Error("this browser is too old: it needs Chrome 80, Firefox 113, Safari 16.4, or newer");
    const parts = ["runtime-script", "runtime-code"].map(id => document.getElementById(id));
    const [source, code] = await Promise.all(parts.map(part => unpacked(part.textContent.trim())));
    const ort = await import(URL.createObjectURL(new Blob([source], {type: "text/javascript"})));
    ort.env.wasm.numThreads = 1;  // more need headers that a host must send
    ort.env.wasm.wasmBinary = code;
    for (const part of parts) part.textContent = "";  // some megabytes of text
    this.ort = ort;
    return ort;
  }

  byScript(file) {
    return new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = file;
      script.onload = () => { script.remove(); done(); };
      script.onerror = () => failed(new Error(`${file} is not beside this page: keep the folder together`));
      document.head.append(script);
    });
  }

  async byFetch(signature, progress) {
    const {file, script_bytes: whole} = this.model.files[signature], parts = [];
    const missing = why => new Error(`${file} is not beside this page: ${why}`);
    const answer = await fetch(file).catch(error => { throw missing(error.message); });
    if (!answer.ok) throw missing(`the host says ${answer.status}`);
    let seen = 0;
    for (let part, reader = answer.body.getReader(); !(part = await reader.read()).done;) {
      parts.push(part.value);
      progress((seen += part.value.length) / whole);
    }
    if (seen !== whole) throw missing(`the host sent ${seen} bytes of ${whole}`);
    const text = await new Blob(parts).text();
    this.texts[signature] = text.slice(text.indexOf(',"') + 2, text.lastIndexOf('"'));
  }

  async run(signature, feeds) {
    const session = await this.load(signature, () => {}), given = {};
    for (const [name, {type = "float32", dims, data}] of Object.entries(feeds)) given[name] = new this.ort.Tensor(type, data, dims);
    return session.run(given);
  }

  async sampled(latent, label) {
    const feeds = {latents: {dims: [1, latent.length], data: latent}};
    if (label !== null) feeds.labels = {type: "int64", dims: [1], data: BigInt64Array.of(BigInt(label))};
    return (await this.run("latents", feeds)).images;
  }

  async translated(signature, canvas) {
    return (await this.run(signature, {images: pixelsOf(canvas, 3)})).translated;
  }

  async read(canvas) {
    const images = pixelsOf(canvas, this.model.classify_shape[2]);
    return Array.from((await this.run("classify", {images})).probabilities.data);
  }
}

// On the server that sent this page. Pictures travel as PNG: as numbers in JSON they are twenty times as large.
class OnServer {
  constructor(model) { this.model = model; }

  async load() {}

  async ask(signature, inputs) {
    const answer = await fetch(this.model.address, {
      method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({signature_name: signature, inputs}),
    }).catch(() => { throw new Error("the server does not answer: is it still running?"); });
    const said = await answer.json().catch(() => { throw new Error(`the server answers ${answer.status}, and no JSON`); });
    if (!answer.ok) throw new Error(said.error);
    return said.outputs;
  }

  async sampled(latent, label) {
    const inputs = {latents: [Array.from(latent)]};
    if (label !== null) inputs.labels = [label];
    return this.pixels((await this.ask("latents_bytes", inputs))[0]);
  }

  async translated(signature, canvas) {
    return this.pixels((await this.ask(`${signature}_bytes`, {image_bytes: [await this.png(canvas)]}))[0]);
  }

  async read(canvas) {
    return (await this.ask("classify_bytes", {image_bytes: [await this.png(canvas)]})).probabilities[0];
  }

  async png(canvas) {
    return {b64: canvas.toDataURL("image/png").split(",")[1]};
  }

  async pixels({b64}) {
    const bitmap = await createImageBitmap(new Blob([bytesOf(b64)], {type: "image/png"}), {colorSpaceConversion: "none"});
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    return pixelsOf(canvas, 3);
  }
}
