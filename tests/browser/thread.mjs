// The first thread, as a person walks it: log in (wrong, then right), read the
// message that came, answer it, and write to somebody elsewhere.
import { assert, DESK, Person, run, setting, told } from "./person.mjs";

await run(async (chrome) => {
  const anna = await Person.sitDown(chrome, DESK);
  const { page } = anna;

  await page.goto("/mail");
  await page.getByLabel("User name").fill("anna");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  await anna.examine("login");
  await anna.picture("login");
  await anna.logIn("anna");

  await page.getByRole("link", { name: setting.subject }).click();
  await page.getByRole("heading", { name: setting.subject }).waitFor();
  assert.ok(await page.getByText(setting.text).isVisible());
  await anna.examine("message");

  await page.getByRole("link", { name: "Reply", exact: true }).click();
  assert.match(await page.getByLabel("To").inputValue(), /bert@/);
  assert.equal(await page.getByLabel("Subject").inputValue(), `Re: ${setting.subject}`);
  const text = page.locator("textarea");
  assert.match(await text.inputValue(), new RegExp(`> ${setting.text}`));
  await anna.examine("reply");
  await text.press("Control+Home");
  await text.pressSequentially(setting.answer);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("The message is sent.").waitFor();
  told("answered");

  await page.getByRole("link", { name: "Compose" }).click();
  await page.getByLabel("To").fill(setting.outside);
  await page.getByLabel("Subject").fill(setting.subject);
  await text.fill(setting.answer);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("The message is sent.").waitFor();

  await page.getByRole("link", { name: "Sent" }).click();
  assert.equal(await page.locator(".messages li").count(), 2);
  // The question and the answer are one conversation, as soon as the server has
  // looked at both in an idle moment.
  await page.goto("/mail");
  await page.getByRole("link", { name: setting.subject }).click();
  const conversation = page.getByRole("heading", { name: "Conversation" });
  for (let tries = 0; tries < 60 && !(await conversation.isVisible()); tries++) {
    await page.waitForTimeout(500);
    await page.reload();
  }
  await conversation.waitFor();
  assert.equal(await page.locator(".messages li").count(), 2);
  await anna.examine("conversation");
  await page.getByRole("link", { name: "All of the conversation" }).click();
  assert.equal(await page.locator(".messages li").count(), 2);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("User name").waitFor();
  await page.goto("/mail");
  await page.getByLabel("User name").waitFor();
  await anna.leave();
});
