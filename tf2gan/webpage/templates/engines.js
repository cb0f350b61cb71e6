// What computes. An engine has load(signature, progress) and run(signature, feeds); feeds and results are
// {name: {type, dims, data}}, type "float32" or "int64", data a typed array of the values row by row.

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

// In the page itself, by ONNX Runtime. A model is in a file beside the page: a script, which a page from disk may load.
class InPage {
  constructor(model) {
    this.files = model.files;
    this.sessions = {};
    this.texts = {};
    window.tf2ganModel = (signature, text) => { this.texts[signature] = text; };
  }

  async runtime() {
    if (!this.ort) {
      const part = id => document.getElementById(id).textContent.trim();
      const source = new Blob([await unpacked(part("runtime-script"))], {type: "text/javascript"});
      this.ort = await import(URL.createObjectURL(source));
      this.ort.env.wasm.numThreads = 1;  // more need headers that a host must send
      this.ort.env.wasm.wasmBinary = await unpacked(part("runtime-code"));
    }
    return this.ort;
  }

  load(signature, progress) {
    this.sessions[signature] ??= this.session(signature, progress).catch(error => {
      delete this.sessions[signature];
      throw error;
    });
    return this.sessions[signature];
  }

  async session(signature, progress) {
    const {file, bytes} = this.files[signature];
    progress(`Loading ${file}, ${(bytes / 1e6).toFixed(1)} MB`, 0);
    if (location.protocol === "file:") await this.byScript(file);
    else await this.byFetch(signature, file, share => progress(`Loading ${file}, ${(bytes / 1e6).toFixed(1)} MB`, share));
    progress("Starting the runtime", null);
    const ort = await this.runtime();
    return ort.InferenceSession.create(bytesOf(this.texts[signature]), {executionProviders: ["wasm"]});
  }

  byScript(file) {
    return new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = file;
      script.onload = done;
      script.onerror = () => failed(new Error(`${file} is not beside this page: keep the folder together`));
      document.head.append(script);
    });
  }

  async byFetch(signature, file, progress) {
    const answer = await fetch(file);
    if (!answer.ok) throw new Error(`${file} is not beside this page: the host says ${answer.status}`);
    const reader = answer.body.getReader(), parts = [], whole = this.files[signature].script_bytes;
    for (let seen = 0, part; !(part = await reader.read()).done;) {
      parts.push(part.value);
      progress((seen += part.value.length) / whole);
    }
    const text = await new Blob(parts).text();
    this.texts[signature] = text.slice(text.lastIndexOf(',"') + 2, text.lastIndexOf('"'));
  }

  async run(signature, feeds) {
    const session = await this.load(signature, () => {}), given = {}, found = {};
    for (const [name, part] of Object.entries(feeds)) given[name] = new this.ort.Tensor(part.type, part.data, part.dims);
    for (const [name, part] of Object.entries(await session.run(given))) {
      found[name] = {type: part.type, dims: part.dims, data: part.data};
    }
    return found;
  }
}

// On the server that sent this page.
class OnServer {
  constructor(model) { this.address = model.address; }

  async load() {}

  async run(signature, feeds) {
    const inputs = {};
    for (const [name, part] of Object.entries(feeds)) inputs[name] = nested(Array.from(part.data, Number), part.dims);
    const answer = await fetch(this.address, {method: "POST", headers: {"Content-Type": "application/json"},
                                              body: JSON.stringify({signature_name: signature, inputs})});
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error);
    const values = said.outputs;
    const named = Array.isArray(values) ? {images: values} : values, found = {};
    for (const [name, value] of Object.entries(named)) {
      const dims = [];
      for (let part = value; Array.isArray(part); part = part[0]) dims.push(part.length);
      found[name] = {type: "float32", dims, data: Float32Array.from(value.flat(Infinity))};
    }
    return found;
  }
}

function nested(values, dims) {
  if (dims.length < 2) return values;
  const size = values.length / dims[0];
  return Array.from({length: dims[0]}, (_, i) => nested(values.slice(i * size, (i + 1) * size), dims.slice(1)));
}
