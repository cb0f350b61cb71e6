// A page that is opened from disk may start no worker: the search runs in a hidden frame instead, which has the same
// messages. On a host, workers are left as they are.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.documentElement.append(frame);
      const inside = this.inside = frame.contentWindow;
      inside.postMessage = data => {
        const event = new MessageEvent("message", {data});
        this.dispatchEvent(event);
        this.onmessage?.(event);
      };
      inside.importScripts = (...files) => Promise.all(files.map(file => new Promise((done, failed) => {
        const script = inside.document.createElement("script");
        Object.assign(script, {src: file, onload: done, onerror: failed});
        inside.document.documentElement.append(script);
      })));
      this.ready = inside.importScripts(new URL(address, document.baseURI).href);
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", {data})));
    }

    terminate() {}
  };
}
