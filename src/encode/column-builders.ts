import type { ColumnType, SqlValue } from "../core/types.ts";
import type { ColumnData } from "./column-batch.ts";

/** Collects the values of one column. */
export interface ColumnBuilder {
  /** Bytes that the values take so far. */
  readonly bytes: number;
  /** Appends the value; one that does not round-trip through the type is not appended, and `false` returned. */
  append(value: SqlValue): boolean;
  appendNull(): void;
  finish(): ColumnData;
}

/** A builder for at most `capacity` rows. */
export function createColumnBuilder(type: ColumnType, capacity: number): ColumnBuilder {
  switch (type) {
    case "int64":
    case "timestamp":
      return new IntegerBuilder(type, capacity);
    case "double":
      return new DoubleBuilder(capacity);
    case "boolean":
      return new BooleanBuilder(capacity);
    case "string":
      return new BytesBuilder(type, capacity);
    case "binary":
      return new BytesBuilder(type, capacity);
  }
}

/** Counts rows and keeps the bitmap of those that have a value. */
class Validity {
  #bits: Uint8Array;
  rows = 0;
  nulls = 0;

  constructor(capacity: number) {
    this.#bits = new Uint8Array((capacity + 7) >> 3);
  }

  /** @returns the index of the new row */
  append(isValid: boolean): number {
    const row = this.rows++;
    if (isValid) this.#bits[row >> 3] = (this.#bits[row >> 3] as number) | (1 << (row & 7));
    else this.nulls++;
    return row;
  }

  finish(): Pick<ColumnData, "nullCount" | "validity"> {
    return {
      nullCount: this.nulls,
      validity: this.nulls === 0 ? null : this.#bits.subarray(0, (this.rows + 7) >> 3),
    };
  }
}

class IntegerBuilder implements ColumnBuilder {
  readonly #type: "int64" | "timestamp";
  readonly #validity: Validity;
  readonly #values: BigInt64Array;

  constructor(type: "int64" | "timestamp", capacity: number) {
    this.#type = type;
    this.#validity = new Validity(capacity);
    this.#values = new BigInt64Array(capacity);
  }

  get bytes(): number {
    return this.#validity.rows * 8;
  }

  append(value: SqlValue): boolean {
    if (typeof value !== "bigint") return false;
    this.#values[this.#validity.append(true)] = value;
    return true;
  }

  appendNull(): void {
    this.#validity.append(false);
  }

  finish(): ColumnData {
    const values = this.#values.subarray(0, this.#validity.rows);
    return { type: this.#type, ...this.#validity.finish(), values, offsets: null };
  }
}

/** Integers beyond this need not have a double of their own: 2^53. */
const EXACT_INTEGER_LIMIT = 2n ** 53n;

class DoubleBuilder implements ColumnBuilder {
  readonly #validity: Validity;
  readonly #values: Float64Array;

  constructor(capacity: number) {
    this.#validity = new Validity(capacity);
    this.#values = new Float64Array(capacity);
  }

  get bytes(): number {
    return this.#validity.rows * 8;
  }

  append(value: SqlValue): boolean {
    if (typeof value === "bigint" && value >= -EXACT_INTEGER_LIMIT && value <= EXACT_INTEGER_LIMIT) {
      this.#values[this.#validity.append(true)] = Number(value);
      return true;
    }
    if (typeof value !== "number") return false;
    this.#values[this.#validity.append(true)] = value;
    return true;
  }

  appendNull(): void {
    this.#validity.append(false);
  }

  finish(): ColumnData {
    const values = this.#values.subarray(0, this.#validity.rows);
    return { type: "double", ...this.#validity.finish(), values, offsets: null };
  }
}

class BooleanBuilder implements ColumnBuilder {
  readonly #validity: Validity;
  readonly #bits: Uint8Array;

  constructor(capacity: number) {
    this.#validity = new Validity(capacity);
    this.#bits = new Uint8Array((capacity + 7) >> 3);
  }

  get bytes(): number {
    return (this.#validity.rows + 7) >> 3;
  }

  append(value: SqlValue): boolean {
    if (value !== 0n && value !== 1n) return false;
    const row = this.#validity.append(true);
    if (value === 1n) this.#bits[row >> 3] = (this.#bits[row >> 3] as number) | (1 << (row & 7));
    return true;
  }

  appendNull(): void {
    this.#validity.append(false);
  }

  finish(): ColumnData {
    const values = this.#bits.subarray(0, (this.#validity.rows + 7) >> 3);
    return { type: "boolean", ...this.#validity.finish(), values, offsets: null };
  }
}

const INITIAL_BYTES_PER_ROW = 16;
/** A UTF-16 unit takes at most three bytes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;
/** Of longer texts the bytes are counted, which takes less than the memory for three times as many. */
const LONG_UNITS = 64 * 1024;

/** Text and blobs; whether a text is valid UTF-8 has been looked at before it comes here. */
class BytesBuilder implements ColumnBuilder {
  readonly #type: "string" | "binary";
  readonly #validity: Validity;
  readonly #offsets: Int32Array;
  /** Memory of its own, so that it can be handed to another thread. */
  #data: Buffer;
  #length = 0;

  constructor(type: "string" | "binary", capacity: number) {
    this.#type = type;
    this.#validity = new Validity(capacity);
    this.#offsets = new Int32Array(capacity + 1);
    this.#data = Buffer.allocUnsafeSlow(capacity * INITIAL_BYTES_PER_ROW);
  }

  get bytes(): number {
    return this.#length + this.#validity.rows * 4;
  }

  append(value: SqlValue): boolean {
    if (this.#type === "string") {
      if (typeof value !== "string") return false;
      const isLong = value.length > LONG_UNITS;
      this.#reserve(isLong ? Buffer.byteLength(value) : value.length * MAX_BYTES_PER_UNIT);
      this.#length += this.#data.write(value, this.#length, "utf8");
    } else {
      if (!Buffer.isBuffer(value)) return false;
      this.#reserve(value.length);
      this.#length += value.copy(this.#data, this.#length);
    }
    this.#offsets[this.#validity.append(true) + 1] = this.#length;
    return true;
  }

  appendNull(): void {
    this.#offsets[this.#validity.append(false) + 1] = this.#length;
  }

  finish(): ColumnData {
    return {
      type: this.#type,
      ...this.#validity.finish(),
      values: this.#data.subarray(0, this.#length),
      offsets: this.#offsets.subarray(0, this.#validity.rows + 1),
    };
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#data.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#data.length * 2));
    this.#data.copy(larger, 0, 0, this.#length);
    this.#data = larger;
  }
}
