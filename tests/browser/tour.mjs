// Everything once, as a person does it: on a desk and on a phone, light and
// dark, with keys and without scripts.
import fs from "node:fs";
import { assert, DESK, Person, PHONE, run, setting, told } from "./person.mjs";

const row = (page, subject) => page.locator(".messages li", { hasText: subject });
const said = (page, sentence) => page.getByText(sentence, { exact: true }).waitFor();

async function lists(anna) {
  const { page } = anna;
  await page.goto("/mail");
  await anna.examine("inbox");
  await anna.picture("inbox");
  assert.equal(await page.locator(".messages li").count(), 50);
  const top = async () => (await page.locator(".messages .what").first().textContent()).match(/Number \d+/)[0];
  const first = await top();

  await page.getByRole("link", { name: "Older" }).click();
  await page.waitForURL(/c=/);
  assert.notEqual(await top(), first);
  await page.getByRole("link", { name: "Newer" }).click();
  await page.locator(".messages .what").first().waitFor();
  assert.equal(await top(), first);

  // Several at once.
  for (const subject of ["Number 60", "Number 59"])
    await row(page, subject).getByRole("checkbox").check();
  assert.equal(await page.locator("#chosen").textContent(), "2 selected");
  await page.getByRole("button", { name: "Flag" }).click();
  await said(page, "Done.");
  assert.ok(await row(page, "Number 60").locator(".star").isVisible());
  for (const subject of ["Number 60", "Number 59"])
    await row(page, subject).getByRole("checkbox").check();
  await page.getByRole("button", { name: "Read", exact: true }).click();
  await said(page, "Done.");
  assert.equal(await row(page, "Number 60").getAttribute("class"), null);
  await row(page, "Number 58").getByRole("checkbox").check();
  await page.getByLabel("Move to").selectOption({ label: "Junk" });
  await page.getByRole("button", { name: "Move", exact: true }).click();
  await said(page, "Moved.");
  await row(page, "Number 57").getByRole("checkbox").check();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await said(page, "Moved to Trash.");
  assert.equal(await row(page, "Number 57").count(), 0);
  await page.locator("html.with-script").waitFor();
  await page.keyboard.press("z");
  await said(page, "Moved back.");
  await row(page, "Number 57").getByRole("checkbox").check();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await said(page, "Moved to Trash.");
  await page.getByRole("link", { name: "Trash" }).click();
  await row(page, "Number 57").waitFor();
  page.once("dialog", (dialog) => dialog.accept());
  await page.getByRole("button", { name: "Delete all for good" }).click();
  await said(page, "Deleted for good.");
  await page.getByText("This folder is empty.").waitFor();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("Choose messages first").waitFor();
  told("lists: select, flag, mark, move, delete, empty, pages");
}

async function keys(anna) {
  const { page } = anna;
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  await page.goto("/mail");
  await page.keyboard.press("j");
  assert.match(await focused(), /Number 60/);
  await page.keyboard.press("j");
  assert.match(await focused(), /Number 59/);
  await page.keyboard.press("k");
  await page.keyboard.press("x");
  assert.ok(await row(page, "Number 60").getByRole("checkbox").isChecked());
  await page.keyboard.press("o");
  // Keys work once the page's script has run.
  const open = async (subject) => {
    await page.getByRole("heading", { name: subject }).waitFor();
    await page.locator("html.with-script").waitFor();
  };
  await open("Number 60");
  await page.keyboard.press("j");
  await open("Number 59");
  await page.keyboard.press("k");
  await open("Number 60");
  await page.keyboard.press("r");
  await page.getByRole("heading", { name: "Reply" }).waitFor();
  await page.goBack();
  await page.keyboard.press("f");
  await page.getByRole("heading", { name: "Forward" }).waitFor();
  await page.goBack();
  await page.keyboard.press("u");
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await anna.examine("keys");
  await anna.picture("keys");
  await page.getByLabel("Single keys do this").uncheck();
  await page.getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("c");
  await page.keyboard.press("?");
  assert.ok(!(await page.getByRole("dialog").isVisible()));
  assert.match(page.url(), /\/mail/);
  await page.evaluate(() => localStorage.clear());
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await page.getByRole("heading", { name: "Drafts" }).waitFor();
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "q");
  told("keys");
}

