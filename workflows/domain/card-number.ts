import { pointerToken } from './json-pointer.ts';

/** Card numbers are 12 to 19 digits long (ISO/IEC 7812-1 allows up to 19; the shortest in use are Maestro's 12). */
const digitsMin = 12;
const digitsMax = 19;

/** The longest telephone number after a "+" that could be taken for a card: a 13-digit Visa is a German mobile too. */
const phoneDigitsMax = 13;

const zeroCode = 48;

interface IssuerRange {
  /** First and last value of the leading four digits, both included. */
  readonly from: number;
  readonly to: number;
  /** Lengths of this range's numbers, in digits. */
  readonly lengths: readonly number[];
}

const from16To19 = [16, 17, 18, 19];
const from14To19 = [14, 15, ...from16To19];
const from12To19 = [12, 13, ...from14To19];

// Sources: the table of issuer identification numbers in Wikipedia's "Payment card number" and the open data of
// braintree/credit-card-type, both rounded outward to four digits.
const issuerRanges: readonly IssuerRange[] = [
  { from: 4000, to: 4999, lengths: [13, 16, 19] }, // Visa
  { from: 5100, to: 5599, lengths: [16] }, // Mastercard
  { from: 2221, to: 2720, lengths: [16] },
  { from: 3400, to: 3499, lengths: [15] }, // American Express
  { from: 3700, to: 3799, lengths: [15] },
  { from: 6011, to: 6011, lengths: from16To19 }, // Discover
  { from: 6440, to: 6599, lengths: from16To19 },
  { from: 3000, to: 3059, lengths: from14To19 }, // Diners Club
  { from: 3090, to: 3099, lengths: from14To19 },
  { from: 3600, to: 3699, lengths: from14To19 },
  { from: 3800, to: 3999, lengths: from14To19 },
  { from: 3528, to: 3589, lengths: from16To19 }, // JCB
  { from: 6200, to: 6299, lengths: from16To19 }, // UnionPay
  { from: 2200, to: 2204, lengths: from16To19 }, // Mir
  { from: 6000, to: 6099, lengths: [16] }, // RuPay
  { from: 8100, to: 8299, lengths: [16] },
  { from: 6360, to: 6389, lengths: [16] }, // Elo, Hiper
  { from: 9792, to: 9792, lengths: [16] }, // Troy
  // Maestro may begin with nearly anything from 50 to 69 and have 12 to 19 digits, which telephone and order numbers
  // have as well. So the wide ranges count from 16 digits on, and shorter numbers only with a prefix known in use.
  { from: 5000, to: 5099, lengths: from16To19 },
  { from: 5600, to: 5899, lengths: from16To19 },
  { from: 6390, to: 6390, lengths: from16To19 },
  { from: 6700, to: 6799, lengths: from16To19 },
  ...[5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763].map((prefix) => ({
    from: prefix,
    to: prefix,
    lengths: from12To19,
  })),
];

const lengthsByPrefix: ReadonlyMap<string, ReadonlySet<number>> = indexedByPrefix(issuerRanges);

/** One space, dash or dot between groups of digits; NFKC has already made other spaces and full-width dots plain. */
const separator = /^[ \p{Pd}\u2212.]$/u;

const invisibleOrCombining = /[\p{Default_Ignorable_Code_Point}\p{M}]/gu;

// UUIDs and hexadecimal digests of 128 bits or more. Without this, the digits of one in some 2,500 look like a card
// (measured on random ones), and refusing a merchant's honest id at random would be worse than what hides here: nobody
// pastes a card into the middle of one. A token of digits alone is no exception (see `withoutHexIds`).
const hexId =
  /(?<![0-9a-z])(?:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|[0-9a-f]{32,})(?![0-9a-z])/gi;

/**
 * Says whether a payment card number stands anywhere in `text`: 12 to 19 digits that begin in a known issuer range,
 * have that range's length and pass Luhn's check (ISO/IEC 7812-1). The digits may be split into groups by single
 * spaces, dashes or dots, may be decimal digits of any script, and may have invisible characters between them. A number
 * begins and ends where a group does: digits in the middle of a longer group are no candidate. Takes linear time.
 */
