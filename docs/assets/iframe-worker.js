// The search of the site runs in a web worker. A browser starts no worker for a page that is opened from a file, so this
// class runs the worker's script in a hidden frame instead. Pages from a server keep the browser's own Worker.
(() => {
  if (location.protocol !== "file:") return
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.appendChild(this.frame)
      const inside = this.frame.contentWindow
      inside.document.open()
      inside.document.write("<!doctype html><html><body></body></html>")
      inside.document.close()
      // what the worker's script sends reaches the listeners of this object
      inside.postMessage = data => this.deliver(this, data)
      inside.importScripts = (...urls) => urls.reduce((done, one) => done.then(() => this.load(one)), Promise.resolve())
      this.ready = this.load(new URL(url, location.href).href)
    }
    load(url) {
      return new Promise((loaded, failed) => {
        const script = this.frame.contentDocument.createElement("script")
        script.src = url
        script.onload = loaded
        script.onerror = failed
        this.frame.contentDocument.body.appendChild(script)
      })
    }
    deliver(target, data) {
      const event = new MessageEvent("message", { data })
      target.dispatchEvent(event)
      if (target === this && typeof this.onmessage === "function") this.onmessage(event)
    }
    postMessage(data) {
      this.ready.then(() => this.deliver(this.frame.contentWindow, data))
    }
    terminate() {
      this.frame.remove()
    }
  }
})()
