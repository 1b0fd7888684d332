// The administrator's pages and the query page as a person uses them: on a desk
// and on a phone, light and dark.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { assert, DESK, Person, PHONE, run, told } from "./person.mjs";

const PAGES = ["", "/users", "/domains", "/queue", "/log", "/settings", "/first"];

async function queries(anna) {
  const { page } = anna;
  await page.goto("/sql");
  await anna.examine("query page");
  await page.getByLabel("Statement").fill("select Name, FullName, Password from user order by 1;");
  await page.getByLabel("Database").selectOption("mail");
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("heading", { name: "Query results" }).waitFor();
  assert.equal(await page.getByRole("cell", { name: "anna", exact: true }).count(), 1);
  assert.ok(await page.locator("td.null").count() >= 2);
  await anna.examine("query results");
  await anna.picture("query");

  // The paper's Fig. 9: the query as an attachment.
  const script = path.join(os.tmpdir(), `barepost-${process.pid}.sql`);
  fs.writeFileSync(script, "CREATE TABLE mail (MailID varchar(4), Sender varchar(255));\n" +
    "insert into mail values ('0001', 'bpc0002');\n.tables\nselect * from mail;\n");
  await page.goto("/sql");
  await page.getByLabel("Attachment").setInputFiles(script);
  await page.getByLabel("May change data").check();
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("cell", { name: "bpc0002" }).waitFor();
  fs.unlinkSync(script);

  await page.goto("/sql");
  await page.getByLabel("Statement").fill("select *\nfrm mail;");
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByText("Line 2, column 1: near").waitFor();
  await anna.examine("query with an error");

  await page.getByLabel("Statement").fill("select 1 as one;");
  await page.getByLabel("Answer").selectOption("csv");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Run" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "query.csv");
  assert.equal(fs.readFileSync(await download.path(), "utf8"), "one\r\n1\r\n");
  told("query: table, attachment, error, CSV");
}

async function administration(anna) {
  const { page } = anna;
  await page.goto("/admin/users");
  await page.getByLabel("Name: the local part").fill("dora");
  await page.getByLabel("Full name").fill("Dora Example");
  await page.getByLabel("Password").fill("dora-demo");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByText("Done.").waitFor();
  await page.getByRole("link", { name: "dora" }).click();
  await page.getByLabel("Alias: a name").fill("support");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByRole("cell", { name: "support" }).waitFor();
  await anna.examine("a user");
  told("users: added, alias");
}

async function look(person, name) {
  for (const each of PAGES) {
    await person.page.goto("/admin" + each);
    await person.examine(`admin${each} ${name}`);
    await person.picture(`admin${each.replace("/", "-")}-${name}`);
  }
}

await run(async (chrome) => {
  const anna = await Person.sitDown(chrome, DESK);
  await anna.logIn("anna");
  await queries(anna);
  await administration(anna);
  await look(anna, "desk");
  await anna.leave();
  const phone = await Person.sitDown(chrome, PHONE, { colorScheme: "dark" });
  await phone.logIn("anna");
  await phone.page.goto("/sql");
  await phone.examine("query page on a phone");
  await phone.picture("query-phone");
  await look(phone, "phone");
  await phone.leave();
});
