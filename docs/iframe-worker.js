/* Browsers start no worker from a file: in pages that are opened from a folder a hidden frame stands in for the one that
   searches. It has a global scope of its own, which is all that a worker needs. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inside = this.inside = frame.contentWindow
      inside.document.open()
      inside.document.write("<body></body>")
      inside.document.close()
      const load = source => new Promise((loaded, failed) => {
        const script = inside.document.createElement("script")
        Object.assign(script, { src: source, onload: loaded, onerror: failed })
        inside.document.body.append(script)
      })
      inside.importScripts = (...sources) => sources.reduce((before, one) => before.then(() => load(one)), Promise.resolve())
      inside.postMessage = data => setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data })))
      this.started = load(url)
    }

    postMessage(data) {
      this.started.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
}
