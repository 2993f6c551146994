// ISO 4217 (List One): the currencies whose minor unit is not a hundredth.
const exponents: ReadonlyMap<string, number> = new Map(
  Object.entries({
    0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
    3: 'BHD IQD JOD KWD LYD OMR TND',
    4: 'CLF UYW',
  }).flatMap(([exponent, codes]) => codes.split(' ').map((code): [string, number] => [code, Number(exponent)])),
);

/** An amount as people read it: `25.99 USD`. */
export function amountText(amountMinor: bigint, currency: string): string {
  const exponent = exponents.get(currency) ?? 2;
  const digits = String(amountMinor).padStart(exponent + 1, '0');
  const cut = digits.length - exponent;
  return `${exponent === 0 ? digits : `${digits.slice(0, cut)}.${digits.slice(cut)}`} ${currency}`;
}
