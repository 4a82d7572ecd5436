const REDRAW_EVERY_KEYS = 1_000;

/** A line on a terminal that says how many keys were listed; nothing elsewhere. */
export function createListingProgress(stream: NodeJS.WriteStream): {
  listed(keys: number): void;
  end(): void;
} {
  let isDrawn = false;
  return {
    listed(keys) {
      if (!stream.isTTY || keys % REDRAW_EVERY_KEYS !== 0) return;
      stream.write(`\r\u001b[2K${keys.toLocaleString("en-US")} keys listed`);
      isDrawn = true;
    },
    end() {
      if (isDrawn) stream.write("\r\u001b[2K");
      isDrawn = false;
    },
  };
}