async function writing(anna) {
  const { page } = anna;
  await page.goto("/compose");
  // Offered is whom the index has seen, which looks at mail in idle moments.
  const known = () => page.evaluate(async () => (await fetch("/contacts?q=ber")).text());
  for (let tries = 0; tries < 60 && !(await known()).includes("bert@"); tries++) {
    await page.waitForTimeout(500);
  }
  await page.getByLabel("To", { exact: true }).pressSequentially("ber");
  const offer = page.getByRole("option").first();
  await offer.waitFor();
  assert.match(await offer.textContent(), /bert@/);
  await page.keyboard.press("ArrowDown");
  await anna.examine("compose");
  await anna.picture("compose");
  await page.keyboard.press("Enter");
  assert.match(await page.getByLabel("To", { exact: true }).inputValue(), /bert@.*, $/);
  const saved = page.waitForResponse((answer) => answer.url().endsWith("/draft")
    && (answer.request().postData() ?? "").includes("here they are"));
  await page.getByLabel("Subject").fill("With two files");
  await page.locator("textarea").fill("Grüße, here they are.\n<script>alert(1)</script>\n");
  assert.equal((await saved).status(), 200);
  await page.getByText("Draft saved at").waitFor();
  told("draft saved while typing");

  // Come back to it, as after a power cut.
  await page.goto("/mail");
  await page.getByRole("link", { name: "Drafts" }).click();
  await page.getByRole("link", { name: "With two files" }).click();
  assert.match(await page.locator("textarea").inputValue(), /^Grüße, here/);
  // One after the other: the second does not take the place of the first.
  for (const file of setting.files) await page.getByLabel("Attach files").setInputFiles(file);
  assert.equal(await page.getByLabel("Attach files").evaluate((input) => input.files.length), 2);
  await page.getByRole("button", { name: "Save draft" }).click();
  await said(page, "The draft is saved.");
  assert.equal(await page.getByLabel(/With attachment/).count(), 2);
  // Typed behind files: they stay in the one draft there is, also for who comes
  // back to the page.
  const again = page.waitForResponse((answer) => answer.url().endsWith("/draft"));
  await page.locator("textarea").fill("Grüße, here they are.\n<script>alert(1)</script>\nMore.\n");
  await again;
  await page.getByText("Draft saved at").waitFor();
  await page.getByRole("link", { name: "Drafts" }).click();
  await page.getByRole("heading", { name: "Drafts" }).waitFor();
  assert.equal(await page.locator(".messages li").count(), 1);
  await page.goBack();
  assert.match(await page.locator("textarea").inputValue(), /More\./);
  assert.equal(await page.getByLabel(/With attachment/).count(), 2);
  await page.getByLabel("To", { exact: true }).fill("nobody-of-this-name");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("is not an address").waitFor();
  assert.equal(await page.getByLabel(/With attachment/).count(), 2);
  await anna.examine("compose with an error");
  await page.getByLabel("To", { exact: true }).fill("bert");
  // Logged out meanwhile: nothing is lost, and another tab helps.
  await page.context().clearCookies();
  await page.locator("textarea").pressSequentially(" ");
  await page.getByText("Draft not saved yet. You are logged out").waitFor();
  await page.keyboard.press("Control+Enter");
  await page.getByText("You are logged out").waitFor();
  const tab = await page.context().newPage();
  await tab.goto("/login?next=/help");
  await tab.getByLabel("User name").fill("anna");
  await tab.getByLabel("Password").fill("anna-demo");
  await tab.getByRole("button", { name: "Log in" }).click();
  await tab.getByRole("heading", { name: "Help" }).waitFor();
  await tab.close();
  await page.keyboard.press("Control+Enter");
  await said(page, "The message is sent.");
  await page.getByRole("link", { name: "Drafts" }).click();
  await page.getByText("This folder is empty.").waitFor();
  told("sent with two files");
}

