// Hostile HTML mail, opened as a person would: nothing of it runs, nothing is
// fetched, and nothing of it acts on the page around it. The names that it
// loads from lead to a listener of the test, which counts whoever comes.
import { assert, DESK, Person, browser, setting, told } from "./person.mjs";

const SAFE_LINK = /^(https?:|mailto:)/;

// What is left in the frame's document.
function look() {
  const bad = [];
  for (const each of document.querySelectorAll("script, iframe, frame, object, embed, form, input, button, textarea, select, base, meta[http-equiv], link:not([href^='/assets/mail.css']), svg, math, video, audio, template, dialog"))
    bad.push(each.tagName);
  for (const each of document.querySelectorAll("*"))
    for (const attribute of each.attributes)
      if (/^on|^formaction|^srcdoc|^ping$|^autofocus/i.test(attribute.name)) bad.push(attribute.name);
  const links = [...document.querySelectorAll("a[href], area[href]")].map((each) =>
    ({ href: each.getAttribute("href"), target: each.target, rel: each.rel }));
  const loads = [...document.querySelectorAll("[src], [background], [poster], [srcset]")].map((each) =>
    each.getAttribute("src") ?? each.getAttribute("background") ?? each.getAttribute("srcset"));
  return { bad, links, loads };
}

async function judge(frame, name) {
  const seen = await frame.evaluate(look);
  assert.deepEqual(seen.bad, [], name);
  for (const link of seen.links) {
    assert.match(link.href, SAFE_LINK, `${name}: ${link.href}`);
    assert.equal(link.target, "_blank", name);
    assert.match(link.rel, /noopener/, name);
  }
  for (const load of seen.loads)
    assert.match(load, /^(data:image\/|\/mail\/)/, `${name}: ${load}`);
}

const chrome = await browser([
  `--host-resolver-rules=MAP *.example 127.0.0.1:${setting.listener}`]);
try {
  const anna = await Person.sitDown(chrome, DESK);
  const { page } = anna;
  const ran = [];
  await page.exposeFunction("xss", (what) => ran.push(what));
  page.on("dialog", (dialog) => { ran.push(dialog.message()); dialog.dismiss(); });
  await anna.logIn("anna");
  let frames = 0;
  for (const { name, path } of setting.vectors) {
    await page.goto(path);
    assert.equal(new URL(page.url()).pathname, path, name);
    for (const frame of page.frames().slice(1)) {
      assert.match(new URL(frame.url()).pathname, /^\/mail\/\d+\/\d+\/html\/\d+$/, name);
      await judge(frame, name);
      frames++;
    }
    assert.deepEqual(ran, [], name);
  }
  assert.ok(frames >= setting.vectors.length * 0.9, `${frames} frames`);
  told(`${frames} frames: nothing ran`);

  // The document of the frame by itself, and pictures asked for: no script either.
  for (const { name, path } of setting.vectors.filter((_, index) => index % 6 === 0)) {
    await page.goto(`${path}/html/0`).catch(() => {});
    assert.deepEqual(ran, [], `${name} by itself`);
    await page.goto(`${path}?plain=1`);
    assert.deepEqual(ran, [], `${name} as text`);
    await page.goto(`/compose?reply=${path.slice(6).replace("/", ".")}`);
    assert.deepEqual(ran, [], `${name} in an answer`);
  }
  assert.equal(page.context().pages().length, 1);
  await anna.leave();
  told("done");
} finally {
  await chrome.close();
}
