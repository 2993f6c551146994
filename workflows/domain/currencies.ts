import { BrokenInvariant } from './invariant.ts';

// The alphabetic codes of ISO 4217 list one ("Current currency & funds code list", SIX Group, the maintenance agency),
// edition published 2026-09-17: 178 codes, of which 165 have a minor unit and stand here, funds codes included.
// Left out are the 13 whose minor unit is "N.A.", because no amount of them can be counted in minor units:
// XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX.
// Never taken from Intl: its digits are display customs (CLDR) and differ from ISO (HUF, TWD, IDR, COP, LAK and others).
const codesByExponent: ReadonlyMap<number, string> = new Map([
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'],
  [
    2,
    `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
     COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
     INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
     MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
     STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG`,
  ],
  [3, 'BHD IQD JOD KWD LYD OMR TND'],
  [4, 'CLF UYW'],
]);

/**
 * Every accepted currency (upper-case ISO 4217 alphabetic code) with its exponent: the number of decimals between the
 * major unit and the minor unit, 0, 2, 3 or 4. Source and edition: the comment above.
 */
export const currencyExponents: ReadonlyMap<string, number> = new Map(
  [...codesByExponent].flatMap(([exponent, codes]) =>
    codes.split(/\s+/).map((code): [string, number] => [code, exponent]),
  ),
);

/** Says whether `code` is an accepted currency. Exact: lower case, spaces and withdrawn codes are not. */
export function isCurrency(code: string): boolean {
  return currencyExponents.has(code);
}

/**
 * The exponent of an accepted currency. Throws BrokenInvariant for any other code: callers check with `isCurrency` where
 * a currency enters the system.
 */
export function exponentOf(currency: string): number {
  const exponent = currencyExponents.get(currency);
  if (exponent === undefined) {
    throw new BrokenInvariant(
      'Unknown currency code: check it with isCurrency where it enters, before money is made of it.',
    );
  }
  return exponent;
}
