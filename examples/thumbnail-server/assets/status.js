// Renews the numbers in place while someone looks at them.

const EVERY_MS = 3000;

async function renew() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of [".count", "main"]) {
    const [old, now] = [document.querySelector(part), fresh.querySelector(part)];
    if (old && now && old.innerHTML !== now.innerHTML) old.replaceWith(now);
  }
}

// The next request waits for the last one: a slow server is not asked twice.
async function keepRenewing() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    await renew().catch(() => {});
  }
}
keepRenewing();