export function containsCardNumber(text: string): boolean {
  const plain = withoutHexIds(withPlainDigits(text));
  let groups: string[] = [];
  let previousEnd = 0;
  let afterPlus = false;
  for (const match of plain.matchAll(/\d+/g)) {
    const gap = plain.slice(previousEnd, match.index);
    if (groups.length === 0 || !separator.test(gap)) {
      groups = [];
      afterPlus = gap.endsWith('+');
    }
    groups.push(match[0]);
    previousEnd = match.index + match[0].length;
    if (endsWithCardNumber(groups, afterPlus)) {
      return true;
    }
  }
  return false;
}

/**
 * Looks for a card number in a parsed JSON value: in strings, in whole numbers and in the names of object members.
 * Returns the JSON pointer (RFC 6901) of the first value that holds one ('' is the whole document), or null. For a
 * member name it is the pointer of the object around it, so the pointer itself never repeats a card number. Any depth
 * is safe, because the walk keeps its own stack. Whole numbers of 17 digits and more have lost digits when JSON was
 * parsed: only the raw text can tell.
 */
export function findCardNumber(value: unknown): string | null {
  const pending: { value: unknown; pointer: string }[] = [{ value, pointer: '' }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value: current, pointer } = next;
    if (typeof current === 'object' && current !== null) {
      const members = Object.entries(current);
      if (!Array.isArray(current) && members.some(([name]) => containsCardNumber(name))) {
        return pointer;
      }
      // Last first, so that the first member is taken from the stack next.
      for (const [name, member] of members.toReversed()) {
        pending.push({ value: member, pointer: `${pointer}/${pointerToken(name)}` });
      }
    } else if (containsCardNumber(scalarText(current))) {
      return pointer;
    }
  }
  return null;
}

// The decimals of a fraction (0.4242424242424242) are no card number, so only whole numbers are read.
function scalarText(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  return Number.isInteger(value) || typeof value === 'bigint' ? String(value) : '';
}

function endsWithCardNumber(groups: readonly string[], afterPlus: boolean): boolean {
  const tail = groups.slice(-digitsMax).join('');
  let length = 0;
  for (let index = groups.length - 1; index >= 0; index -= 1) {
    length += groups[index]?.length ?? 0;
    if (length > digitsMax) {
      return false;
    }
    const isPhoneNumber = afterPlus && index === 0 && length <= phoneDigitsMax;
    if (length >= digitsMin && !isPhoneNumber && isCardNumber(tail.slice(-length))) {
      return true;
    }
  }
  return false;
}

function isCardNumber(digits: string): boolean {
  const lengths = lengthsByPrefix.get(digits.slice(0, 4));
  return lengths?.has(digits.length) === true && passesLuhn(digits);
}

function indexedByPrefix(ranges: readonly IssuerRange[]): Map<string, Set<number>> {
  const index = new Map<string, Set<number>>();
  for (const { from, to, lengths } of ranges) {
    for (let prefix = from; prefix <= to; prefix += 1) {
      const known = index.get(String(prefix)) ?? [];
      index.set(String(prefix), new Set([...known, ...lengths]));
    }
  }
  return index;
}

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - zeroCode;
    const weighted = index % 2 === 0 ? digit : digit * 2;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0;
}

function withoutHexIds(text: string): string {
  return text.replace(hexId, (id) => (/[a-f]/i.test(id) ? 'x' : id));
}

// Marks go first: putting long rows of them in order would make NFKC slow.
function withPlainDigits(text: string): string {
  const values = new Map<string, string>();
  return text
    .replace(invisibleOrCombining, '')
    .normalize('NFKC')
    .replace(/(?!\d)\p{Nd}/gu, (character) => {
      const known = values.get(character) ?? plainDigit(character);
      values.set(character, known);
      return known;
    });
}

// Unicode keeps the ten decimal digits of a script in a row, zero first, and some rows touch: the last digit of the
// distance to the start is the value.
function plainDigit(character: string): string {
  const codePoint = character.codePointAt(0) ?? 0;
  let value = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(codePoint - value - 1))) {
    value += 1;
  }
  return String(value % 10);
}
