/** A date for people, as it is in a time zone: "31 January 2027". Not for workflows: it depends on a table of time zones. */
export function dateText(instant: Date, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone }).format(instant);
}
