// The life of a ticket, as a person sees it in the browser. Run by scripts/browser.
import { open } from "./page.mjs";

const { page, shot, done } = await open();
const id = (name) => page.getByTestId(name);
const say = async (text) => {
  await id("composer").fill(text);
  await id("composer").press("Enter");
  await page.getByText(text, { exact: true }).waitFor();
};

await id("person-mia").click();
await id("channel-support").click();
await id("button-Open ticket").waitFor();
await shot("panel");
await id("button-Open ticket").click();
await id("ephemeral").waitFor();
await id("channel-ticket-0001").click();
await id("button-Close").waitFor();
await say("My save is gone since the update");
await shot("ticket-opened");

await id("person-noah").click();
await id("channel-support").waitFor();
if (await id("channel-ticket-0001").isVisible()) throw new Error("another member sees the ticket");

await id("person-sam").click();
await id("channel-ticket-0001").click();
await id("button-Claim").click();
await page.getByText(/claimed/i).first().waitFor();
await say("Hello Mia, which platform do you play on?");
await shot("claimed-by-staff");

await id("person-mia").click();
await id("channel-ticket-0001").click();
await say("On PC. Never mind, it is back!");
await id("button-Close").click();
await id("ephemeral").waitFor();
await shot("confirmation");
await id("button-Close ticket").click();
await id("channel-ticket-0001").waitFor({ state: "detached" });
await shot("closed");

await id("person-ada").click();
await id("channel-ticket-transcripts").click();
await id("attachment").first().waitFor();
await id("preview").first().click();
await page.getByText("On PC. Never mind, it is back!").first().waitFor();
await shot("transcript");

await id("channel-general").click();
await id("composer").fill("/");
await id("slash-item-setup").waitFor();
await shot("slash-commands");
await done();
