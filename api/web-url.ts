/** What is wrong with a web address that a merchant names: http(s), https alone in live mode, no name or password in it. */
export function webUrlProblem(given: string, isTest: boolean): string | null {
  const url = URL.canParse(given) ? new URL(given) : null;
  const isWeb = url?.protocol === 'https:' || (url?.protocol === 'http:' && isTest);
  if (url === null || !isWeb) return isTest ? 'must be an http(s):// URL' : 'must be an https:// URL in live mode';
  return url.username === '' && url.password === '' ? null : 'must not hold a user name or a password';
}
