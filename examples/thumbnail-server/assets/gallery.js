// The viewer over the grid, and the same keys on the page of a photograph.
//
// Everything here is laid over plain links: without this file they lead to /photo/{id}, which
// shows the same. While the viewer is open the address bar holds that page's address too, so
// reloading or sharing it gives the page, and "back" closes the viewer.

// Asks for the original only where its pixels would be seen, and only after a moment's rest:
// whoever leafs through should not load it.
const REST_MS = 450;

function sharpen(img, original, width, signal) {
  if (navigator.connection?.saveData || signal?.aborted) return;
  const timer = setTimeout(async () => {
    const wanted = Math.min(img.clientWidth * devicePixelRatio, width);
    // Up to a tenth more than the picture has is not seen. (An image chosen from a `srcset`
    // tells its density-corrected width, hence the shown file's own.)
    if (wanted <= (await ownWidth(img)) * 1.1 || signal?.aborted) return;
    const better = new Image();
    better.src = original;
    // A format that only the server can read leaves the thumbnail in place.
    const arrived = await better.decode().then(() => true, () => false);
    if (!arrived || signal?.aborted) return;
    img.removeAttribute("srcset");
    img.src = better.src;
  }, REST_MS);
  signal?.addEventListener("abort", () => clearTimeout(timer));
}

async function ownWidth(img) {
  const file = new Image();
  file.src = img.currentSrc || img.src;
  await file.decode().catch(() => {});
  return file.naturalWidth;
}

