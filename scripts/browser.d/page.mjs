// A browser on the demo's page. Every script error and failed request of the page fails the scenario.
import { chromium } from "playwright-core";

/** Opens PAGE_URL. `shot(name)` saves a numbered screenshot; `done()` closes and fails when the page had errors. */
export async function open() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(15_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(`script: ${error}`));
  page.on("console", (message) => message.type() === "error" && errors.push(`console: ${message.text()}`));
  let shots = 0;
  const shot = async (name) => {
    const path = `${process.env.SHOTS}/${String(++shots).padStart(2, "0")}-${name}.png`;
    await page.screenshot({ path });
    console.log(`screenshot ${path}`);
  };
  const done = async () => {
    await browser.close();
    if (errors.length > 0) {
      console.error(errors.join("\n"));
      process.exit(1);
    }
  };
  // An assertion that fails leaves a picture of what was there instead.
  process.on("uncaughtException", async (error) => {
    console.error(error);
    await shot("failed").catch(() => {});
    await browser.close();
    process.exit(1);
  });
  const answer = await page.goto(process.env.PAGE_URL);
  if (!answer.ok()) throw new Error(`${process.env.PAGE_URL} answered ${answer.status()}`);
  return { page, browser, shot, done, errors };
}
