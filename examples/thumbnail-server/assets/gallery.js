// The viewer over the grid, and the same keys on the page of a photograph.
//
// Everything here is laid over plain links: without this file they lead to /photo/{id}, which
// shows the same. While the viewer is open the address bar holds that page's address too, so
// reloading or sharing it gives the page, and "back" closes the viewer.

const viewer = document.getElementById("viewer");
if (viewer) openLinksInViewer(viewer);
else bindKeysOfPhotoPage();

// Asks for the original only where its pixels would be seen, and only after a moment's rest:
// whoever leafs through should not load it.
const REST_MS = 450;
function sharpen(img, original, width) {
  if (navigator.connection?.saveData) return;
  const timer = setTimeout(async () => {
    const wanted = Math.min(img.clientWidth * devicePixelRatio, width);
    // Up to a tenth more than the picture has is not seen.
    if (wanted <= (img.naturalWidth || width) * 1.1) return;
    const better = new Image();
    better.src = original;
    try {
      await better.decode();
      if (!leaving.signal.aborted) {
        img.removeAttribute("srcset");
        img.src = better.src;
      }
    } catch {
      // A format that only the server can read: the thumbnail stays.
    }
  }, REST_MS);
  const leaving = new AbortController();
  leaving.signal.addEventListener("abort", () => clearTimeout(timer));
  return leaving;
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
    const small = link.firstElementChild;
    const { title, large } = link.dataset;
    document.title = `${title} · larder`;
    $(".position").textContent = `${at + 1} / ${links.length}`;
    $(".title").textContent = title;
    $(".original").href = originalOf(link);
    $(".back").disabled = at === 0 && !pageLink("prev");
    $(".on").disabled = at === links.length - 1 && !pageLink("next");
    shown.style.setProperty("--r", small.width && small.getAttribute("width") / small.getAttribute("height"));
    shown.style.setProperty("--w", small.getAttribute("width"));
    shown.alt = title;
    describe(link, small);
    load(link, small.currentSrc || small.src, large);
    for (const near of [links[at + 1], links[at - 1]]) {
      if (near) new Image().src = near.dataset.large;
    }
  }

  // The thumbnail of the grid is there at once; the large one replaces it once decoded.
  async function load(link, small, large) {
    leaving?.abort();
    const mine = (leaving = new AbortController());
    shown.src = small;
    if (!calm.matches) shown.animate({ opacity: [0.35, 1] }, { duration: 140, easing: "ease-out" });
    const better = new Image();
    better.src = large;
    await better.decode().catch(() => {});
    if (mine.signal.aborted) return;
    shown.src = large;
    await shown.decode().catch(() => {});
    if (mine.signal.aborted) return;
    const sharpening = sharpen(shown, originalOf(link), +link.firstElementChild.getAttribute("width"));
    mine.signal.addEventListener("abort", () => sharpening?.abort());
  }

  function describe(link, small) {
    const { taken, camera, bytes } = link.dataset;
    const size = `${small.getAttribute("width")} × ${small.getAttribute("height")}`;
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

  const originalOf = (link) => link.pathname.replace("/photo/", "/original/");
  const pageLink = (rel) => document.querySelector(`.paging a[rel=${rel}]`);

  // ---- moving and history -----------------------------------------------------------------

  function open(index) {
    show(index);
    if (!viewer.open) viewer.showModal();
    stage.scrollTop = 0;
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
  }

  const enter = (index) => {
    history.pushState({ photo: links[index].id || links[index].pathname }, "", links[index].href);
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

  addEventListener("popstate", ({ state }) => {
    const index = links.findIndex((link) => link.pathname === state?.photo);
    if (index >= 0) open(index);
    else close();
  });

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
  viewer.addEventListener("keydown", (event) => {
    const act = keys[event.key];
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
  if (img) sharpen(img, picture.href, +img.getAttribute("width"));
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
