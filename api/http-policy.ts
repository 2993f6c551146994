/** How the API stands towards the network around it. */
export interface HttpPolicy {
  /** Networks (CIDR) of proxies whose `X-Forwarded-For` is believed; nobody's unless named. */
  readonly trustedProxies: readonly string[];
  /** Origins of web pages that may call the API. */
  readonly corsOrigins: readonly string[];
  /** Requests per minute that one client address may make, before it is known who calls. */
  readonly addressLimitPerMinute: number;
  /** So many wrong secrets per minute from one client address, and it is refused until the minute is over. */
  readonly wrongSecretLimitPerMinute: number;
}
