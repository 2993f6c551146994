/** Text from outside as inline code in Markdown, so that it cannot draw anything on a board. */
export function code(text: string): string {
  return `\`${text.replaceAll(/[`|\r\n]/g, ' ')}\``;
}