function openLinksInViewer(viewer) {
  const $ = (selector) => viewer.querySelector(selector);
  const links = [...document.querySelectorAll(".tile a[data-large]")];
  const stage = $(".stage");
  const shown = $(".stage img");
  const facts = $(".facts");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const pageTitle = document.title;
  let at = -1; // index into links, -1 while closed
  let leaving; // stops the work on the picture shown

  // ---- showing ----------------------------------------------------------------------------

  function show(index) {
    at = index;
    const link = links[at];
    const { title } = link.dataset;
    const { width, height } = sizeOf(link);
    document.title = `${title} · larder`;
    $(".position").textContent = `${at + 1} / ${links.length}`;
    $(".title").textContent = title;
    $(".original").href = originalOf(link);
    $(".back").disabled = at === 0 && !pageLink("prev");
    $(".on").disabled = at === links.length - 1 && !pageLink("next");
    shown.style.setProperty("--r", width / height);
    shown.style.setProperty("--w", width);
    shown.alt = title;
    describe(link);
    load(link);
    for (const near of [links[at + 1], links[at - 1]]) {
      if (near) new Image().src = near.dataset.large;
    }
  }

  // The thumbnail of the grid is there at once; the large one replaces it once decoded.
  async function load(link) {
    leaving?.abort();
    const { signal } = (leaving = new AbortController());
    const small = link.firstElementChild;
    shown.src = small.currentSrc || small.src;
    if (!calm.matches) shown.animate({ opacity: [0.35, 1] }, { duration: 140, easing: "ease-out" });
    const large = new Image();
    large.src = link.dataset.large;
    const arrived = await large.decode().then(() => true, () => false);
    if (!arrived || signal.aborted) return;
    shown.src = large.src;
    await shown.decode().catch(() => {});
    sharpen(shown, originalOf(link), sizeOf(link).width, signal);
  }

  function describe(link) {
    const { taken, camera, bytes } = link.dataset;
    const { width, height } = sizeOf(link);
    const size = `${width} × ${height}`;
    const rows = [["Taken", taken], ["Camera", camera], ["Size", size], ["Original", bytes]];
    facts.replaceChildren(
      ...rows.filter(([, value]) => value).map(([name, value]) => {
        const row = document.createElement("div");
        row.append(document.createElement("dt"), document.createElement("dd"));
        row.firstChild.textContent = name;
        row.lastChild.textContent = value;
        return row;
      }),
    );
  }

  // The attributes hold the size of the original; the properties, that of the tile.
  const sizeOf = ({ firstElementChild: img }) => ({
    width: Number(img.getAttribute("width")),
    height: Number(img.getAttribute("height")),
  });
  const originalOf = (link) => link.pathname.replace("/photo/", "/original/");
  const pageLink = (rel) => document.querySelector(`.paging a[rel=${rel}]`);

  // ---- moving and history -----------------------------------------------------------------

  function open(index) {
    show(index);
    if (!viewer.open) viewer.showModal();
  }

  function close() {
    if (at < 0) return;
    const link = links[at];
    at = -1;
    leaving?.abort();
    viewer.close();
    shown.removeAttribute("src");
    document.title = pageTitle;
    link.focus({ preventScroll: true });
    link.scrollIntoView({ block: "nearest" });
    history.scrollRestoration = "auto";
  }

  const enter = (index) => {
    // Going back would scroll to where the viewer was opened, not to the photograph seen last.
    history.scrollRestoration = "manual";
    history.pushState({ photo: links[index].pathname }, "", links[index].href);
    open(index);
  };

  // Closing by hand takes our history entry away; popstate then does the closing.
  const leave = () => history.back();

  function go(index) {
    if (index < 0) return turnPage("prev", "#last");
    if (index >= links.length) return turnPage("next", "#first");
    if (index === at) return;
    history.replaceState({ photo: links[index].pathname }, "", links[index].href);
    show(index);
  }

  // Past the ends of this page of the gallery the viewer opens again on the next one.
  function turnPage(rel, which) {
    const link = pageLink(rel);
    if (link) location.replace(link.href + which);
  }

  function followHistory() {
    const index = links.findIndex((link) => link.pathname === history.state?.photo);
    if (index < 0) close();
    else if (index !== at) open(index);
  }
  addEventListener("popstate", followHistory);
  // A page kept alive by the browser comes back as it was left, whatever its address is now.
  addEventListener("pageshow", ({ persisted }) => persisted && followHistory());

  for (const [index, link] of links.entries()) {
    link.addEventListener("click", (event) => {
      if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      enter(index);
    });
  }
  if (links.length && ["#first", "#last"].includes(location.hash)) {
    const index = location.hash === "#first" ? 0 : links.length - 1;
    history.replaceState(null, "", location.pathname + location.search);
    enter(index);
  }

  // ---- keys, buttons, fingers -------------------------------------------------------------

  const toggleDetails = () => {
    facts.hidden = !facts.hidden;
    $(".details").setAttribute("aria-expanded", String(!facts.hidden));
  };

  const keys = {
    ArrowRight: () => go(at + 1),
    ArrowLeft: () => go(at - 1),
    Home: () => go(0),
    End: () => go(links.length - 1),
    i: toggleDetails,
    f: () => $(".original").click(),
  };
  // On the window: a focused button that becomes disabled no longer hears its keys.
  addEventListener("keydown", (event) => {
    const act = at >= 0 && keys[event.key.length > 1 ? event.key : event.key.toLowerCase()];
    if (!act || event.metaKey || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  // Escape.
  viewer.addEventListener("cancel", (event) => {
    event.preventDefault();
    leave();
  });
  $(".close").addEventListener("click", leave);
  $(".details").addEventListener("click", toggleDetails);
  $(".back").addEventListener("click", () => go(at - 1));
  $(".on").addEventListener("click", () => go(at + 1));
  stage.addEventListener("click", (event) => {
    if (event.target === stage) leave();
  });

  followSwipes(stage, shown, {
    left: () => go(at + 1),
    right: () => go(at - 1),
    down: leave,
  });
}

// Lets the picture follow one finger; a swipe counts from 56 px or a quick flick.
function followSwipes(stage, shown, act) {
  let from = null;

  const rest = () => {
    from = null;
    shown.style.translate = "";
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") return;
    // A second finger is a pinch, and a zoomed page is panned, not swiped.
    if (!event.isPrimary || visualViewport?.scale > 1.01) return rest();
    from = { x: event.clientX, y: event.clientY, time: event.timeStamp };
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from || !event.isPrimary) return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    shown.style.translate = Math.abs(x) > Math.abs(y) ? `${x}px 0` : `0 ${Math.max(0, y)}px`;
  });
  stage.addEventListener("pointerup", (event) => {
    if (!from || !event.isPrimary) return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    const enough = event.timeStamp - from.time < 250 ? 24 : 56;
    rest();
    if (Math.max(Math.abs(x), Math.abs(y)) < enough) return;
    if (Math.abs(x) > Math.abs(y)) (x < 0 ? act.left : act.right)();
    else if (y > 0) act.down();
  });
  stage.addEventListener("pointercancel", rest);
}

function bindKeysOfPhotoPage() {
  const picture = document.querySelector("a.picture");
  const img = picture?.firstElementChild;
  if (img) sharpen(img, picture.href, Number(img.getAttribute("width")));
  // Reloaded while the viewer was open, "back" changes the address without leaving the page.
  addEventListener("popstate", () => location.reload());
  const selectors = {
    ArrowLeft: "main a[rel=prev]",
    ArrowRight: "main a[rel=next]",
    Escape: ".top a[rel=up]",
    f: "a.picture",
  };
  addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.shiftKey) return;
    const link = selectors[event.key] && document.querySelector(selectors[event.key]);
    if (!link) return;
    event.preventDefault();
    link.click();
  });
}

const viewer = document.getElementById("viewer");
if (viewer) openLinksInViewer(viewer);
else bindKeysOfPhotoPage();
