// A Worker for pages that are opened from the file system, where browsers start none: its script runs in a hidden frame.
// The theme searches in a Worker. Everywhere else this does nothing.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      inside.document.open();
      inside.document.write("<!doctype html><html><body></body></html>");
      inside.document.close();
      // Within a Worker, postMessage speaks to the page that made it. Neither side hears the other before it has ended its turn.
      inside.postMessage = (data) => setTimeout(() => this.tell("message", data));
      const script = inside.document.createElement("script");
      script.src = String(address);
      script.onload = () => {
        this.running = true;
        this.waiting.splice(0).forEach((data) => this.postMessage(data));
      };
      script.onerror = () => this.tell("error", undefined);
      inside.document.body.append(script);
    }

    tell(kind, data) {
      if (this.ended) {
        return;
      }
      const event = new MessageEvent(kind, { data });
      this.dispatchEvent(event);
      this[`on${kind}`]?.(event);
    }

    postMessage(data) {
      if (!this.running) {
        this.waiting.push(data);
        return;
      }
      const inside = this.frame.contentWindow;
      setTimeout(() => inside.dispatchEvent(new inside.MessageEvent("message", { data: structuredClone(data) })));
    }

    terminate() {
      this.ended = true;
      this.frame.remove();
    }
  };
}
