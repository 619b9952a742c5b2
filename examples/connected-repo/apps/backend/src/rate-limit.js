// So many requests a minute from each address, counted in this replica alone.

const MINUTE_MS = 60_000;

export class RateLimit {
  #limit;
  #windows = new Map();

  constructor(limit) {
    this.#limit = limit;
  }

  /** Counts a request. Gives how many may still come, and in how many seconds the count begins anew. */
  count(address, now = Date.now()) {
    let window = this.#windows.get(address);
    if (window === undefined || now >= window.endsAt) {
      this.#forgetOld(now);
      window = { endsAt: now + MINUTE_MS, requests: 0 };
      this.#windows.set(address, window);
    }
    window.requests += 1;
    return {
      isOver: window.requests > this.#limit,
      limit: this.#limit,
      remaining: Math.max(0, this.#limit - window.requests),
      resetSeconds: Math.ceil((window.endsAt - now) / 1000),
    };
  }

  // Else every address that ever came would be kept.
  #forgetOld(now) {
    for (const [address, window] of this.#windows) {
      if (now >= window.endsAt) this.#windows.delete(address);
    }
  }
}
