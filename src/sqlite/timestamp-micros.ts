/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z, the ends of Spark's TIMESTAMP. */
export const EARLIEST_MICROS = -62_135_596_800_000_000n;
export const LATEST_MICROS = 253_402_300_799_999_999n;

/**
 * A point in time as microseconds since the epoch, UTC; null for what is none.
 *
 * - Text in ISO 8601: a date, alone (midnight) or with a time behind `T`, `t` or a blank; seconds optional;
 *   a fraction of any length, cut to microseconds; `Z`, `z`, `±HH:MM`, `±HHMM`, `±HH` or nothing for UTC.
 *   Days and times that do not exist, leap seconds (`:60`) and `24:00` included, are null.
 * - Numbers, and text that is one, since the epoch, told apart by their absolute value: below 1e11 seconds
 *   (up to the year 5138), below 1e14 milliseconds, below 1e17 microseconds, below 1e20 nanoseconds (the
 *   last three from March 1973 on). Fractions are rounded to microseconds, nanoseconds cut.
 * - Null outside the years 0001 to 9999.
 */
export function timestampMicros(value: unknown): bigint | null {
  if (typeof value === "string") return withinSpark(microsOfText(value));
  if (typeof value === "bigint") return withinSpark(microsOfInteger(value));
  if (typeof value === "number") return withinSpark(microsOfReal(value));
  return null;
}

const MILLIS_FROM = 10n ** 11n;
const MICROS_FROM = 10n ** 14n;
const NANOS_FROM = 10n ** 17n;
const NANOS_UNTIL = 10n ** 20n;

function withinSpark(micros: bigint | null): bigint | null {
  return micros !== null && micros >= EARLIEST_MICROS && micros <= LATEST_MICROS ? micros : null;
}

function microsOfInteger(value: bigint): bigint | null {
  const size = value < 0n ? -value : value;
  if (size < MILLIS_FROM) return value * 1_000_000n;
  if (size < MICROS_FROM) return value * 1_000n;
  if (size < NANOS_FROM) return value;
  if (size >= NANOS_UNTIL) return null;
  const micros = value / 1_000n;
  return value < 0n && micros * 1_000n !== value ? micros - 1n : micros;
}

function microsOfReal(value: number): bigint | null {
  const size = Math.abs(value);
  if (!(size < 1e20)) return null;
  const whole = Math.floor(value);
  const perUnit = size < 1e11 ? 1_000_000 : size < 1e14 ? 1_000 : 0;
  // Above 1e14 a double has no more than a sixty-fourth of a unit left: nothing to round.
  if (perUnit === 0) return microsOfInteger(BigInt(whole));
  return BigInt(whole) * BigInt(perUnit) + BigInt(Math.round((value - whole) * perUnit));
}

const NUMBER = /^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$/;
const LONGEST_NUMBER = 64;

function microsOfText(text: string): bigint | null {
  if (text.charCodeAt(4) === HYPHEN && text.charCodeAt(7) === HYPHEN) return microsOfIso(text);
  if (text.length > LONGEST_NUMBER) return null;
  const match = NUMBER.exec(text);
  if (!match) return null;
  const isInteger = match[1] === undefined && match[2] === undefined;
  return isInteger ? microsOfInteger(BigInt(text.replace("+", ""))) : microsOfReal(Number(text));
}

const HYPHEN = 0x2d;
const PLUS = 0x2b;
const COLON = 0x3a;
const DOT = 0x2e;
const COMMA = 0x2c;
const BLANK = 0x20;

/** By character codes, because it runs for every row; a regular expression takes three times as long. */
function microsOfIso(text: string): bigint | null {
  const year = digits(text, 0, 4);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  if (year < 1 || month < 1 || month > 12 || day < 1) return null;
  if (day > 28 && day > daysInMonth(year, month)) return null;
  const midnight = daysSinceEpoch(year, month, day) * 86_400;
  if (text.length === 10) return toMicros(midnight, 0);

  const separator = text.charCodeAt(10) | BLANK; // T and t differ in this bit; a blank is this bit
  if (separator !== 0x74 && text.charCodeAt(10) !== BLANK) return null;
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || text.charCodeAt(13) !== COLON) return null;

  let at = 16;
  let second = 0;
  let micros = 0;
  if (text.charCodeAt(at) === COLON) {
    second = twoDigits(text, at + 1);
    if (second < 0 || second > 59) return null;
    at += 3;
    const mark = text.charCodeAt(at);
    if (mark === DOT || mark === COMMA) {
      const start = at + 1;
      let scale = 100_000;
      for (at = start; isDigit(text.charCodeAt(at)); at += 1) {
        micros += (text.charCodeAt(at) - 0x30) * scale;
        scale = Math.floor(scale / 10);
      }
      if (at === start) return null;
    }
  }
  const offset = offsetSeconds(text, at);
  return offset === null ? null : toMicros(midnight + hour * 3600 + minute * 60 + second - offset, micros);
}

/** Seconds east of UTC that the text from `at` to its end says; null if it says something else. */
function offsetSeconds(text: string, at: number): number | null {
  const left = text.length - at;
  if (left === 0) return 0;
  const sign = text.charCodeAt(at);
  if (left === 1) return (sign | 0x20) === 0x7a ? 0 : null;
  if (sign !== PLUS && sign !== HYPHEN) return null;
  const hours = twoDigits(text, at + 1);
  const withColon = left === 6 && text.charCodeAt(at + 3) === COLON;
  if (left !== 3 && left !== 5 && !withColon) return null;
  const minutes = left === 3 ? 0 : twoDigits(text, at + (withColon ? 4 : 3));
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return null;
  return (sign === HYPHEN ? -1 : 1) * (hours * 3600 + minutes * 60);
}

function toMicros(seconds: number, micros: number): bigint {
  const sum = seconds * 1_000_000 + micros;
  return Number.isSafeInteger(sum) ? BigInt(sum) : BigInt(seconds) * 1_000_000n + BigInt(micros);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** The number that `count` digits make, or a negative one if they are not digits. */
function digits(text: string, start: number, count: number): number {
  let number = 0;
  for (let at = start; at < start + count; at += 1) {
    const code = text.charCodeAt(at);
    if (!isDigit(code)) return -1;
    number = number * 10 + code - 0x30;
  }
  return number;
}

function twoDigits(text: string, start: number): number {
  return digits(text, start, 2);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** days_from_civil of https://howardhinnant.github.io/date_algorithms.html, for years from 1 on. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
