import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** The names under which systems have a Chromium. */
const programs = ['chromium', 'chromium-browser', 'google-chrome'];

/** The browser of this machine, by `PATH`; null where there is none. */
export function findBrowser(path = process.env['PATH'] ?? ''): string | null {
  const files = path.split(':').flatMap((folder) => programs.map((program) => join(folder, program)));
  return files.find(isProgram) ?? null;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Starts a browser without a window. Close it in `afterAll`. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** A fresh window, as of somebody who was never there; `scheme` is what their system prefers. */
export async function openPage(browser: Browser, scheme: BrowserContextOptions['colorScheme']): Promise<Page> {
  const context = await browser.newContext({ colorScheme: scheme ?? 'light', viewport: { width: 800, height: 600 } });
  return context.newPage();
}

/** Presses a button by keyboard alone: goes on with Tab until it has the focus, then Enter. Throws when it gets none. */
export async function pressByKeyboard(page: Page, name: string): Promise<void> {
  const pressesMax = 20;
  for (let presses = 0; presses < pressesMax; presses++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate<string>("document.activeElement?.textContent?.trim() ?? ''");
    if (focused === name) {
      await page.keyboard.press('Enter');
      return;
    }
  }
  throw new Error(`"${name}" cannot be reached with the Tab key`);
}

/** What runs in the page: the contrast of each text to what is behind it, as WCAG 2.2 counts it. */
const contrasts = `
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = parse(color).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    if (element === null) return 'rgb(255, 255, 255)';
    const color = getComputedStyle(element).backgroundColor;
    return parse(color)[3] === 0 ? behind(element.parentElement) : color;
  };
  const contrast = (element) => {
    const [one, other] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  };
  return [...document.querySelectorAll('h1, p, dt, dd, caption, th, td, small, button, a')].map(contrast);
`;

/** The lowest contrast of a text of this page; people with weak eyes need 4.5. */
export async function lowestContrast(page: Page): Promise<number> {
  const found = await page.evaluate<number[]>(`(() => {${contrasts}})()`);
  if (found.length === 0) throw new Error('the page has no text');
  return Math.min(...found);
}