async function reading(bert) {
  const { page } = bert;
  await page.goto("/mail");
  await page.getByRole("link", { name: "With two files" }).click();
  await page.getByText("<script>alert(1)</script>").waitFor();
  await bert.examine("message with files");
  await bert.picture("message");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.locator(".files a").first().click()]);
  assert.deepEqual(fs.readFileSync(await download.path()), fs.readFileSync(setting.files[0]));
  assert.ok(await page.locator(".pictures img").evaluate((image) => image.complete && image.naturalWidth > 0));
  await page.getByRole("link", { name: "Headers" }).click();
  await page.getByRole("heading", { name: "Headers" }).waitFor();
  await bert.examine("headers");
  await page.goBack();
  await page.getByRole("link", { name: "Forward" }).click();
  await page.getByLabel("To", { exact: true }).fill("anna");
  assert.equal(await page.getByLabel(/With attachment/).count(), 2);
  await page.getByLabel(/With attachment/).nth(1).uncheck();
  await page.getByRole("button", { name: "Send" }).click();
  await said(page, "The message is sent.");
  told("read, saved a file, forwarded one of two");
}

async function html(bert) {
  const { page } = bert;
  await page.goto("/mail");
  await page.getByRole("link", { name: "HTML with pictures" }).click();
  const frame = page.frameLocator("iframe.mail");
  await frame.getByText("A letter in HTML").waitFor();
  // The picture that came with it is shown, the one from elsewhere is not.
  assert.ok(await frame.locator("img").first().evaluate((image) => image.naturalWidth > 0));
  await page.getByText("Pictures from elsewhere are not loaded").waitFor();
  // A cell beside a wide one keeps its words whole.
  const wide = await frame.getByText("Narrow words").evaluate((cell) => cell.offsetWidth);
  assert.ok(wide > 40, `the cell is ${wide} pixels wide`);
  // A frame is as high as its mail, also where that is as high as its frame.
  await page.evaluate(() => new Promise((done) => {
    let frames = 60;
    const next = () => (frames-- ? requestAnimationFrame(next) : done());
    next();
  }));
  const high = await page.locator("iframe.mail").evaluate((each) => each.offsetHeight);
  assert.ok(high > 200 && high < 1200, `the frame is ${high} pixels high`);
  await bert.examine("HTML mail");
  await bert.picture("html");
  await page.getByRole("link", { name: "Show as plain text" }).click();
  await page.locator(".text", { hasText: "A letter in HTML" }).waitFor();
  told("HTML in its frame, and as text");
}

async function finding(bert) {
  const { page } = bert;
  await page.goto("/mail");
  await page.getByLabel("Search mail").fill("letter");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "HTML with pictures" }).waitFor();
  await bert.examine("search");
  await bert.picture("search");
  await page.getByLabel("Search mail").fill("xyzzy-not-there");
  await page.keyboard.press("Enter");
  await page.getByText("Nothing was found").waitFor();
  told("search");
}

async function settings(bert) {
  const { page } = bert;
  await page.goto("/menu");
  await bert.examine("menu");
  await page.getByRole("main").getByRole("link", { name: "Settings" }).click();
  await bert.examine("settings");
  await bert.picture("settings");
  await page.getByLabel("Your name").fill("Bert the Second");
  await page.getByLabel("Signature").fill("Bert\nBarepost Ltd");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await said(page, "Saved.");
  assert.equal(await page.getByLabel("Your name").inputValue(), "Bert the Second");
  await page.goto("/compose");
  assert.match(await page.locator("textarea").inputValue(), /-- \nBert\nBarepost Ltd/);
  // Whatever is long stays within the screen.
  await page.goto("/folders");
  await page.getByLabel("Name", { exact: true }).fill("F".repeat(64));
  await page.getByRole("button", { name: "Make folder" }).click();
  await said(page, "Saved.");
  await bert.examine("folders");
  await page.goto("/settings/rules");
  await page.getByLabel("contains").fill("p".repeat(120));
  await page.getByLabel("move it to").selectOption({ label: "F".repeat(64) });
  await page.getByRole("button", { name: "Add rule" }).click();
  await said(page, "Saved.");
  await bert.examine("rules");
  await page.getByRole("button", { name: "Remove" }).click();
  await said(page, "Saved.");
  await page.goto("/files");
  await page.getByRole("link", { name: "LLLL" }).waitFor();
  await bert.examine("shared files");
  told("settings");
}

