// Leaving a page with unsaved changes is asked about first; the kernel, which voila ends when a page is left, lives on meanwhile.
window.addEventListener("beforeunload", (event) => {
  if (document.querySelector(".dm-unsaved")) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
});

// Where the server or the page's kernel has ended, a click does nothing: the page says so.
async function isAlive(base, kernel) {
  try {
    return (await fetch(`${base}api/kernels/${kernel}`)).ok;
  } catch {
    return false;
  }
}

window.addEventListener("load", () => {
  const { baseUrl, kernelId } = JSON.parse(document.getElementById("jupyter-config-data").textContent);
  const timer = setInterval(async () => {
    if (await isAlive(baseUrl, kernelId)) return;
    clearInterval(timer);
    document.getElementById("ended").hidden = false;
  }, 5000);
});