// A form that comes after its login has ended is given back, and goes on after
// the next one.
async function late(person, user, page = person.page) {
  await page.goto("/settings");
  await page.getByLabel("Signature").fill("Typed for long\n<b>& kept</b>");
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("heading", { name: "You are logged out" }).waitFor();
  assert.equal(await page.locator("textarea").inputValue(), "Typed for long\n<b>& kept</b>");
  if (person.size === PHONE) await person.examine("a form that is given back");
  const [tab] = await Promise.all([page.context().waitForEvent("page"),
    page.getByRole("link", { name: "Log in" }).click()]);
  await tab.getByLabel("User name").fill(user);
  await tab.getByLabel("Password").fill(`${user}-demo`);
  await tab.getByRole("button", { name: "Log in" }).click();
  await tab.getByRole("heading", { name: "Inbox" }).waitFor();
  await tab.close();
  await page.getByRole("button", { name: "Send again" }).click();
  await page.getByRole("heading", { name: "This was not done yet" }).waitFor();
  await page.getByRole("button", { name: "Send again" }).click();
  await said(page, "Saved.");
  assert.equal(await page.getByLabel("Signature").inputValue(), "Typed for long\n<b>& kept</b>");
  told("a form after its login has ended");
}

// Sending is stopped by its author, who goes on.
async function stopped(page) {
  await page.goto("/compose");
  await page.getByLabel("To", { exact: true }).fill("bert");
  await page.getByLabel("Subject").fill("Stopped and sent");
  await page.getByLabel("Attach files").setInputFiles(setting.large);
  await page.getByText("too much").waitFor();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("too large to go").waitFor();
  await page.getByRole("button", { name: "Choose none" }).click();
  let stop = () => {};
  const sending = new Promise((resolve) => { stop = resolve; });
  await page.route("**/compose", (route) => (route.request().method() === "POST"
    ? route.abort("aborted").then(stop) : route.continue()));
  await page.getByRole("button", { name: "Send" }).click({ noWaitAfter: true });
  await sending;
  await page.unroute("**/compose");
  await page.clock.fastForward(10000);
  await page.getByRole("button", { name: "Send" }).click();
  await said(page, "The message is sent.");
  told("stopped, and sent then");
}

async function plain(bert) {
  const { page } = bert;
  await page.goto("/mail");
  await page.getByRole("link", { name: "Compose" }).click();
  await page.getByLabel("To", { exact: true }).fill("anna");
  await page.getByLabel("Subject").fill("Without scripts");
  await page.getByRole("button", { name: "Send" }).click();
  await said(page, "The message is sent.");
  await page.getByRole("link", { name: "Sent" }).click();
  await row(page, "Without scripts").getByRole("checkbox").check();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await said(page, "Moved to Trash.");
  told("without scripts");
}

await run(async (chrome) => {
  const anna = await Person.sitDown(chrome, DESK);
  await anna.logIn("anna");
  await lists(anna);
  await keys(anna);
  await writing(anna);
  await anna.leave();

  const bert = await Person.sitDown(chrome, PHONE, { colorScheme: "dark" });
  await bert.logIn("bert");
  await bert.examine("inbox on a phone");
  await bert.picture("phone");
  await reading(bert);
  await html(bert);
  await finding(bert);
  await settings(bert);
  await late(bert, "bert");
  await bert.leave();

  // Somebody looks on while a message comes.
  const waiting = await Person.sitDown(chrome, DESK);
  await waiting.page.clock.install();
  await waiting.logIn("anna");
  const plainBert = await Person.sitDown(chrome, DESK, { javaScriptEnabled: false });
  await plainBert.logIn("bert");
  await plain(plainBert);
  await late(plainBert, "bert");
  await plainBert.leave();
  await waiting.page.clock.fastForward(80000);
  await row(waiting.page, "Without scripts").waitFor();
  assert.match(await waiting.page.title(), /^\(\d+\) Inbox/);
  await stopped(waiting.page);
  await waiting.leave();
  told("new mail shows by itself");
});
